"""What forms of the update are made of: the definition's own update, with parts of it replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adamcore.conformance.oracle.perturbation import StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients, add_weighted, average, move, update


class Meaningless(ValueError):
    """The fault has no meaning under this claim."""


def as_defined(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """The update as it should be."""
    return update(np, at.adam, c, inputs.parts, inputs.v, inputs.v_max)


def require(condition: object) -> None:
    """Go on only where the fault means something."""
    if not condition:
        raise Meaningless


def effective_gradient(at: StepContext, c: Coefficients, p: FloatArray, g: FloatArray) -> FloatArray:
    """The gradient as the moments see it: negated under maximize, with L2."""
    g = -g if at.adam.maximize else g
    return g + c.decay * p if at.adam.decay == "l2" and c.decay is not None else g


def with_gradients(inputs: UpdateInput, change: Callable[[FloatArray, FloatArray], Any]) -> UpdateInput:
    """Other gradients: ``change(p, g)``."""
    return inputs._replace(parts=[(p, change(p, g), m) for p, g, m in inputs.parts])


def first_moments(at: StepContext, c: Coefficients, inputs: UpdateInput) -> list[FloatArray]:
    """The first moments after the step."""
    return [average(m, effective_gradient(at, c, p, g), c.keep1, c.w1) for p, g, m in inputs.parts]


def second_moment(at: StepContext, c: Coefficients, inputs: UpdateInput) -> FloatArray:
    """The second moment after the step."""
    seen = [effective_gradient(at, c, p, g) for p, g, _ in inputs.parts]
    square: FloatArray = sum((c.w2 * g) * g for g in seen)
    v: FloatArray = add_weighted(inputs.v, square, c.keep2, c.w2)
    return v


def with_moments(
    at: StepContext, c: Coefficients, inputs: UpdateInput, m: Any = None, v: Any = None
) -> UpdateOutput:
    """The update with these moments instead of those that the gradient makes."""
    m = first_moments(at, c, inputs) if m is None else m
    v = second_moment(at, c, inputs) if v is None else v
    parts = [(p, g, mine) for (p, g, _), mine in zip(inputs.parts, m, strict=True)]
    if c.step_g is None:  # nothing is made of the gradient but 0 times it
        parts = [(p, np.where(np.isfinite(g), g, 0.0), mine) for p, g, mine in parts]
    as_they_are = c._replace(w1=0.0, keep1=1.0, w2=0.0, keep2=1.0)
    moved, _, v_max = as_defined(at, as_they_are, inputs._replace(parts=parts, v=v))
    return [(p, mine) for (p, _), mine in zip(moved, m, strict=True)], v, v_max


def with_step(
    at: StepContext,
    c: Coefficients,
    inputs: UpdateInput,
    change: Callable[[FloatArray, FloatArray, FloatArray], Any],
) -> UpdateOutput:
    """The update with ``change(delta, p, g)`` for what it subtracts from p; decay is as it should be."""
    alone = c._replace(decay=None, keep_p=None)
    seen = [(p, effective_gradient(at, c, p, g), m) for p, g, m in inputs.parts]
    back = -1.0 if at.adam.maximize else 1.0
    moved, v, v_max = as_defined(
        at, alone, inputs._replace(parts=[(0.0 * p, back * g, m) for p, g, m in seen])
    )
    changed = [change(-d, p, g) for (d, _), (p, g, _) in zip(moved, inputs.parts, strict=True)]
    return apply_steps(at, c, inputs, changed, moved), v, v_max


def apply_steps(
    at: StepContext, c: Coefficients, inputs: UpdateInput, deltas: list[FloatArray], moved: list[Any]
) -> list[tuple[FloatArray, FloatArray]]:
    """Parameters after the decay and these steps, with the moments of ``moved``."""
    once = c._replace(step_m=1.0, step_g=None)
    return [
        (move(at.adam, once, p, g, delta, np.ones(())), m)
        for delta, (p, g, _), (_, m) in zip(deltas, inputs.parts, moved, strict=True)
    ]


def with_quotient(
    at: StepContext, c: Coefficients, inputs: UpdateInput, quotient: Callable[[FloatArray, FloatArray], Any]
) -> UpdateOutput:
    """The update with ``quotient(numerator, v_hat)`` for what it subtracts from p."""
    moved, v, v_max = as_defined(at, c, inputs)
    used = v if at.adam.amsgrad == "none" or v_max is None else v_max
    if c.square is not None and at.adam.amsgrad != "corrected":
        used = used / c.square
    deltas = [
        quotient(
            c.step_m * m + (0.0 if c.step_g is None else c.step_g * effective_gradient(at, c, p, g)), used
        )
        for (p, g, _), (_, m) in zip(inputs.parts, moved, strict=True)
    ]
    return apply_steps(at, c, inputs, deltas, moved), v, v_max


def is_first_step(inputs: UpdateInput) -> bool:
    """Whether this is the parameter's first step, from moments that are zeros."""
    new = (
        not inputs.memory.get("begun") and not inputs.v.any() and not any(m.any() for _, _, m in inputs.parts)
    )
    inputs.memory["begun"] = True
    return new
