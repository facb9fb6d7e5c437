"""Gradients as a claim clips and unscales them (CLIP, SCALE.1): exact numbers, and how far roundings go.

By value a gradient is clipped without a rounding, so the probe gets another gradient.  By a norm it is
multiplied by a factor, which a slot gets beside the gradient: the factor as the sum of two floats, and the
number of roundings that an implementation may make on its way there.  A loss scale that is no power of two
is divided by in the same way.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb, ctx

from adamcore.conformance.types import Clipping, FloatArray, Probe, Scaling, Step

BITS = 256  #: of the balls in which norms are formed
RECIPROCAL = 2  #: roundings of 1 over a loss scale, by way of a wider dtype
OTHERS = 11  #: roundings of a factor beside one for each square: those of CLIP.5, of eps, and of the quotient


@lru_cache(maxsize=4096)
def clipped(probe: Probe) -> Probe:
    """Return the probe with its gradients clipped, or with their factors; itself if it needs none."""
    clip = probe.clip
    if clip is None:
        steps = [unscaled(step) for step in probe.steps]
        return replace(probe, steps=tuple(steps)) if steps != list(probe.steps) else probe
    if clip.slip == "after-decay":  # the formula of the fault does it
        return replace(probe, clip=None)
    if clip.way == "value":
        steps = [with_values(step, clip) for step in probe.steps]
    else:
        steps = [replace(step, scaling=factors(probe, step, clip)) for step in probe.steps]
        if clip.slip == "late":
            first = (None,) * len(probe.params)
            before = [first, *(step.scaling for step in steps[:-1])]
            steps = [replace(step, scaling=old) for step, old in zip(steps, before, strict=True)]
    return replace(probe, clip=None, steps=tuple(steps))


def unscaled(step: Step) -> Step:
    """Return a step whose loss scale is a factor of its gradients; itself if the division is exact."""
    if step.scale is None or math.frexp(step.scale)[0] == 0.5:
        return step
    with ctx.workprec(BITS):
        by = scaling(1 / arb(step.scale), RECIPROCAL)
    return replace(step, scale=None, scaling=(by,) * len(step.grads))


def with_values(step: Step, clip: Clipping) -> Step:
    """Return a step whose gradients have no element that is larger than a number."""
    scale = 1.0 if step.scale is None or clip.slip == "scaled" else step.scale
    low = -math.inf if clip.slip == "above" else -clip.most
    high = math.inf if clip.slip == "below" else clip.most

    def kept(g: FloatArray) -> FloatArray:
        x: FloatArray = np.clip(g.real / scale, low, high) * scale
        return x + 1j * np.clip(g.imag / scale, low, high) * scale if np.iscomplexobj(g) else x

    return step.each_gradient(kept)


def factors(probe: Probe, step: Step, clip: Clipping) -> tuple[Scaling | None, ...]:
    """Return what each gradient of a step is multiplied by; None for 1."""
    from adamcore.conformance.oracle.trajectory import is_absent, mask_of

    scale = 1.0 if step.scale is None or clip.slip == "scaled" else step.scale
    counted: list[FloatArray] = []
    for i, g in enumerate(step.grads):
        if g is None or is_absent(step, i):
            counted.append(np.zeros(0))
            continue
        flat, mask = np.ravel(g) / scale, mask_of(step, i, np.shape(probe.params[i]))
        numbers = (flat if mask is None else flat[mask]).astype(complex)
        both = np.abs(np.concatenate([numbers.real, numbers.imag]))
        counted.append(both[np.isfinite(both) & (both > 0)])
    with ctx.workprec(BITS):
        if clip.way == "norm":
            return tuple(factor(x, clip) for x in counted)
        return (factor(np.concatenate(counted), clip),) * len(counted)


def factor(sizes: FloatArray, clip: Clipping) -> Scaling | None:
    """Return the factor of gradients whose numbers have these sizes; None for 1."""
    size, most = measured(sizes, clip) + arb(clip.eps), arb(clip.most)
    if size <= most and not (clip.slip == "always" and size > 0):
        return None
    return scaling(most / size, len(sizes) + OTHERS)


def scaling(exact: Any, roundings: int) -> Scaling:
    """Return a factor as a slot gets it."""
    high = float(exact.mid())
    return Scaling(high, float((exact - arb(high)).mid()), roundings)


def measured(sizes: FloatArray, clip: Clipping) -> Any:
    """Return the norm of numbers of these sizes, or what a fault takes for it."""
    values, counts = np.unique(sizes, return_counts=True)
    pairs = [(arb(float(x)), int(n)) for x, n in zip(values, counts, strict=True)]
    if clip.slip == "sum":
        return sum((x * n for x, n in pairs), arb(0))
    if clip.slip == "largest":
        return pairs[-1][0] if pairs else arb(0)
    squares = sum((x * x * n for x, n in pairs), arb(0))
    if clip.slip == "squared":
        return squares
    return (squares / max(1, len(sizes)) if clip.slip == "mean" else squares).sqrt()
