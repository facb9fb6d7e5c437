"""Long arrays of few different elements: worked out once for each that is different.

A step is elementwise, so that elements with the same values in all that goes into them have the same
answer and the same bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.trajectory import Trajectory, adam_for
from adamcore.conformance.types import FloatArray, Probe, Start

LONG = 256  #: elements from which on it is worth looking


def unique_elements(probe: Probe) -> tuple[Probe, list[Any]]:
    """The probe with every long array cut down to its different elements, and where each came from.

    Returns:
        The probe, and an index for each parameter that makes a long vector of a short one; the probe
        itself and no indices where all arrays are short.
    """
    if all(np.size(p) <= LONG for p in probe.params):
        return probe, []
    chosen, back = [], []
    for i, p in enumerate(probe.params):
        first, inverse = distinct(columns(probe, i)) if np.size(p) > LONG else (..., ...)
        chosen.append(first)
        back.append(inverse)

    def few(arrays: Sequence[Any]) -> tuple[Any, ...]:
        """One array a parameter, cut down; flags and what is absent stay."""
        return tuple(
            a if k is ... or np.ndim(a) == 0 else np.ravel(np.broadcast_to(a, p.shape))[k]
            for a, p, k in zip(arrays, probe.params, chosen, strict=True)
        )

    def states(given: Sequence[Start | None]) -> tuple[Start | None, ...]:
        parts = (few([s and getattr(s, name) for s in given]) for name in ("m", "v", "v_max"))
        return tuple(
            s and replace(s, m=m, v=v, v_max=v_max) for s, m, v, v_max in zip(given, *parts, strict=True)
        )

    steps = (
        replace(
            s,
            grads=few(s.grads),
            present=None if s.present is None else few(s.present),
            before=None if s.before is None else few(s.before),
            states=None if s.states is None else states(s.states),
        )
        for s in probe.steps
    )
    start = tuple(s for s in states(probe.start) if s is not None) if probe.start else ()
    return replace(probe, params=few(probe.params), steps=tuple(steps), start=start), back


def columns(probe: Probe, i: int) -> list[FloatArray]:
    """All that goes into the elements of parameter ``i``, a flat array each."""
    shape = np.shape(probe.params[i])
    found: list[Any] = [probe.params[i]]
    for step in probe.steps:
        found += [step.grads[i]] if step.grads[i] is not None else []
        found += [step.present[i]] if step.present is not None else []
        found += [step.before[i]] if step.before is not None else []
    given = [probe.start[i]] if probe.start else []
    for start in (*given, *(s.states[i] for s in probe.steps if s.states is not None)):
        found += [start.m, start.v, start.v_max] if start is not None else []
    return [np.ravel(np.broadcast_to(np.asarray(x), shape)) for x in found]


def distinct(rows: Sequence[FloatArray]) -> tuple[Any, Any]:
    """The first of all elements that are the same bit for bit in every row, and which each is."""
    raw = np.stack([np.asarray(row, dtype=np.complex128) for row in rows], axis=1)
    whole = np.ascontiguousarray(raw).view(f"V{raw.shape[1] * 16}")[:, 0]
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return first, inverse


def expand(walk: Trajectory[Any], back: Sequence[Any]) -> Trajectory[Any]:
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


@lru_cache(maxsize=65536)
def equivalent_claim(claim: Adam, probe: Probe, *, exact: bool = False) -> Adam:
    """The claim with every axis that has no part in this probe at its default.

    Two dialects with the same reduced claim are the same program on this probe, so it is run
    and judged once for both.  The clock's scope makes another program, even where its numbers
    are the same, so it is left alone; with ``exact`` it is not: claims that then are the same
    have the same exact answer.

    >>> from adamcore.conformance.types import Step
    >>> g = np.ones(1)
    >>> probe = Probe("X.1/x", "", (g,), (Step((g,)),), {"weight_decay": 0.0})
    >>> equivalent_claim(Adam(decay="decoupled", missing="error"), probe) == Adam()
    True
    """
    default: dict[str, Any] = {axis: values[0] for axis, values in AXES.items()}
    blind = ["coefficients"]
    whole = all(g is not None for step in probe.steps for g in step.grads)
    if whole and all(step.present is None and step.frozen is None for step in probe.steps):
        blind += ["missing", "all_missing", *(["clock"] if exact else [])]
    changes = [step.changes for step in probe.steps if step.changes]
    if not any(given.get("weight_decay") for given in (probe.hyper, *changes)):
        blind += ["decay", "decay_order"]
    elif claim.decay == "l2" and not any("decay" in given for given in changes):
        blind += ["decay_order"]
    if not any(np.iscomplexobj(p) for p in probe.params):
        blind += ["complex"]
    return replace(claim, **{axis: default[axis] for axis in blind})


@lru_cache(maxsize=65536)
def canonical_claim(claim: Adam, probe: Probe, fault: Fault | None) -> Adam:
    """The claim with the probe's hyperparameters, the same for all claims that have one answer.

    A fault may change what the probe holds (absent gradients, say), so that under one the claim
    is left as it is.
    """
    touched = fault is not None and (fault.probe is not None or fault.absent is not None)
    same = claim if touched else equivalent_claim(claim, probe, exact=True)
    return adam_for(same, probe)
