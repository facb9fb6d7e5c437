"""What is done with a loss scale, and in a step that has to be skipped, that should not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.conformance.faults import _inputs, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
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
    grads = tuple(None if g is None else g * scales[-1] for g in step.grads)
    return replace(step, grads=grads, scale=None)


def each_skip(change: Callable[[Step], Step]) -> dict[str, Any]:
    """Return the keyword of a fault that changes each step that has to be skipped."""

    def changed(steps: Steps, probe: Probe) -> Steps:
        _updates.require(any(step.found_inf for step in steps))
        return tuple(change(step) if step.found_inf else step for step in steps)

    return _inputs.on_steps(changed)


def without_gradients(step: Step) -> Step:
    return replace(step, grads=(None,) * len(step.grads), found_inf=False)


def with_zeros(step: Step) -> Step:
    grads = tuple(None if g is None else np.zeros_like(g) for g in step.grads)
    return replace(step, grads=grads, scale=None, found_inf=False)


def with_what_is_finite(step: Step) -> Step:
    grads = tuple(
        None if g is None else np.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0) for g in step.grads
    )
    return replace(step, grads=grads, found_inf=False)


def where_found(step: Step) -> Step:
    """Make the step all the same if its gradients are finite."""
    return replace(step, found_inf=not all(g is None or np.isfinite(g).all() for g in step.grads))


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
    for name, observed, how in (
        ("skip-ticks", "a skipped step ticks the clock", {"clock": lambda at: at.t + at.skips}),
        ("skip-decays", "weights decay in a skipped step",
         each_skip(without_gradients) | {"absent": "decay"}),
        ("skip-resets", "a skipped step resets the moments",
         each_skip(without_gradients) | {"absent": "reset"}),
        ("skip-is-zero", "a skipped step is made, with a gradient of zero", each_skip(with_zeros)),
        ("skip-is-made", "the step is made although an overflow was found",
         each_skip(lambda step: replace(step, found_inf=False))),
        ("skip-drops-elements", "of a step that has to be skipped only what is not finite is left out",
         each_skip(with_what_is_finite)),
        ("skip-by-gradient", "a step is skipped if its own gradients are not finite, whatever the flag says",
         each_skip(where_found)),
    ):  # fmt: skip
        yield Fault(name, "loss_scale", "SCALE.2", observed, **how)


LOSS_SCALE = (*scales(), *skips())
"""Faults that show in probes with a loss scale or a skipped step alone; they go with any other cause."""
