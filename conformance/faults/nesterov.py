"""Nesterov's look-ahead with another schedule or product, or with a part missing; ascent in some steps."""

from __future__ import annotations

from functools import partial
from typing import Any

from adamcore.coefficients import Host
from adamcore.conformance.faults import _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.definition import Coefficients


def momentum(n: Any, at: StepContext, k: Any, half: float = 0.5) -> Any:
    """Return Dozat's momentum at the clock ``k``."""
    return n.number(at.adam.b1) * (1.0 - half * n.power(0.96, k, at.adam.momentum_decay))


def scheduled(c: Coefficients, n: Any, at: StepContext, half: float, now: Any, after: Any) -> Coefficients:
    """Return Dozat's coefficients with the momenta of the clocks ``now`` and ``after``."""
    if at.adam.nesterov != "dozat":
        return c
    right = momentum(n, at, at.t)
    mu, mu_next = momentum(n, at, now, half), momentum(n, at, after, half)
    product = c.mu_product / right * mu
    lr = n.number(at.lr)
    step_m, step_g = lr * mu_next, lr * (1.0 - mu)
    if at.adam.bias_correction in ("both", "first"):
        step_m, step_g = step_m / (1.0 - product * mu_next), step_g / (1.0 - product)
    return c._replace(step_m=step_m, step_g=step_g, mu_product=product)


def without_half(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    return scheduled(c, n, at, 1.0, at.t, n.successor(at.t))


def one_early(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Count the schedule from 0."""
    return scheduled(c, n, at, 0.5, at.t - 1, at.t)


def of_steps(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Let the schedule follow the number of the step, not the parameter's clock."""
    return scheduled(c, n, at, 0.5, at.step, at.step + 1)


def constant(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    return scheduled(c, n, at, 0.0, at.t, n.successor(at.t))


def product_twice(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Multiply the next step's momentum on to the product for good."""
    if at.adam.nesterov != "dozat":
        return c
    return c._replace(mu_product=c.mu_product * momentum(n, at, n.successor(at.t)))


def power_for_product(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Take mu(t)**t for the product of all momenta up to t."""
    _updates.require(at.adam.nesterov == "dozat")
    mu, after = (momentum(Host(), at, k) for k in (at.t, at.t + 1))
    step_m = at.lr * after / (1.0 - after ** (at.t + 1))
    return _updates.as_defined(
        at, c._replace(step_m=step_m, step_g=at.lr * (1.0 - mu) / (1.0 - mu**at.t)), inputs
    )


def gradient_uncorrected(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Leave the gradient's term uncorrected."""
    if at.adam.nesterov == "dozat":
        return c._replace(step_g=n.number(at.lr) * (1.0 - momentum(n, at, at.t)))
    return c if c.step_g is None else c._replace(step_g=n.number(at.lr) * c.w1)


def gradient_unweighted(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Leave out the weight of the gradient's term."""
    if c.step_g is None:
        return c
    weight = 1.0 - momentum(n, at, at.t) if at.adam.nesterov == "dozat" else c.w1
    return c._replace(step_g=c.step_g / weight)


def first_unweighted(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Leave out the weight of the moment's term."""
    if c.step_g is None:
        return c
    weight = momentum(n, at, n.successor(at.t)) if at.adam.nesterov == "dozat" else n.number(at.adam.b1)
    return c._replace(step_m=c.step_m / weight)


def without_gradient(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Leave out the gradient's term."""
    return c if c.step_g is None else c._replace(step_g=0.0 * c.step_g)


def turned(first: bool, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Negate the gradient in the first step, or in all others."""
    wrong = (at.t == 1) == first
    return _updates.as_defined(at, c, _updates.with_gradients(inputs, lambda p, g: -g) if wrong else inputs)


COEFFICIENTS = {
    "no-half": ("the factor 0.5 of the momentum schedule is missing", without_half),
    "early": ("the momentum schedule counts from 0", one_early),
    "of-steps": ("the momentum schedule follows the number of steps, not the parameter's clock", of_steps),
    "constant": ("the momentum schedule stays at b1", constant),
    "product-twice": ("each momentum enters the product twice", product_twice),
    "g-uncorrected": ("the gradient's term is not corrected", gradient_uncorrected),
    "g-unweighted": ("the gradient's term lacks its weight", gradient_unweighted),
    "m-unweighted": ("the moment's term lacks its weight", first_unweighted),
    "g-missing": ("the gradient's term is missing", without_gradient),
}

NESTEROV: tuple[Fault, ...] = (
    *(
        Fault(f"nesterov-{name}", "clock" if name == "of-steps" else "nesterov", "NES.1", says,
              coefficients=change)
        for name, (says, change) in COEFFICIENTS.items()
    ),
    Fault("nesterov-power", "nesterov", "NES.1", "a power of mu(t) is taken for the product of all mu",
          update=power_for_product),
    Fault("ascent-at-first", "maximize", "MAX.1", "the direction is right in the first step only",
          update=partial(turned, False)),
    Fault("ascent-late", "maximize", "MAX.1", "the first step goes the wrong way",
          update=partial(turned, True)),
)  # fmt: skip
