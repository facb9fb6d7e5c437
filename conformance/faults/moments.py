"""Moments of the wrong quantity, weight or start, and steps made wrongly of the moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _scalars, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.definition import Coefficients, add_weighted

OF = {
    "|g|": lambda g, m, w: np.abs(g),
    "g": lambda g, m, w: g,
    "m*m": lambda g, m, w: m * m,
    "|g*m|": lambda g, m, w: np.abs(g * m),
    "g*g weighted with (1-b2)**2": lambda g, m, w: w * g * g,
    "the array's mean of g*g": lambda g, m, w: np.full_like(g, np.mean(g * g) if g.size else 0.0),
    "the array's largest g*g": lambda g, m, w: np.full_like(g, np.max(g * g, initial=0.0)),
    "the array's sum of g*g": lambda g, m, w: np.full_like(g, np.sum(g * g)),
}
"""What v averages in place of g*g, as a function of g, m and 1-b2."""


def second_of(
    of: Callable[[Any, Any, Any], Any], at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    """Average ``of(g, m, 1-b2)`` in v in place of g*g."""
    ms = _updates.first_moments(at, c, inputs)
    new = sum(
        of(_updates.effective_gradient(at, c, p, g), m, c.w2)
        for (p, g, _), m in zip(inputs.parts, ms, strict=True)
    )
    return _updates.with_moments(at, c, inputs, v=add_weighted(inputs.v, c.w2 * new, c.keep2, c.w2))


def late(which: str, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Make the step with moments as they were before this gradient."""
    m, v = _updates.first_moments(at, c, inputs), _updates.second_moment(at, c, inputs)
    wait = which == "second, but for the first step" and not inputs.v.any()
    before = {
        "m": [m for *_, m in inputs.parts] if which in ("first", "both") else m,
        "v": v if which == "first" or wait else inputs.v,
    }
    after, _, v_max = _updates.with_moments(at, c, inputs, **before)
    return [(p, mine) for (p, _), mine in zip(after, m, strict=True)], v, v_max


def starts(
    m: Callable[[Any, Any, Any], Any] | None,
    v: Callable[[Any, Any, Any], Any] | None,
    at: StepContext,
    c: Coefficients,
    inputs: UpdateInput,
) -> UpdateOutput:
    """Start the moments at ``m(p, g, eps)`` and ``v(p, g, eps)``."""
    if _updates.is_first_step(inputs):
        eps = np.float64(at.adam.eps)
        seen = [(p, _updates.effective_gradient(at, c, p, g)) for p, g, _ in inputs.parts]
        if m is not None:
            parts = zip(inputs.parts, seen, strict=True)
            inputs = inputs._replace(parts=[(p, g, m(p, s, eps) + 0.0 * p) for (p, g, _), (_, s) in parts])
        if v is not None:
            inputs = inputs._replace(v=sum(v(p, s, eps) + 0.0 * p for p, s in seen))
    return _updates.as_defined(at, c, inputs)


