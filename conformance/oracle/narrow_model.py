"""A model of a candidate in 16 bits: each step in float64, from what the candidate itself has stored.

As in :mod:`~adamcore.conformance.oracle.stored`, an error of one step is not carried into the next one.  So a
model says of almost every element which number the candidate stores, if it has the fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.dtypes import round_probe, round_to
from adamcore.conformance.oracle.kept import RESTS, kept, neighbours
from adamcore.conformance.oracle.model import FloatSlot
from adamcore.conformance.oracle.perturbation import Fault, StepFault, Update
from adamcore.conformance.oracle.stored import like
from adamcore.conformance.oracle.trajectory import Trajectory, adam_for, simulate
from adamcore.conformance.types import FloatArray, Moments, Probe
from adamcore.dtypes import named_by

Round = Callable[[FloatArray], FloatArray]
Reading = Callable[[FloatArray, FloatArray], FloatArray]  #: from p and its rest to their value


@dataclass(frozen=True)
class NarrowFault:
    """One way to be wrong in 16 bits.

    Attributes:
        area, rule, expected, observed: of a finding that names the fault.
        fault: what is wrong with a step.
        m, v, p: how they are stored; None: as the claim says.
        reading: the value that the candidate reads from p and its rest.  What it stores is p alone then.
        changes: fields of the claim that are others.
    """

    area: str
    rule: str
    expected: str
    observed: str
    fault: Fault = field(default_factory=Fault)
    m: Round | None = None
    v: Round | None = None
    p: Round | None = None
    reading: Reading | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


class NarrowSlot(FloatSlot):
    """A slot of float64 vectors whose moments are rounded after each step."""

    def __init__(
        self, adam: Adam, parts: list[FloatArray], formula: Update | None, m: Round, v: Round
    ) -> None:
        super().__init__(adam, parts, formula)
        self.store_m, self.store_v = m, v

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None:
        super().step(t, lr, grads, mask, fault)
        self.m = [self.store_m(m) for m in self.m]
        self.v, self.v_max = self.store_v(self.v), self.store_v(self.v_max)


def agreement(
    claim: Adam,
    how: NarrowFault,
    probe: Probe,
    dtype: str,
    values: list[list[FloatArray]],
    stored: list[list[FloatArray]],
    moments: Sequence[Sequence[Moments]] | None = None,
) -> float:
    """Return which part of the elements of a run is what the model stores; 0 if it has no meaning here.

    Args:
        claim: the claim, with the probe's hyperparameters to come.
        how: the fault.
        probe: the probe as the candidate saw it.
        dtype: the dtype of the parameters.
        values: the parameters after each step, or the values that the candidate reads; a step begins there.
        stored: what it has stored after each step.
        moments: the moments at which each step but the first begins; None: at the model's own.
    """
    adam = adam_for(replace(claim, **how.changes), probe)
    names = [named_by(adam, name)[1] or dtype for name in ("m_dtype", "v_dtype")]
    probe = round_probe(probe, dtype, *names)
    steps, before = [], probe.params
    for number, (step, after) in enumerate(zip(probe.steps, values, strict=False)):
        given = tuple(moments[number - 1]) if moments is not None and number else None
        steps.append(replace(step, before=before, moments=given))
        before = tuple(map(like, after, before)) if len(after) == len(before) else before
    try:
        with np.errstate(all="ignore"):
            made: Trajectory[FloatArray] = simulate(
                adam,
                replace(probe, steps=tuple(steps)),
                partial(
                    NarrowSlot,
                    formula=how.fault.update,
                    m=how.m or partial(round_to, name=names[0]),
                    v=how.v or partial(round_to, name=names[1]),
                ),
                how.fault,
            )
    except (ValueError, ZeroDivisionError, OverflowError, AssertionError):
        return 0.0
    right = total = 0
    lr = probe.hyper["lr"]
    for step, after, want in zip(steps, stored, made.steps, strict=False):
        for p, got, parts in zip(step.before or (), after, want, strict=True):
            if np.shape(got) != np.shape(p) or len(parts) != 1:
                return 0.0
            x = np.ravel(p) if step.found_inf and how.fault.made is None else parts[0]
            same = is_stored(
                np.ravel(got).astype(float), x, 2.0**-19 * np.abs(x) + 2.0**-15 * lr, adam, how, dtype
            )
            right, total = right + int(same.sum()), total + same.size
    return right / total if total else 0.0


def is_stored(
    got: FloatArray, x: FloatArray, off: FloatArray, adam: Adam, how: NarrowFault, dtype: str
) -> Any:
    """Return which numbers may have been stored of values that are at most ``off`` away from ``x``."""
    with np.errstate(all="ignore"):
        if how.p is not None:
            low, high = how.p(x - off), how.p(x + off)
        elif adam.p_storage in RESTS:
            low, high = (kept(adam.p_storage, y, dtype).astype(float) for y in (x - off, x + off))
        elif adam.p_storage == "stochastic":
            low, high = neighbours(x - off, dtype)[0], neighbours(x + off, dtype)[1]
        else:
            low, high = round_to(x - off, dtype), round_to(x + off, dtype)
        low, high = np.minimum(low, high), np.maximum(low, high)
        return ((got >= low) & (got <= high)) | (~np.isfinite(got) & ~np.isfinite(x))
