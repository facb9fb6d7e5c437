"""Moments that the state shows, held to rounding at random (STORE.16).

Each stored moment has to be one of the two numbers next to the exact one.  How often which one is taken is
judged as it is of p (:mod:`~adamcore.conformance.verdict.random_rounding`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from adamcore import Adam
from adamcore.config import MOMENT_STORAGE
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.oracle.kept import PARTS, Draw, drawn, neighbours
from adamcore.conformance.oracle.stored import Ends, Unrounded
from adamcore.conformance.oracle.trajectory import Trajectory
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import FloatArray, Moments, Probe, Run
from adamcore.dtypes import named_by

NOT_NEXT = "its moments are not rounded to one of two neighbours"


def random_parts(adam: Adam, dtype: str) -> dict[str, str]:
    """Return the dtypes of the moments that are rounded at random, by name.

    >>> random_parts(Adam(v_storage="stochastic", amsgrad="corrected"), "bfloat16")
    {'v': 'bfloat16', 'v_max': 'bfloat16'}
    """
    names = ("m",), ("v",) if adam.amsgrad == "none" else ("v", "v_max")
    return {
        name: kept
        for storage, field, parts in zip(MOMENT_STORAGE, ("m_dtype", "v_dtype"), names, strict=True)
        if getattr(adam, storage) == "stochastic"
        if (kept := named_by(adam, field)[1] or dtype) in NARROW
        for name in parts
    }


def shown_moments(adam: Adam, probe: Probe, run: Run, dtype: str) -> list[list[Moments]] | None:
    """Return the moments of a run that rounds them at random, or None if it does not, or does not show all.

    A parameter that has had no step may have none: those are 0.
    """
    parts = random_parts(adam, dtype)
    if not parts or not run.moments or len(run.moments) != len(run.params):
        return None
    zeros = [Moments.zeros(np.shape(p)) for p in probe.params]
    found = []
    for after in run.moments:
        if len(after) != len(zeros):
            return None
        whole = [kept or zero for kept, zero in zip(after, zeros, strict=True)]
        for kept, p in zip(whole, probe.params, strict=True):
            arrays = [kept.m, kept.v, kept.v if "v_max" not in parts else kept.v_max]
            if any(x is None or np.shape(x) != np.shape(p) or x.dtype.kind != "f" for x in arrays):
                return None
        zeros = whole
        found.append(whole)
    return found


Each = tuple[int, int, str, Ends, FloatArray]  #: step, parameter, name, what it was, what was stored of it


def each_moment(
    parts: Mapping[str, str],
    trajectory: Trajectory[Unrounded],
    moments: Sequence[Sequence[Moments]],
) -> Iterator[Each]:
    """Yield every moment of a run that is rounded at random."""
    for s, (step, after) in enumerate(zip(trajectory.steps, moments, strict=False)):
        for i, ((unrounded, *_), kept) in enumerate(zip(step, after, strict=True)):
            for name in parts:
                if unrounded.moments:
                    yield s, i, name, unrounded.moments[name], np.ravel(getattr(kept, name)).astype(float)


def moments_problem(
    adam: Adam,
    trajectory: Trajectory[Unrounded],
    moments: Sequence[Sequence[Moments]],
    dtype: str,
    our_bits: bool,
) -> str:
    """Return which moment is no neighbour of the exact one, or nothing.

    Args:
        adam: the claim, with the probe's hyperparameters.
        trajectory: what is stored after each step, before it is rounded.
        moments: what the candidate has stored.
        dtype: that of the parameters.
        our_bits: True if they have to be rounded by the random bits of STORE.16.
    """
    parts = random_parts(adam, dtype)
    for s, i, name, ends, got in each_moment(parts, trajectory, moments):
        kept = parts[name]
        if our_bits:
            draw = Draw(adam.seed, i, trajectory.clocks[s][i], PARTS[name])
            both = [drawn(x, kept, draw) for x in (ends.low, ends.high)]
            low, high = np.minimum(*both), np.maximum(*both)
        else:
            low, high = neighbours(ends.low, kept)[0], neighbours(ends.high, kept)[1]
        with np.errstate(invalid="ignore"):
            wrong = ~((got >= low) & (got <= high)) & np.isfinite(ends.low) & np.isfinite(ends.high)
            wrong |= np.isfinite(got) & (round_to(got, kept) != got)
        if wrong.any():
            k = int(np.argmax(wrong))
            where = np.unravel_index(k, np.shape(getattr(moments[s][i], name)))
            place = f"{name} of parameter {i}[{', '.join(str(int(j)) for j in where)}] after step {s + 1}"
            next_to = f"{low[k]:.9g}" if low[k] == high[k] else f"{low[k]:.9g} or {high[k]:.9g}"
            return f"{NOT_NEXT}: {place} is {got[k]:.9g}, expected {next_to}"
    return ""