def gradient_twice(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Let m take the gradient in twice."""
    once = [
        (p, g, m) for (p, g, _), m in zip(inputs.parts, _updates.first_moments(at, c, inputs), strict=True)
    ]
    return _updates.with_moments(at, c, inputs, m=_updates.first_moments(at, c, inputs._replace(parts=once)))


def sign_alone(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    return _updates.with_step(at, c, inputs, lambda delta, p, g: at.lr * np.sign(delta))


def no_root(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    return _updates.with_quotient(at, c, inputs, lambda x, v: x / (v + at.adam.eps))


def no_denominator(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    return _updates.with_quotient(at, c, inputs, lambda x, v: x)


def at_least(floor: float, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Keep v at ``floor`` or above."""
    return _updates.with_moments(at, c, inputs, v=np.maximum(_updates.second_moment(at, c, inputs), floor))


def forgetting() -> Iterator[Fault]:
    """Yield faults of the weights of the averages."""
    whole = partial(_scalars.weighted, lambda b, w: (1.0, w))
    bare = partial(_scalars.weighted, lambda b, w: (b, 1.0))
    sums = partial(_scalars.weighted, lambda b, w: (1.0, 1.0))
    turned = partial(_scalars.weighted, lambda b, w: (w, b))
    nothing = partial(_scalars.weighted, lambda b, w: (0.0, w))
    last = partial(_scalars.weighted, lambda b, w: (0.0, 1.0))
    for k, rule, what, g in (
        ("1", "MOM.1", "m", "the gradient"),
        ("2", "MOM.2", "v", "the squared gradient"),
    ):
        for name, change, says in (
            (f"w{k}-missing", bare, f"{g} enters {what} with weight 1, not 1-b{k}"),
            (f"keep{k}-missing", whole, f"{what} never decays: {what} + (1-b{k})*..."),
            (f"sum{k}", sums, f"{what} is a plain sum"),
            (f"turned{k}", turned, f"the weights are exchanged: {what} keeps 1-b{k} and takes b{k}"),
            (f"forgets{k}", nothing, f"{what} forgets all: (1-b{k})*... alone"),
            (f"present{k}", last, f"{what} is of the present gradient alone; the correction goes on"),
        ):
            yield Fault(name, "moments", rule, says, coefficients=partial(change, k))
    yield Fault(
        "turned-both",
        "moments",
        "MOM.1",
        "the weights are exchanged: m keeps 1-b1, v keeps 1-b2",
        coefficients=partial(turned, "12"),
    )
    yield Fault(
        "b1-for-both", "moments", "MOM.2", "v forgets with b1", coefficients=partial(_scalars.same_beta, "b1")
    )
    yield Fault(
        "b2-for-both", "moments", "MOM.1", "m forgets with b2", coefficients=partial(_scalars.same_beta, "b2")
    )


def beginnings() -> Iterator[Fault]:
    """Yield faults of the values that moments start at."""
    zero = "not 0"
    for name, m, v, says in (
        ("m-starts-at-g", lambda p, g, e: g, None, "m starts at the first gradient"),
        ("v-starts-at-gg", None, lambda p, g, e: g * g, "v starts at the first squared gradient"),
        ("both-start-at-g", lambda p, g, e: g, lambda p, g, e: g * g, "moments start at the first gradient"),
        ("v-starts-at-eps", None, lambda p, g, e: e, "v starts at eps"),
        ("v-starts-at-1", None, lambda p, g, e: 1.0, "v starts at 1"),
        ("v-starts-at-0.1", None, lambda p, g, e: 0.1, "v starts at 0.1"),
        ("m-starts-at-1", lambda p, g, e: 1.0, None, "m starts at 1"),
        ("m-starts-at-p", lambda p, g, e: p, None, "m starts at the parameter"),
        ("v-starts-at-p", None, lambda p, g, e: p, "v starts at the parameter"),
        ("both-start-at-p", lambda p, g, e: p, lambda p, g, e: p, "moments start at the parameter"),
        ("v-starts-at-pp", None, lambda p, g, e: p * p, "v starts at the squared parameter"),
    ):
        yield Fault(name, "moments", "MOM.3", f"{says}, {zero}", update=partial(starts, m, v))


def lates() -> Iterator[Fault]:
    for which, rule, what in (
        ("first", "MOM.1", "m"),
        ("second", "MOM.2", "v"),
        ("second, but for the first step", "MOM.2", "v, but for the first step,"),
        ("both", "MOM.1", "both moments"),
    ):
        says = f"the step uses {what} as before the gradient came in"
        yield Fault(f"late-{which[:16]}", "moments", rule, says, update=partial(late, which))


def steps() -> Iterator[Fault]:
    """Yield faults of the size and sign of the step."""
    for factor, says in (
        (0.5, "the step is halved"), (2.0, "the step is doubled"), (-1.0, "the step has the wrong sign"),
        (0.1, "the step is ten times too small"), (10.0, "the step is ten times too large"),
    ):  # fmt: skip
        changed = partial(_scalars.step_changed, lambda x, at, factor=factor: x * factor)  # type: ignore[misc]
        area, rule = ("maximize", "MAX.1") if factor < 0 else ("moments", "STEP.1")
        yield Fault(f"step-times-{factor:g}", area, rule, says, coefficients=changed)


MOMENTS: tuple[Fault, ...] = (
    *forgetting(),
    *(
        Fault(f"v-of-{what}", "moments", "MOM.2", f"v is an average of {what}", update=partial(second_of, of))
        for what, of in OF.items()
    ),
    *lates(),
    *beginnings(),
    *steps(),
    Fault("gradient-twice", "moments", "MOM.1", "m takes the gradient in twice", update=gradient_twice),
    Fault("sign-alone", "moments", "STEP.1", "the sign of the step alone, times lr", update=sign_alone),
    Fault("v-no-root", "moments", "STEP.1", "m is divided by v, not by its root", update=no_root),
    Fault("v-unused", "moments", "STEP.1", "m is not divided by the root of v", update=no_denominator),
    *(
        Fault(f"v-floor-{x:g}", "moments", "NUM.2", f"v is kept at {x:g} at the least",
              update=partial(at_least, x))
        for x in (1e-12, 1e-8, 1e-16, 1e-30, 1e-10, 1e-6)
    ),
)  # fmt: skip
