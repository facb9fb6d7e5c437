"""Functions with which probes are written: arrays, numbers and steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from adamcore.conformance.types import FloatArray, Probe, Step

ODD = {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.2}
"""Hyperparameters far from usual defaults, under which every choice on an axis shows in a few steps."""


def array(values: object) -> FloatArray:
    """Return values rounded to float32, as float64; complex ones to complex64, as complex128."""
    a = np.asarray(values)
    if np.iscomplexobj(a):
        return a.astype(np.complex64).astype(np.complex128)
    return a.astype(np.float32).astype(np.float64)


def numbers(seed: int, *shape: int, scale: float = 1.0) -> FloatArray:
    """Return an array of numbers between -1.125 and 1.125, none of them near 0, times ``scale``.

    They are fractional parts of multiples of the golden ratio.  So they are spread evenly, and they are
    the same everywhere, whatever the version of a random generator.
    """
    count = int(np.prod(shape))
    k = np.arange(1, count + 1) + 1009 * seed
    spread = 2.0 * np.modf(k * 0.6180339887498949)[0] - 1.0
    return array(scale * (spread + np.copysign(0.125, spread))).reshape(shape)


def gradients(*columns: Iterable[object]) -> tuple[Step, ...]:
    """Return steps from one sequence of gradients for each parameter; None is an absent gradient.

    >>> [step.grads[0].tolist() for step in gradients([0.5, -0.25])]
    [0.5, -0.25]
    """
    return tuple(
        Step(tuple(None if g is None else array(g) for g in row)) for row in zip(*columns, strict=True)
    )


def without(steps: Sequence[Step], *absent: tuple[int, ...]) -> tuple[Step, ...]:
    """Return steps without the gradients of these parameters: a tuple of numbers for each of the first steps.

    >>> [g is None for step in without(moving(0, 3, (), ()), (), (1,)) for g in step.grads]
    [False, False, False, True, False, False]
    """
    return tuple(
        replace(step, grads=tuple(None if i in missing else g for i, g in enumerate(step.grads)))
        for step, missing in zip(steps, (*absent, *[()] * (len(steps) - len(absent))), strict=True)
    )


def scheduled(steps: Sequence[Step], rates: Mapping[int, float]) -> tuple[Step, ...]:
    """Return steps with new learning rates, by the number of the step; the first is 0."""
    return tuple(replace(step, lr=rates.get(s)) for s, step in enumerate(steps))


def resumed(probe: Probe, *at: int) -> Probe:
    """Return the probe saved and restored before these steps, of which the first is 0; by default halfway."""
    where = at or (len(probe.steps) // 2,)
    return replace(
        probe, steps=tuple(replace(step, resumed=s in where) for s, step in enumerate(probe.steps))
    )


def changing(steps: Sequence[Step], changes: Mapping[int, Mapping[str, float]]) -> tuple[Step, ...]:
    """Return steps with other new hyperparameters, likewise."""
    return tuple(replace(step, changes=changes.get(s)) for s, step in enumerate(steps))


def moving(seed: int, count: int, *shapes: Sequence[int], scale: float = 1.0) -> tuple[Step, ...]:
    """Return ``count`` steps with gradients of changing sign for parameters of these shapes."""
    return tuple(
        Step(tuple(numbers(seed + 31 * s + 7 * i, *shape, scale=scale) for i, shape in enumerate(shapes)))
        for s in range(count)
    )
