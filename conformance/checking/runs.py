"""In which dtypes a probe is run, how its run is judged, and what all runs of a candidate say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from adamcore import Adam
from adamcore.conformance.dtypes import is_in_range
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import Probe, Result, Run

MANY = 256  #: arrays; a probe of more is run in one dtype
SUBNORMAL = "NUM.2/subnormal"  #: the probe that shows whether subnormal numbers are kept


def is_for(probe: Probe, dtype: str) -> bool:
    """True if a probe is run in a dtype.

    Some are made for a few dtypes alone.  In 16 bits there are no complex numbers.
    A probe whose numbers are 0 or infinite there shows nothing, and what only many elements show is shown in
    float32.  Those that were drawn at random are not made for it.
    """
    if probe.only and dtype not in probe.only:
        return False
    if dtype not in NARROW:
        return True
    return not (probe.is_complex or probe.is_large or probe.drawn) and is_in_range(probe, dtype)


def has_many(probe: Probe) -> bool:
    """True if a probe has so many arrays that one dtype is enough: a launch that ends ends in each dtype.

    In JAX such a step, of which each operation is one of Python, takes as long as all other probes together.
    """
    return len(probe.params) > MANY


def judge_run(
    claim: Adam, probe: Probe, dtype: str, run: Run, *, flushes: bool, our_bits: bool = False
) -> Result:
    """Judge a run; the wider bound for flushed subnormals is derived only if the run fails without it.

    If a candidate that does not claim to flush them passes with it, the reason says so.
    """
    from adamcore.conformance.verdict.judge import judge

    result = judge(claim, probe, dtype, run, flushes=False, our_bits=our_bits)
    if result.status != "failed" or not (flushes or probe.name == SUBNORMAL):
        return result
    flushed = judge(claim, probe, dtype, run, flushes=True, our_bits=our_bits)
    if flushes:
        return flushed
    if flushed.status != "passed":
        return result
    said = "its arithmetic takes subnormal numbers for 0, and it does not claim so"
    return replace(result, reason=f"{said}: {result.reason}")


def error_of_all(runs: Mapping[tuple[str, str], Run], probes: Sequence[Probe]) -> str | None:
    """Return the first error of a candidate that raised one in every probe, or None.

    Some candidates may raise for an absent gradient or for one that is not finite, so one of the probes
    must be without.
    """
    tried = {key: run for key, run in runs.items() if run.unsupported is None}
    ordinary = {p.name for p in probes if is_ordinary(p)}
    if not all(run.error for run in tried.values()) or not any(name in ordinary for name, _ in tried):
        return None
    return next(run.error for run in tried.values())


def is_ordinary(probe: Probe) -> bool:
    """True if all gradients are there, real and finite, and no step changes the learning rate."""
    if probe.start or probe.manner != "plain" or probe.is_complex:
        return False
    return all(
        step.lr is None
        and not step.changes
        and all(g is not None and np.isfinite(g).all() for g in step.grads)
        for step in probe.steps
    )
