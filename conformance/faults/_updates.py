"""What forms of the update are made of: the definition's own update, with parts of it replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adamcore.conformance.oracle.perturbation import Held, Moment, Moved
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients, add_weighted, average, move, update


class Meaningless(ValueError):
    """The fault has no meaning under this claim."""


def plain(at: Moment, c: Coefficients, held: Held) -> Moved:
    """The update as it should be."""
    return update(np, at.adam, c, held.parts, held.v, held.v_max)


def only(condition: object) -> None:
    """Go on only where the fault means something."""
    if not condition:
        raise Meaningless


def gradient(at: Moment, c: Coefficients, p: FloatArray, g: FloatArray) -> FloatArray:
    """The gradient as the moments see it: negated under maximize, with L2."""
    g = -g if at.adam.maximize else g
    return g + c.decay * p if at.adam.decay == "l2" and c.decay is not None else g


def with_gradients(held: Held, change: Callable[[FloatArray, FloatArray], Any]) -> Held:
    """Other gradients: ``change(p, g)``."""
    return held._replace(parts=[(p, change(p, g), m) for p, g, m in held.parts])


def first(at: Moment, c: Coefficients, held: Held) -> list[FloatArray]:
    """The first moments after the step."""
    return [average(m, gradient(at, c, p, g), c.keep1, c.w1) for p, g, m in held.parts]


def second(at: Moment, c: Coefficients, held: Held) -> FloatArray:
    """The second moment after the step."""
    seen = [gradient(at, c, p, g) for p, g, _ in held.parts]
    square: FloatArray = sum((c.w2 * g) * g for g in seen)
    v: FloatArray = add_weighted(held.v, square, c.keep2, c.w2)
    return v


def given(at: Moment, c: Coefficients, held: Held, m: Any = None, v: Any = None) -> Moved:
    """The update with these moments instead of those that the gradient makes."""
    m = first(at, c, held) if m is None else m
    v = second(at, c, held) if v is None else v
    parts = [(p, g, mine) for (p, g, _), mine in zip(held.parts, m, strict=True)]
    if c.step_g is None:  # nothing is made of the gradient but 0 times it
        parts = [(p, np.where(np.isfinite(g), g, 0.0), mine) for p, g, mine in parts]
    as_they_are = c._replace(w1=0.0, keep1=1.0, w2=0.0, keep2=1.0)
    moved, _, v_max = plain(at, as_they_are, held._replace(parts=parts, v=v))
    return [(p, mine) for (p, _), mine in zip(moved, m, strict=True)], v, v_max


def stepped(
    at: Moment, c: Coefficients, held: Held, change: Callable[[FloatArray, FloatArray, FloatArray], Any]
) -> Moved:
    """The update with ``change(delta, p, g)`` for what it subtracts from p; decay is as it should be."""
    alone = c._replace(decay=None, keep_p=None)
    seen = [(p, gradient(at, c, p, g), m) for p, g, m in held.parts]
    back = -1.0 if at.adam.maximize else 1.0
    moved, v, v_max = plain(at, alone, held._replace(parts=[(0.0 * p, back * g, m) for p, g, m in seen]))
    changed = [change(-d, p, g) for (d, _), (p, g, _) in zip(moved, held.parts, strict=True)]
    return settled(at, c, held, changed, moved), v, v_max


def settled(
    at: Moment, c: Coefficients, held: Held, deltas: list[FloatArray], moved: list[Any]
) -> list[tuple[FloatArray, FloatArray]]:
    """Parameters after the decay and these steps, with the moments of ``moved``."""
    once = c._replace(step_m=1.0, step_g=None)
    return [
        (move(at.adam, once, p, g, delta, np.ones(())), m)
        for delta, (p, g, _), (_, m) in zip(deltas, held.parts, moved, strict=True)
    ]


def divided(
    at: Moment, c: Coefficients, held: Held, quotient: Callable[[FloatArray, FloatArray], Any]
) -> Moved:
    """The update with ``quotient(numerator, v_hat)`` for what it subtracts from p."""
    moved, v, v_max = plain(at, c, held)
    used = v if at.adam.amsgrad == "none" or v_max is None else v_max
    if c.square is not None and at.adam.amsgrad != "corrected":
        used = used / c.square
    deltas = [
        quotient(c.step_m * m + (0.0 if c.step_g is None else c.step_g * gradient(at, c, p, g)), used)
        for (p, g, _), (_, m) in zip(held.parts, moved, strict=True)
    ]
    return settled(at, c, held, deltas, moved), v, v_max


def fresh(held: Held) -> bool:
    """Whether this is the parameter's first step, from moments that are zeros."""
    new = not held.memory.get("begun") and not held.v.any() and not any(m.any() for _, _, m in held.parts)
    held.memory["begun"] = True
    return new
