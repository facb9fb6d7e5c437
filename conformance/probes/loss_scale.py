"""Probes of loss scales and of skipped steps, for candidates whose step takes them.

The gradients are those that a candidate is handed, already multiplied by the scale.  Scales are powers of
two, so that the division is exact, whether a candidate divides or multiplies by the reciprocal; one probe has
others, and its bound allows for the roundings of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from adamcore.conformance.probes.design import ODD, array, moving, numbers, scheduled
from adamcore.conformance.types import Probe, Step

SHAPES = ((3,), (2, 2))
PARAMS = (numbers(120, 3), numbers(121, 2, 2))
FIRST = 2.0**16  #: the scale with which PyTorch's GradScaler begins


def scaled(seed: int, scales: Sequence[float], skipped: Sequence[int] = ()) -> tuple[Step, ...]:
    """Return steps with these scales; those that are skipped have gradients that have overflowed."""
    steps = moving(seed, len(scales), *SHAPES)
    return tuple(
        replace(times(overflowed(step) if s in skipped else step, scale), found_inf=s in skipped)
        for s, (step, scale) in enumerate(zip(steps, scales, strict=True))
    )


def times(step: Step, scale: float) -> Step:
    """Return the step of a loss that was multiplied by ``scale``."""
    return replace(step.each_gradient(lambda g: array(g * scale)), scale=scale)


def overflowed(step: Step, first: float | None = np.inf, last: float | None = np.nan) -> Step:
    """Return the step with an infinity in its first gradient and a NaN in its last one, or others."""
    grads = [np.array(g) for g in step.grads if g is not None]
    for end, bad in ((0, first), (-1, last)):
        if bad is not None:
            grads[end].flat[end] = bad
    return replace(step, grads=tuple(grads))


def skipping(seed: int, count: int, skipped: Sequence[int], *, overflow: bool = True) -> tuple[Step, ...]:
    """Return steps without a scale, of which some are skipped; the first is 0."""
    return tuple(
        replace(overflowed(step) if overflow and s in skipped else step, found_inf=s in skipped)
        for s, step in enumerate(moving(seed, count, *SHAPES))
    )


def one_bad_number(seed: int, count: int, bad: Mapping[int, float]) -> tuple[Step, ...]:
    """Return steps without a scale; those named are skipped for one number in their gradients."""
    return tuple(
        replace(overflowed(step, None, bad.get(s)), found_inf=s in bad)
        for s, step in enumerate(moving(seed, count, *SHAPES))
    )


PROBES = [
    Probe("SCALE.1/one", "a scale of 1, and nothing found: steps like any other",
          PARAMS, scaled(122, (1.0,) * 3), ODD),
    Probe("SCALE.1/scaled", "gradients of a loss that was multiplied by 65536: the scale divides them",
          PARAMS, scaled(123, (FIRST,) * 4), ODD),
    Probe("SCALE.1/changing", "the scale falls, grows and falls below 1: each step divides by its own",
          PARAMS, scaled(124, (2.0**10, 2.0**9, 2.0**12, 0.125, 2.0**6)), ODD),
    Probe("SCALE.1/odd", "scales that are no powers of two",
          PARAMS, scaled(129, (3.0, 1000.0, 0.375, 12289.0)), ODD),
    Probe("SCALE.2/skipped", "the third step is skipped: parameter, moments and clock are as they were",
          PARAMS, skipping(125, 5, (2,)), ODD),
    Probe("SCALE.2/first", "the first four steps are skipped: the first update is still t=1",
          PARAMS, skipping(126, 7, (0, 1, 2, 3)), ODD),
    Probe("SCALE.2/backoff", "an overflow skips a step and halves the scale",
          PARAMS, scaled(127, (FIRST, FIRST / 2, FIRST / 2, FIRST / 4, FIRST / 4), (0, 2)), ODD),
    Probe("SCALE.2/elsewhere", "the overflow was found elsewhere: finite gradients are skipped all the same",
          PARAMS, skipping(128, 5, (1, 3), overflow=False), ODD),
    Probe("SCALE.2/one-number", "one NaN alone skips a step, and one infinity alone another one",
          PARAMS, one_bad_number(131, 5, {1: np.nan, 3: -np.inf}), ODD),
    Probe("SCALE.2/function", "lr is a function of the number of updates, of which a skipped step is none",
          PARAMS, scheduled(skipping(130, 5, (2,)), {1: 0.25, 3: 0.0625, 4: 0.375}), ODD, manner="scheduled"),
]  # fmt: skip
