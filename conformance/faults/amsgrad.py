"""The maximum of AMSGrad of another thing, at another time, or kept elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _updates
from adamcore.conformance.oracle.perturbation import Fault, Held, Moment, Moved
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients


def topped(at: Moment, c: Coefficients, held: Held, used: Any, kept: Any, v: Any) -> Moved:
    """The step with ``used`` under the root; ``kept`` is the maximum to keep, ``v`` the moment."""
    moved, _, _ = _updates.given(at, c, held._replace(v_max=0.0 * held.v - np.inf), v=compared(at, c, used))
    return moved, v, kept


def compared(at: Moment, c: Coefficients, used: Any) -> Any:
    """V whose corrected value is ``used``, where that is what the maximum is of."""
    return used * c.square if at.adam.amsgrad == "corrected" and c.square is not None else used


def candidate(at: Moment, c: Coefficients, v: FloatArray) -> FloatArray:
    """What the maximum is of: v, or v_hat."""
    return v / c.square if at.adam.amsgrad == "corrected" and c.square is not None else v


def maximum(
    rule: Callable[[Moment, FloatArray, FloatArray, Held], tuple[Any, Any]],
    at: Moment, c: Coefficients, held: Held,
) -> Moved:  # fmt: skip
    """``rule(at, top, x, held)`` gives what is used and what is kept, of the old maximum and the new x."""
    _updates.only(at.adam.amsgrad != "none")
    v = _updates.second(at, c, held)
    used, kept = rule(at, held.v_max, candidate(at, c, v), held)
    return topped(at, c, held, used, kept, v)


def into_second(at: Moment, c: Coefficients, held: Held) -> Moved:
    """The maximum is stored as v."""
    _updates.only(at.adam.amsgrad != "none")
    top = np.maximum(held.v_max, candidate(at, c, _updates.second(at, c, held)))
    return topped(at, c, held, top, top, top)


def of_square(at: Moment, c: Coefficients, held: Held) -> Moved:
    """The maximum of g*g, and of v."""
    _updates.only(at.adam.amsgrad != "none")
    v = _updates.second(at, c, held)
    square = sum(_updates.gradient(at, c, p, g) ** 2 for p, g, _ in held.parts)
    top = np.maximum(held.v_max, np.maximum(candidate(at, c, v), square))
    return topped(at, c, held, top, top, v)


def of_root(at: Moment, c: Coefficients, held: Held) -> Moved:
    """The maximum of denominators, epsilon and correction within."""
    _updates.only(at.adam.amsgrad != "none")
    v = _updates.second(at, c, held)
    hat = v if c.square is None else v / c.square
    below = np.sqrt(hat) + at.adam.eps
    top = held.memory["top"] = np.maximum(held.memory.get("top", 0.0), below)
    bare = c._replace(over_root=None, square=None, inside=None, outside=None)
    moved, _, _ = _updates.given(at, bare, held._replace(v_max=0.0 * v), v=top * top)
    return moved, v, np.maximum(held.v_max, v)


def starts_at_eps(at: Moment, c: Coefficients, held: Held) -> Moved:
    _updates.only(at.adam.amsgrad != "none")
    if _updates.fresh(held):
        held = held._replace(v_max=held.v_max + at.adam.eps)
    return _updates.plain(at, c, held)


def first_or(at: Moment, x: FloatArray, held: Held, other: FloatArray) -> FloatArray:
    return other if at.t > 1 else x


def late(at: Moment, top: FloatArray, x: FloatArray, held: Held) -> tuple[Any, Any]:
    return first_or(at, x, held, top), np.maximum(top, x)


def late_at_once(at: Moment, top: FloatArray, x: FloatArray, held: Held) -> tuple[Any, Any]:
    return top, np.maximum(top, x)


def minimum(at: Moment, top: FloatArray, x: FloatArray, held: Held) -> tuple[Any, Any]:
    low = first_or(at, x, held, np.minimum(top, x))
    return low, low


def of_array(at: Moment, top: FloatArray, x: FloatArray, held: Held) -> tuple[Any, Any]:
    high = np.maximum(top, np.max(x, initial=0.0))
    return high, high


def fading(at: Moment, top: FloatArray, x: FloatArray, held: Held) -> tuple[Any, Any]:
    high = np.maximum(at.adam.b2 * top, x)
    return high, high


def two_alone(at: Moment, top: FloatArray, x: FloatArray, held: Held) -> tuple[Any, Any]:
    return np.maximum(top, x), x


def unused(at: Moment, top: FloatArray, x: FloatArray, held: Held) -> tuple[Any, Any]:
    return x, np.maximum(top, x)


RULES = {
    "late": ("the maximum is without the present v, but for the first step", late),
    "late-at-once": ("the maximum is without the present v", late_at_once),
    "minimum": ("the minimum is taken for the maximum", minimum),
    "of-array": ("one maximum serves the whole array", of_array),
    "fading": ("the maximum fades with b2", fading),
    "two": ("the maximum is of this v and the last one alone", two_alone),
    "unused": ("the maximum is kept and not used", unused),
}

AMSGRAD: tuple[Fault, ...] = (
    *(
        Fault(f"maximum-{name}", "amsgrad", "AMS.1", says, form=partial(maximum, rule))
        for name, (says, rule) in RULES.items()
    ),
    Fault("maximum-into-v", "amsgrad", "AMS.1", "the maximum is stored as v", form=into_second),
    Fault("maximum-of-gg", "amsgrad", "AMS.1", "the maximum is of g*g besides", form=of_square),
    Fault("maximum-of-root", "amsgrad", "AMS.1", "the maximum is of the whole denominator", form=of_root),
    Fault("maximum-from-eps", "amsgrad", "MOM.3", "v_max starts at eps, not 0", form=starts_at_eps),
)
