"""Probes of clipping, for claims that clip (``--clip``).

They are written for a largest norm or size of 1; :func:`for_clipping` multiplies their gradients by another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from adamcore.conformance.probes.design import ODD, array, moving, numbers
from adamcore.conformance.probes.loss_scale import times
from adamcore.conformance.types import Clipping, FloatArray, Probe, Step

SHAPES = ((3,), (2, 2))
PARAMS = (numbers(300, 3), numbers(301, 2, 2))
NORMS, ALL = ("global_norm", "norm"), ("global_norm", "norm", "value")
SLOW = {**ODD, "lr": 0.25, "b1": 0.75, "b2": 0.9}


def sized(seed: int, *sizes: float) -> tuple[Step, ...]:
    """Return steps whose gradients are so many times as large as those of :func:`moving`."""
    steps = moving(seed, len(sizes), *SHAPES)
    return tuple(multiplied(step, size) for step, size in zip(steps, sizes, strict=True))


def multiplied(step: Step, by: float) -> Step:
    return step.each_gradient(lambda g: array(by * g))


def absent(step: Step, i: int) -> Step:
    return replace(step, grads=tuple(None if k == i else g for k, g in enumerate(step.grads)))


def poisoned(step: Step) -> Step:
    """Return the step with a NaN in its first gradient and an infinity in its second one."""
    first, second = (np.array(g) for g in step.grads if g is not None)
    first[1], second[1, 0] = np.nan, -np.inf
    return replace(step, grads=(first, second))


PROBES = [
    Probe("CLIP.2/large", "every gradient is too large, each step by another factor",
          PARAMS, sized(310, 4.0, 2.0, 8.0, 3.0), SLOW, ways=ALL),
    Probe("CLIP.2/small", "no gradient is too large: nothing is changed",
          PARAMS, sized(311, 0.125, 0.0625, 0.25, 0.125), SLOW, ways=ALL),
    Probe("CLIP.2/now-and-then", "every other step is too large: the factor is that of the step",
          PARAMS, sized(312, 8.0, 0.125, 6.0, 0.0625, 5.0), SLOW, ways=ALL),
    Probe("CLIP.2/absent", "what has no gradient does not count",
          PARAMS, tuple(absent(step, s % 2) if s else step for s, step in enumerate(sized(313, *[3.0] * 4))),
          SLOW, ways=ALL),
    Probe("CLIP.3/unlike", "one array has a large gradient, the other a small one, in turn",
          PARAMS,
          tuple(
              Step((array((3.0, 0.25)[s % 2] * numbers(314 + s, 3)),
                    array((0.125, 4.0)[s % 2] * numbers(324 + s, 2, 2))))
              for s in range(4)
          ), SLOW, ways=ALL),
    Probe("CLIP.1/scale", "a loss scale of 64, 32 and 4096: what is clipped is the gradient without it",
          PARAMS, tuple(map(times, sized(315, 4.0, 0.125, 2.0, 0.25), (64.0, 64.0, 32.0, 4096.0))),
          SLOW, ways=ALL),
    Probe("CLIP.1/decay", "a decay larger than the gradient: what is clipped is the gradient without it",
          tuple(array(4.0 * p) for p in PARAMS), sized(316, 0.25, 0.25, 2.0, 0.125),
          {**SLOW, "weight_decay": 0.5}, ways=ALL),
    Probe("CLIP.5/not-finite", "a NaN and an infinity do not count, and stay in their elements",
          PARAMS, tuple(poisoned(s) if k == 1 else s for k, s in enumerate(sized(317, 3.0, 3.0, 0.125, 4.0))),
          SLOW, ways=ALL),
    Probe("CLIP.5/far", "gradients whose squares are no numbers of float32",
          PARAMS, sized(318, 2.0**70, 2.0**66, 2.0**72), SLOW, ways=NORMS, level="should"),
]  # fmt: skip


def for_clipping(probes: Iterable[Probe], clip: Clipping | None) -> list[Probe]:
    """Return the probes for a claim that clips, or for one that does not.

    Twins with other gradients have other factors, so they are no twins where gradients are clipped.
    """
    if clip is None:
        return [probe for probe in probes if not probe.ways]
    chosen = [probe for probe in probes if not probe.ways or clip.way in probe.ways]
    steps = {probe.name: probe.steps for probe in chosen}
    return [
        replace(
            probe,
            clip=clip,
            steps=scaled_to(probe.steps, clip.most) if probe.ways else probe.steps,
            twin=probe.twin if steps.get(probe.twin or "") is probe.steps else None,
        )
        for probe in chosen
    ]


def scaled_to(steps: tuple[Step, ...], most: float) -> tuple[Step, ...]:
    """Return steps whose gradients are as much larger as a claim's number is than 1."""

    def multiplied(g: FloatArray | None) -> FloatArray | None:
        return None if g is None else array(most * g)

    if most in (0.0, 1.0):
        return steps
    return tuple(replace(step, grads=tuple(map(multiplied, step.grads))) for step in steps)
