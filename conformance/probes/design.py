"""What the probes are written with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from adamcore.conformance.types import FloatArray, Step

ODD = {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.2}
"""Hyperparameters far from everybody's defaults: every choice shows within a few steps."""


def array(values: object) -> FloatArray:
    """Values as float32 holds them, in float64 (complex64 in complex128)."""
    a = np.asarray(values)
    if np.iscomplexobj(a):
        return a.astype(np.complex64).astype(np.complex128)
    return a.astype(np.float32).astype(np.float64)


def numbers(seed: int, *shape: int, scale: float = 1.0) -> FloatArray:
    """Numbers for a probe, away from zero: the same ones everywhere and always.

    Fractional parts of multiples of the golden ratio, so that they are spread evenly and do not
    depend on the version of a random generator.
    """
    count = int(np.prod(shape))
    k = np.arange(1, count + 1) + 1009 * seed
    spread = 2.0 * np.modf(k * 0.6180339887498949)[0] - 1.0
    return array(scale * (spread + np.copysign(0.125, spread))).reshape(shape)


def gradients(*columns: Iterable[object]) -> tuple[Step, ...]:
    """Steps from a sequence of gradients for each parameter; None is absent."""
    return tuple(
        Step(tuple(None if g is None else array(g) for g in row)) for row in zip(*columns, strict=True)
    )


def moving(seed: int, count: int, *shapes: Sequence[int], scale: float = 1.0) -> tuple[Step, ...]:
    """``count`` steps of sign-changing gradients for parameters of these shapes."""
    return tuple(
        Step(tuple(numbers(seed + 31 * s + 7 * i, *shape, scale=scale) for i, shape in enumerate(shapes)))
        for s in range(count)
    )
