"""AMSGrad's maximum taken of something else, at another time, or kept elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients


def topped(
    at: StepContext, c: Coefficients, inputs: UpdateInput, used: Any, kept: Any, v: Any
) -> UpdateOutput:
    """Return the update with ``used`` under the root, and ``kept`` and ``v`` as the new v_max and v."""
    after, _, _ = _updates.with_moments(
        at, c, inputs._replace(v_max=0.0 * inputs.v - np.inf), v=compared(at, c, used)
    )
    return after, v, kept


def compared(at: StepContext, c: Coefficients, used: Any) -> Any:
    """Return the v whose value under the root is ``used``."""
    return used * c.square if at.adam.amsgrad == "corrected" and c.square is not None else used


def candidate(at: StepContext, c: Coefficients, v: FloatArray) -> FloatArray:
    """Return what the claim takes the maximum of: v, or the corrected v."""
    return v / c.square if at.adam.amsgrad == "corrected" and c.square is not None else v


def maximum(
    rule: Callable[[StepContext, FloatArray, FloatArray, UpdateInput], tuple[Any, Any]],
    at: StepContext,
    c: Coefficients,
    inputs: UpdateInput,
) -> UpdateOutput:
    """Keep another maximum: ``rule(at, top, x, inputs)`` returns the value to use and the one to keep."""
    _updates.require(at.adam.amsgrad != "none")
    v = _updates.second_moment(at, c, inputs)
    used, kept = rule(at, inputs.v_max, candidate(at, c, v), inputs)
    return topped(at, c, inputs, used, kept, v)


def into_second(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Store the maximum as v."""
    _updates.require(at.adam.amsgrad != "none")
    top = np.maximum(inputs.v_max, candidate(at, c, _updates.second_moment(at, c, inputs)))
    return topped(at, c, inputs, top, top, top)


def of_square(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Take the maximum of g*g too."""
    _updates.require(at.adam.amsgrad != "none")
    v = _updates.second_moment(at, c, inputs)
    square = sum(_updates.effective_gradient(at, c, p, g) ** 2 for p, g, _ in inputs.parts)
    top = np.maximum(inputs.v_max, np.maximum(candidate(at, c, v), square))
    return topped(at, c, inputs, top, top, v)


def of_root(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Take the maximum of whole denominators, with correction and epsilon."""
    _updates.require(at.adam.amsgrad != "none")
    v = _updates.second_moment(at, c, inputs)
    hat = v if c.square is None else v / c.square
    below = np.sqrt(hat) + at.adam.eps
    top = inputs.memory["top"] = np.maximum(inputs.memory.get("top", 0.0), below)
    bare = c._replace(over_root=None, square=None, inside=None, outside=None)
    after, _, _ = _updates.with_moments(at, bare, inputs._replace(v_max=0.0 * v), v=top * top)
    return after, v, np.maximum(inputs.v_max, v)


def starts_at_eps(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    _updates.require(at.adam.amsgrad != "none")
    if _updates.is_first_step(inputs):
        inputs = inputs._replace(v_max=inputs.v_max + at.adam.eps)
    return _updates.as_defined(at, c, inputs)


def first_or(at: StepContext, x: FloatArray, inputs: UpdateInput, other: FloatArray) -> FloatArray:
    return other if at.t > 1 else x


def late(at: StepContext, top: FloatArray, x: FloatArray, inputs: UpdateInput) -> tuple[Any, Any]:
    return first_or(at, x, inputs, top), np.maximum(top, x)


def late_at_once(at: StepContext, top: FloatArray, x: FloatArray, inputs: UpdateInput) -> tuple[Any, Any]:
    return top, np.maximum(top, x)


def minimum(at: StepContext, top: FloatArray, x: FloatArray, inputs: UpdateInput) -> tuple[Any, Any]:
    low = first_or(at, x, inputs, np.minimum(top, x))
    return low, low


def of_array(at: StepContext, top: FloatArray, x: FloatArray, inputs: UpdateInput) -> tuple[Any, Any]:
    high = np.maximum(top, np.max(x, initial=0.0))
    return high, high


def fading(at: StepContext, top: FloatArray, x: FloatArray, inputs: UpdateInput) -> tuple[Any, Any]:
    high = np.maximum(at.adam.b2 * top, x)
    return high, high


def two_alone(at: StepContext, top: FloatArray, x: FloatArray, inputs: UpdateInput) -> tuple[Any, Any]:
    return np.maximum(top, x), x


def unused(at: StepContext, top: FloatArray, x: FloatArray, inputs: UpdateInput) -> tuple[Any, Any]:
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
        Fault(f"maximum-{name}", "amsgrad", "AMS.1", says, update=partial(maximum, rule))
        for name, (says, rule) in RULES.items()
    ),
    Fault("maximum-into-v", "amsgrad", "AMS.1", "the maximum is stored as v", update=into_second),
    Fault("maximum-of-gg", "amsgrad", "AMS.1", "the maximum is of g*g besides", update=of_square),
    Fault("maximum-of-root", "amsgrad", "AMS.1", "the maximum is of the whole denominator", update=of_root),
    Fault("maximum-from-eps", "amsgrad", "MOM.3", "v_max starts at eps, not 0", update=starts_at_eps),
)
