"""Long arrays of few different elements: worked out once for each that is different.

A step is elementwise, so that elements with the same values in all that goes into them have the same
answer and the same bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.conformance.oracle.trajectory import Walk
from adamcore.conformance.types import FloatArray, Probe, Start

LONG = 256  #: elements from which on it is worth looking


def condensed(probe: Probe) -> tuple[Probe, list[Any]]:
    """The probe with every long array cut down to its different elements, and where each came from.

    Returns:
        The probe, and an index for each parameter that makes a long vector of a short one; the probe
        itself and no indices where all arrays are short.
    """
    if all(np.size(p) <= LONG for p in probe.params):
        return probe, []
    chosen, back = [], []
    for i, p in enumerate(probe.params):
        first, inverse = different(columns(probe, i)) if np.size(p) > LONG else (..., ...)
        chosen.append(first)
        back.append(inverse)

    def few(arrays: Sequence[Any]) -> tuple[Any, ...]:
        """One array a parameter, cut down; flags and what is absent stay."""
        return tuple(
            a if k is ... or np.ndim(a) == 0 else np.ravel(np.broadcast_to(a, p.shape))[k]
            for a, p, k in zip(arrays, probe.params, chosen, strict=True)
        )

    def begun(name: str) -> tuple[FloatArray, ...]:
        return few([getattr(s, name) for s in probe.start])

    steps = (
        replace(
            s,
            grads=few(s.grads),
            present=None if s.present is None else few(s.present),
            before=None if s.before is None else few(s.before),
        )
        for s in probe.steps
    )
    start = (
        tuple(map(Start, [s.t for s in probe.start], begun("m"), begun("v"), begun("v_max")))
        if probe.start
        else ()
    )
    return replace(probe, params=few(probe.params), steps=tuple(steps), start=start), back


def columns(probe: Probe, i: int) -> list[FloatArray]:
    """All that goes into the elements of parameter ``i``, a flat array each."""
    shape = np.shape(probe.params[i])
    found: list[Any] = [probe.params[i]]
    for step in probe.steps:
        found += [step.grads[i]] if step.grads[i] is not None else []
        found += [step.present[i]] if step.present is not None else []
        found += [step.before[i]] if step.before is not None else []
    if probe.start:
        found += [probe.start[i].m, probe.start[i].v, probe.start[i].v_max]
    return [np.ravel(np.broadcast_to(np.asarray(x), shape)) for x in found]


def different(rows: Sequence[FloatArray]) -> tuple[Any, Any]:
    """The first of all elements that are the same bit for bit in every row, and which each is."""
    raw = np.stack([np.asarray(row, dtype=np.complex128) for row in rows], axis=1)
    whole = np.ascontiguousarray(raw).view(f"V{raw.shape[1] * 16}")[:, 0]
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return first, inverse


def spread(walk: Walk[Any], back: Sequence[Any]) -> Walk[Any]:
    """A walk through the condensed probe as one through the probe; its leaves are dataclasses of vectors."""
    if not back:
        return walk
    steps = [
        [
            [x if k is ... else type(x)(*(v[k] for v in vars(x).values())) for x in parts]
            for parts, k in zip(step, back, strict=True)
        ]
        for step in walk.steps
    ]
    return replace(walk, steps=steps)
