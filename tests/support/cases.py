"""Which cases of a test run by default; the others are slow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

Item = TypeVar("Item")


def spread(items: Iterable[Item], count: int) -> list[Item]:
    """Return ``count`` of the items, equally far apart."""
    found = list(items)
    count = min(count, len(found))
    return [found[k * len(found) // count] for k in range(count)]


def some(cases: Iterable[Any], count: int) -> list[Any]:
    """Return the cases as parameters of a test; all but ``count``, equally far apart, are slow."""
    found = [case if isinstance(case, tuple) else (case,) for case in cases]
    kept = {id(case) for case in spread(found, count)}
    return [pytest.param(*case, marks=[] if id(case) in kept else [pytest.mark.slow]) for case in found]
