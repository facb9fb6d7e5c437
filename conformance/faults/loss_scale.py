"""What is done with a loss scale, and in a step that has to be skipped, that should not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.conformance.faults import _inputs, _updates
from adamcore.conformance.oracle.perturbation import (
    ClockContext,
    Fault,
    StepContext,
    UpdateInput,
    UpdateOutput,
)
from adamcore.conformance.types import Probe, Step
from adamcore.definition import Coefficients

Steps = _inputs.Steps


def each_scale(change: Callable[[Step, list[float]], Step]) -> dict[str, Any]:
    """Return the keyword of a fault that changes each step with a scale; it is given all scales so far."""

    def changed(steps: Steps, probe: Probe) -> Steps:
        _updates.require(any(step.scale is not None for step in steps))
        seen: list[float] = []
        found = []
        for step in steps:
            if step.scale is None:
                found.append(step)
                continue
            seen.append(step.scale)
            found.append(change(step, seen))
        return tuple(found)

    return _inputs.on_steps(changed)


def multiplied(step: Step, scales: list[float]) -> Step:
    return replace(step.each_gradient(lambda g: g * scales[-1]), scale=None)


def without_gradients(step: Step) -> Step:
    return replace(step, grads=(None,) * len(step.grads), found_inf=False)


def with_zeros(step: Step) -> Step:
    return replace(step.each_gradient(np.zeros_like), found_inf=False)


def with_what_is_finite(step: Step) -> Step:
    finite = step.each_gradient(lambda g: np.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0))
    return replace(finite, found_inf=False)


def as_it_is(step: Step) -> Step:
    return replace(step, found_inf=False)


def if_finite(step: Step) -> Step | None:
    return as_it_is(step) if all(g is None or np.isfinite(g).all() for g in step.grads) else None


def arrays_that_are_finite(step: Step) -> Step:
    grads = tuple(None if g is None or not np.isfinite(g).all() else g for g in step.grads)
    return replace(step, grads=grads, found_inf=False)


def held_by_the_caller(at: ClockContext) -> int:
    """Return the clock of a kernel whose caller counts, and does not count what has to be skipped."""
    return at.t - at.skipped_updates


def decay_divided(steps: Steps, probe: Probe) -> Steps:
    """Divide the weight decay by the scale: the scale divides the sum of gradient and L2."""
    wd = probe.hyper.get("weight_decay", 0.0)
    _updates.require(wd and any(step.scale is not None for step in steps))
    return tuple(
        replace(step, changes={**(step.changes or {}), "weight_decay": wd / (step.scale or 1.0)})
        for step in steps
    )


def scaled_moments(
    first: int, second: int
) -> Callable[[StepContext, Coefficients, UpdateInput], UpdateOutput]:
    """Return the formula whose moments are off by these powers of the scale."""

    def formula(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
        s = at.scale
        _updates.require(at.adam.nesterov == "none")
        once = _updates.with_gradients(inputs, lambda p, g: g * s**first)
        m = _updates.first_moments(at, c, once)
        half = _updates.with_gradients(inputs, lambda p, g: g * s ** (second / 2))
        return _updates.with_moments(at, c, inputs, m=m, v=_updates.second_moment(at, c, half))

    return formula


def scales() -> Iterator[Fault]:
    for name, observed, how in (
        ("scale-multiplied", "multiplies the gradient by the loss scale, which should divide it",
         each_scale(multiplied)),
        ("scale-ignored", "the loss scale is ignored",
         each_scale(lambda step, scales: replace(step, scale=None))),
        ("scale-twice", "the loss scale divides the gradient twice",
         each_scale(lambda step, scales: replace(step, scale=scales[-1] ** 2))),
        ("scale-of-first-step", "the loss scale of the first step divides the gradients of all",
         each_scale(lambda step, scales: replace(step, scale=scales[0]))),
        ("scale-late", "the loss scale of the step before divides the gradient",
         each_scale(lambda step, scales: replace(step, scale=scales[-2] if len(scales) > 1 else 1.0))),
        ("scale-divides-decay", "the loss scale divides the weight decay as well",
         _inputs.on_steps(decay_divided)),
        ("scale-after-square", "the loss scale divides the square of the gradient once, not twice",
         {"update": scaled_moments(0, 1)}),
        ("scale-of-m-alone", "the second moment is that of the gradient with its loss scale",
         {"update": scaled_moments(0, 2)}),
        ("scale-of-v-alone", "the first moment is that of the gradient with its loss scale",
         {"update": scaled_moments(1, 0)}),
    ):  # fmt: skip
        yield Fault(name, "loss_scale", "SCALE.1", observed, **how)


def skips() -> Iterator[Fault]:
    def fault(name: str, observed: str, **how: Any) -> Fault:
        return Fault(name, "loss_scale", "SCALE.2", observed, **how)

    yield fault("skip-ticks", "a skipped step ticks the clock", clock=lambda at: at.t + at.skips)
    alone: dict[str, Any] = {"made": without_gradients, "clock": lambda at: max(at.t, 1)}
    yield fault("skip-decays", "weights decay in a skipped step", absent="decay", **alone)
    yield fault("skip-resets", "a skipped step resets the moments", absent="reset", **alone)
    for name, observed, made in (
        ("zero", "a skipped step is made, with a gradient of zero", with_zeros),
        ("made", "the step is made although an overflow was found", as_it_is),
        ("finite", "a step that has to be skipped is made, without what is not finite",
         with_what_is_finite),
        ("by-gradient", "a step is skipped if its gradients are not finite, whatever the flag says",
         if_finite),
        ("by-array", "arrays are skipped whose gradients are not finite, whatever the flag says",
         arrays_that_are_finite),
    ):  # fmt: skip
        yield fault(f"skip-{name}", observed, made=made)
        yield fault(f"skip-{name}-held", observed, made=made, clock=held_by_the_caller)


LOSS_SCALE = (*scales(), *skips())
"""Faults that show in probes with a loss scale or a skipped step alone; they go with any other cause."""
