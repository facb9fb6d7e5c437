"""Parts of which the formulas of faults are made: the definition's own update with a piece replaced.

A function here takes the context of the step, its coefficients and the input of the update, and
returns an update's output, unless its name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adamcore.conformance.oracle.perturbation import StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients, add_weighted, average, move, update


class Meaningless(ValueError):
    """The fault has no meaning under this claim."""


def require(condition: object) -> None:
    """Raise Meaningless unless the condition holds."""
    if not condition:
        raise Meaningless


def as_defined(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Return the definition's update."""
    return update(np, at.adam, c, inputs.parts, inputs.v, inputs.v_max)


def effective_gradient(at: StepContext, c: Coefficients, p: FloatArray, g: FloatArray) -> FloatArray:
    """Return the gradient that the moments average: negated under maximize, with L2."""
    g = -g if at.adam.maximize else g
    return g + c.decay * p if at.adam.decay == "l2" and c.decay is not None else g


def with_gradients(inputs: UpdateInput, change: Callable[[FloatArray, FloatArray], Any]) -> UpdateInput:
    """Return the input with the gradients ``change(p, g)``."""
    return inputs._replace(parts=[(p, change(p, g), m) for p, g, m in inputs.parts])


def first_moments(at: StepContext, c: Coefficients, inputs: UpdateInput) -> list[FloatArray]:
    """Return the first moments after the step."""
    return [average(m, effective_gradient(at, c, p, g), c.keep1, c.w1) for p, g, m in inputs.parts]


def second_moment(at: StepContext, c: Coefficients, inputs: UpdateInput) -> FloatArray:
    """Return the second moment after the step."""
    gradients = [effective_gradient(at, c, p, g) for p, g, _ in inputs.parts]
    square: FloatArray = sum((c.w2 * g) * g for g in gradients)
    v: FloatArray = add_weighted(inputs.v, square, c.keep2, c.w2)
    return v


def with_moments(
    at: StepContext, c: Coefficients, inputs: UpdateInput, m: Any = None, v: Any = None
) -> UpdateOutput:
    """Return the update with these moments in place of those that the gradient makes."""
    m = first_moments(at, c, inputs) if m is None else m
    v = second_moment(at, c, inputs) if v is None else v
    parts = [(p, g, mine) for (p, g, _), mine in zip(inputs.parts, m, strict=True)]
    if c.step_g is None:  # the gradient is only multiplied by 0 here, which an infinity would survive
        parts = [(p, np.where(np.isfinite(g), g, 0.0), mine) for p, g, mine in parts]
    as_they_are = c._replace(w1=0.0, keep1=1.0, w2=0.0, keep2=1.0)
    after, _, v_max = as_defined(at, as_they_are, inputs._replace(parts=parts, v=v))
    return [(p, mine) for (p, _), mine in zip(after, m, strict=True)], v, v_max


def with_step(
    at: StepContext,
    c: Coefficients,
    inputs: UpdateInput,
    change: Callable[[FloatArray, FloatArray, FloatArray], Any],
) -> UpdateOutput:
    """Return the update that subtracts ``change(delta, p, g)`` from p in place of delta, after decay."""
    alone = c._replace(decay=None, keep_p=None)
    seen = [(p, effective_gradient(at, c, p, g), m) for p, g, m in inputs.parts]
    back = -1.0 if at.adam.maximize else 1.0
    from_zero = inputs._replace(parts=[(0.0 * p, back * g, m) for p, g, m in seen])
    after, v, v_max = as_defined(at, alone, from_zero)
    deltas = [change(-d, p, g) for (d, _), (p, g, _) in zip(after, inputs.parts, strict=True)]
    return apply_steps(at, c, inputs, deltas, [m for _, m in after]), v, v_max


def apply_steps(
    at: StepContext, c: Coefficients, inputs: UpdateInput, deltas: list[FloatArray], m: list[FloatArray]
) -> list[tuple[FloatArray, FloatArray]]:
    """Return the parameters after decay and these steps, beside the moments ``m``."""
    once = c._replace(step_m=1.0, step_g=None)
    return [
        (move(np, at.adam, once, p, g, delta, np.ones(())), mine)
        for delta, (p, g, _), mine in zip(deltas, inputs.parts, m, strict=True)
    ]


def with_quotient(
    at: StepContext,
    c: Coefficients,
    inputs: UpdateInput,
    quotient: Callable[[FloatArray, FloatArray], Any],
) -> UpdateOutput:
    """Return the update that subtracts ``quotient(numerator, v_hat)`` from p, after decay."""
    after, v, v_max = as_defined(at, c, inputs)
    used = v if at.adam.amsgrad == "none" or v_max is None else v_max
    if c.square is not None and at.adam.amsgrad != "corrected":
        used = used / c.square
    deltas = [
        quotient(
            c.step_m * m + (0.0 if c.step_g is None else c.step_g * effective_gradient(at, c, p, g)), used
        )
        for (p, g, _), (_, m) in zip(inputs.parts, after, strict=True)
    ]
    return apply_steps(at, c, inputs, deltas, [m for _, m in after]), v, v_max


def is_first_step(inputs: UpdateInput) -> bool:
    """Return whether this is the parameter's first step, and from moments of 0."""
    first = (
        not inputs.memory.get("begun") and not inputs.v.any() and not any(m.any() for _, _, m in inputs.parts)
    )
    inputs.memory["begun"] = True
    return first
