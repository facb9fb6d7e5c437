"""Closures of a step: which classes take one or need one, and what becomes of its loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from adamcore.conformance.candidates.adapter.arguments import class_of, signature_of


def other_number(returned: Any, loss: Any) -> str:
    """Return which number a step returned in place of the loss, with the loss; "" if it returned none.

    A loss that is rounded to 16 bits is none.

    >>> other_number(0.0, 2.5), other_number(None, 2.5), other_number(2.5, 2.5)
    ('0 where its closure returned 2.5', '', '')
    """
    try:
        got, want = (float(x.detach() if hasattr(x, "detach") else x) for x in (returned, loss))
    except (TypeError, ValueError, RuntimeError):  # no numbers, or several
        return ""
    alike = math.isclose(got, want, rel_tol=2.0**-7) or (math.isnan(got) and math.isnan(want))
    return "" if alike else f"{got:.4g} where its closure returned {want:.4g}"


def takes_closure(made_by: Callable[..., Any]) -> bool:
    """Return whether the ``step`` of an optimizer class takes a closure; it is unknown of a function's."""
    return len(signature_of(getattr(class_of(made_by), "step", None))) > 1


def needs_closure(optimizer: Any, bound: int = 0) -> bool:
    """Return whether the ``step`` of an optimizer cannot be called without a closure.

    ``bound`` is 1 for a class, whose ``step`` has ``self`` before the closure.
    """
    first = signature_of(getattr(optimizer, "step", None))[bound : bound + 1]
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in first)
