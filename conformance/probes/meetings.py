"""Probes in which several things meet that other probes have one at a time.

Much that goes wrong needs two things at once: a group without gradients, a restored clock beside a younger
one, a new rate in a step that is skipped.  Each probe here has many.  If nothing else fails, the things are
taken away one after the other to see which are needed (:mod:`adamcore.conformance.probes.factors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from adamcore.conformance.probes.design import (
    ODD,
    array,
    changing,
    moving,
    numbers,
    resumed,
    scheduled,
    without,
)
from adamcore.conformance.probes.handling import WITH_A_STATE, begun
from adamcore.conformance.probes.loss_scale import overflowed, times
from adamcore.conformance.types import FloatArray, Probe, Step

SHAPES = ((3,), (2, 2), (3,), (), (1, 2))
"""Shapes of vectors, two of them alike, a matrix, a scalar and a row."""
PARAMS: tuple[FloatArray, ...] = tuple(numbers(300 + (0 if i == 2 else i), *s) for i, s in enumerate(SHAPES))
"""Parameters of these shapes, of which the two that are alike begin with the same numbers."""
GROUPS: tuple[Mapping[str, float], ...] = (
    {},
    {"lr": 0.3125, "weight_decay": 0.0},
    {"lr": 0.3125, "weight_decay": 0.0},
    {"lr": 0.125, "b1": 0.75, "b2": 0.9375, "eps": 0.125},
    {"b1": 0.25, "weight_decay": 0.375},
)
RATES = {1: 0.53125, 3: 0.125, 4: 0.1328125, 5: 0.5}  #: small and large changes, and back to the first
START = {"lr": 0.5, "b1": 0.5, "b2": 0.75, "eps": 0.0625, "weight_decay": 0.125}  #: numbers of few bits
ABSENT = ((), (1, 3), (0,), (0, 1, 2, 3, 4), (2,), (), (3,))
"""The parameters without a gradient in each step; in one step nobody has any."""
CHANGES: Mapping[int, Mapping[str, float]] = {1: {"weight_decay": 0.25, "eps": 0.0859375}, 3: {"b1": 0.75}}
COMPLEX = (numbers(310, 3) + 0.5j * numbers(311, 3), numbers(312, 2))
NEEDS: Mapping[str, tuple[object, ...]] = {"missing": ("skip",)}


def with_zeros(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps with gradients of 0: one element in the first step, and an array in the third."""

    def zeroed(s: int, i: int, g: FloatArray | None) -> FloatArray | None:
        if g is None or (s, i) not in ((0, 0), (2, 2)):
            return g
        return np.zeros_like(g) if s else np.where(np.arange(g.size) == 1, 0.0, g)

    return tuple(
        replace(step, grads=tuple(zeroed(s, i, g) for i, g in enumerate(step.grads)))
        for s, step in enumerate(steps)
    )


def steps(seed: int, count: int = 7) -> tuple[Step, ...]:
    """Return steps with gradients for all parameters, of which some are absent and some 0."""
    return with_zeros(without(moving(seed, count, *SHAPES), *ABSENT[:count]))


def under_scales() -> tuple[Step, ...]:
    """Return steps with scales that are no powers of two, one of them skipped, under a rate that changes."""
    scales = (3.0, 1000.0, 12289.0, 12289.0, 0.375)
    made = moving(360, len(scales), (3,), (2, 2), (3,))
    skipped = replace(times(overflowed(made[2]), scales[2]), found_inf=True)
    scaled = tuple(skipped if s == 2 else times(step, scales[s]) for s, step in enumerate(made))
    return scheduled(scaled, {1: 0.53125, 2: 0.25, 4: 0.5})


VECTORS = (numbers(430, 3), numbers(431, 2), numbers(432, 3))
"""Parameters of one dimension: a candidate may keep arrays of more in an order of its own."""
AGES = (7, 2, 31)  #: updates that they have had when a run begins
YOUNG_AND_OLD = tuple(begun(t, p, 380 + 2 * i) for i, (t, p) in enumerate(zip(AGES, VECTORS, strict=True)))


PROBES = [
    Probe("SCALE.2/meetings", "odd loss scales and a skipped step, in which the rate changes",
          PARAMS[:3], under_scales(), ODD),
    Probe("LR.1/meetings", "equal arrays, a scalar and zeros, under a rate that changes little and much",
          PARAMS, scheduled(with_zeros(moving(320, 6, *SHAPES)), RATES), START),
    Probe("F1/meetings", "gradients that are absent, once all of them, and 0, while the rate changes",
          PARAMS, scheduled(steps(330), RATES), START, needs=NEEDS),
    resumed(Probe(
        "STATE.4/meetings", "equal arrays, a scalar and zeros under a changing rate, saved and restored",
        PARAMS, scheduled(with_zeros(moving(340, 6, *SHAPES)), RATES), START)),
    Probe("LR.4/meetings", "groups, some without gradients, under a rate that changes",
          PARAMS, scheduled(steps(350), RATES), START, groups=GROUPS, needs=NEEDS),
    Probe("CLK.1/meetings", "clocks of their own, absent gradients and new hyperparameters",
          VECTORS,
          changing(
              scheduled(without(moving(370, 4, (3,), (2,), (3,)), (), (0,), (1, 2)), {1: 0.53125, 3: 0.25}),
              CHANGES),
          {**START, "b1": 0.875, "b2": 0.984375}, start=YOUNG_AND_OLD,
          needs={**WITH_A_STATE, **NEEDS, "clock": ("per-parameter",)}),
    Probe("STATE.3/meetings", "beside another optimizer, arrays in Fortran order, some gradients absent",
          (numbers(390, 3, 4), numbers(391, 2, 3), numbers(392, 3, 4)),
          without(moving(393, 6, (3, 4), (2, 3), (3, 4)), (), (1,), (0, 2), (), (0,), ()), START,
          layout="F", manner="beside", needs=NEEDS),
    resumed(Probe(
        "CPX.1/meetings", "complex parameters beside real ones, an absent gradient, a new rate, restored",
        COMPLEX,
        scheduled(tuple(
            Step((None if s == 1 else array(numbers(400 + s, 3) + 1j * numbers(410 + s, 3)),
                  numbers(420 + s, 2))) for s in range(5)), {2: 0.25, 4: 0.5}), START, needs=NEEDS)),
]  # fmt: skip
