"""Weight decay of another kind, of something else than p, in another place or at other times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _scalars, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients


def l2(at: StepContext, inputs: UpdateInput) -> UpdateInput:
    """Return the input with weight_decay*p added to the gradients."""
    _updates.require(at.adam.weight_decay)
    toward = -at.adam.weight_decay if at.adam.maximize else at.adam.weight_decay
    return _updates.with_gradients(inputs, lambda p, g: g + toward * p)


def without(c: Coefficients) -> Coefficients:
    return c._replace(decay=None, keep_p=None)


def first_only(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Let L2 enter m, not v."""
    return _updates.with_moments(
        at, without(c), inputs, m=_updates.first_moments(at, without(c), l2(at, inputs))
    )


def second_only(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Let L2 enter v, not m."""
    return _updates.with_moments(
        at, without(c), inputs, v=_updates.second_moment(at, without(c), l2(at, inputs))
    )


def both(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Apply L2 and decoupled decay at once."""
    if at.adam.decay != "l2":
        return _updates.as_defined(at, c, l2(at, inputs))
    shrunk = at.lr * at.adam.weight_decay
    return _updates.with_step(at, without(c), l2(at, inputs), lambda delta, p, g: delta + shrunk * p)


def beside_quotient(raw: bool, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Add weight_decay*p to m_hat, or to m if ``raw``, so that the denominator divides it."""
    _updates.require(at.adam.weight_decay)
    scale = (c.step_m if raw else at.lr) * at.adam.weight_decay
    _, v, v_max = _updates.as_defined(at, without(c), inputs)
    ms = _updates.first_moments(at, without(c), inputs)
    wanted = [m + scale / c.step_m * p for (p, _, _), m in zip(inputs.parts, ms, strict=True)]
    after, _, _ = _updates.with_moments(at, without(c), inputs, m=wanted)
    return [(p, m) for (p, _), m in zip(after, ms, strict=True)], v, v_max


def of(
    what: Callable[[Any, Any, Any, Any], Any], at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    """Let ``what(p, delta, g, memory)`` decay in place of p."""
    _updates.require(c.decay)
    if at.adam.decay == "l2":
        toward = -(c.decay or 0.0) if at.adam.maximize else c.decay
        changed = _updates.with_gradients(
            inputs, lambda p, g: g + toward * what(p, 0.0 * p, g, inputs.memory)
        )
        return _updates.as_defined(at, without(c), changed)
    return _updates.with_step(
        at, without(c), inputs, lambda delta, p, g: delta + c.decay * what(p, delta, g, inputs.memory)
    )


def start(p: FloatArray, delta: FloatArray, g: FloatArray, memory: dict[str, Any]) -> FloatArray:
    """Return the distance of p from its first value."""
    away: FloatArray = p - memory.setdefault("start", p)
    return away


def one_step_before(p: FloatArray, delta: FloatArray, g: FloatArray, memory: dict[str, Any]) -> FloatArray:
    """Return p as it was one step before."""
    before: FloatArray = memory.get("last", p)
    memory["last"] = p
    return before


OF: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "sign(p): L1": lambda p, delta, g, memory: np.sign(p),
    "p minus its start": start,
    "the parameter one step before": one_step_before,
    "p only where the step goes its way": lambda p, delta, g, memory: np.where(delta * p > 0, p, 0.0),
    "p only where the gradient has its sign": lambda p, delta, g, memory: np.where(g * p > 0, p, 0.0),
    "p only where the step and the updated parameter have one sign": lambda p, delta, g, memory: np.where(
        delta * (p - delta) >= 0, p, 0.0
    ),
    "p only where the step moves it away from 0": lambda p, delta, g, memory: np.where(delta * p < 0, p, 0.0),
    "p only where the step does not go its way": lambda p, delta, g, memory: np.where(delta * p <= 0, p, 0.0),
    "|p|": lambda p, delta, g, memory: np.abs(p),
    "p**2": lambda p, delta, g, memory: p * p,
    "p**3": lambda p, delta, g, memory: p * p * p,
    "p less its mean": lambda p, delta, g, memory: p - (np.mean(p) if p.size else 0.0),
    "the gradient": lambda p, delta, g, memory: g,
    "p over its norm": lambda p, delta, g, memory: p / (np.sqrt(np.sum(p * p)) or 1.0),
    "p plus the step": lambda p, delta, g, memory: p + delta,
}
"""What decays in place of p, in the words of a finding."""


def shrinking(
    by: Callable[[float], float], at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    """Take away the fraction ``by(lr*weight_decay)`` of p."""
    _updates.require(c.decay and at.adam.decay != "l2")
    decay = by(float(c.decay or 0.0))
    return _updates.as_defined(
        at, c._replace(decay=decay, keep_p=None if c.keep_p is None else 1.0 - decay), inputs
    )


def negated_too(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Add L2 before the gradient is negated."""
    _updates.require(at.adam.maximize and at.adam.decay == "l2" and c.decay)
    return _updates.as_defined(at, c._replace(decay=-(c.decay or 0.0)), inputs)


def turned_whole(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Turn the whole step round in place of the gradient."""
    _updates.require(at.adam.maximize)
    step_g, shrunk = c.step_g, at.adam.decay != "l2"
    turned = c._replace(step_m=-c.step_m, step_g=None if step_g is None else -step_g)
    if shrunk and c.decay is not None:
        turned = turned._replace(decay=-c.decay, keep_p=None)
    back = _updates.with_gradients(inputs, lambda p, g: -g)  # the definition negates them once more
    return _updates.as_defined(at, turned, back)


def changed_fractions() -> Iterator[Fault]:
    """Yield the faults that change the fraction of p that decays."""
    for name, rule, says, by in (
        ("twice", "DEC.1", "decay is applied twice as strongly", lambda d, at: 2.0 * d),
        ("half", "DEC.1", "decay is applied half as strongly", lambda d, at: 0.5 * d),
        ("sign", "DEC.1", "decay pushes away from zero", lambda d, at: -d),
        ("lr-squared", "DEC.2", "decay is multiplied by lr twice", lambda d, at: d * at.lr),
        ("matrices", "DEC.1", "only arrays of two and more dimensions decay",
         lambda d, at: d if len(at.shape) >= 2 else 0.0 * d),
        ("arrays", "DEC.1", "scalars do not decay", lambda d, at: d if at.shape else 0.0 * d),
        ("ratio-twice", "DEC.7", "decay is multiplied by lr/lr_max once more", _scalars.ratio_twice),
        ("first-lr", "DEC.2", "decay goes on with the first lr", _scalars.first_lr),
        ("relative-lr", "DEC.2", "decay is multiplied by lr over the first lr once more",
         _scalars.relative_lr),
        ("over-first-lr", "DEC.7", "the lr of the decay is divided by the first lr, not by lr_max",
         _scalars.over_first_lr),
        ("ratio-inverted", "DEC.7", "decay is multiplied by lr_max/lr", _scalars.inverted_ratio),
        ("not-first", "DEC.2", "the first step does not decay", lambda d, at: d if at.t > 1 else 0.0 * d),
        ("only-first", "DEC.2", "only the first step decays", lambda d, at: d if at.t == 1 else 0.0 * d),
        ("over-t", "DEC.2", "decay is divided by the clock", lambda d, at: d / float(max(at.t, 1))),
        ("times-w1", "DEC.1", "decay is multiplied by 1-b1", lambda d, at: d * (1.0 - at.adam.b1)),
        ("squared", "DEC.1", "weight_decay is squared", lambda d, at: d * at.adam.weight_decay),
    ):  # fmt: skip
        yield Fault(f"decay-{name}", "decay", rule, says, coefficients=partial(_scalars.decay_changed, by))


DECAY: tuple[Fault, ...] = (
    *changed_fractions(),
    Fault("decay-first-only", "decay", "DEC.1", "L2 enters m, not v", update=first_only),
    Fault("decay-second-only", "decay", "DEC.1", "L2 enters v, not m", update=second_only),
    Fault("decay-both", "decay", "DEC.2", "decay is added to the gradient, and decoupled besides",
          update=both),
    Fault("decay-beside-quotient", "decay", "DEC.2", "decay is added to m_hat, and the root divides it",
          update=partial(beside_quotient, False)),
    Fault("decay-beside-first", "decay", "DEC.2", "decay is added to m for the step, and the root divides it",
          update=partial(beside_quotient, True)),
    *(
        Fault(
            f"decay-of-{what}",
            "decay",
            "DEC.6" if what.startswith("p only where") else "DEC.2",
            f"decay is of {what}",
            update=partial(of, thing),
        )
        for what, thing in OF.items()
    ),
    Fault("decay-exponential", "decay", "DEC.2", "p is multiplied by exp(-lr*wd), not 1 - lr*wd",
          update=partial(shrinking, lambda d: -math.expm1(-d))),
    Fault("decay-reciprocal", "decay", "DEC.2", "p is divided by 1 + lr*wd, not multiplied by 1 - lr*wd",
          update=partial(shrinking, lambda d: d / (1.0 + d))),
    Fault("decay-negated", "maximize", "MAX.1", "decay is negated with the gradient: away from zero",
          update=negated_too),
    Fault("decay-turned", "decay", "MAX.1", "the whole step is turned round, and what decays with it",
          update=turned_whole),
)  # fmt: skip
