"""Which Adam it is: the values on every axis with which the trajectories agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np

from adamcore import AXES, Adam
from adamcore.coefficients import Host
from adamcore.conformance.judge import judge
from adamcore.conformance.probe import Probe, Run
from adamcore.conformance.probes import PROBES
from adamcore.conformance.trajectory import claim_of
from adamcore.definition import Number, coefficients, update
from adamcore.dialects import DIALECTS

FINGERPRINT = "STEP.1/fingerprint"
NUMERIC = ("epsilon", "bias_correction", "decay", "decay_order", "amsgrad", "nesterov", "maximize")
FREEZE = ("missing", "clock", "all_missing")
CLOSE = 1e-3  #: distance, in lr, within which a combination is worth a judgement (they lie 2 % apart)


@dataclass(frozen=True)
class Identification:
    """What the trajectories allow: a set of values for each axis, and a dialect if one fits."""

    axes: dict[str, list[object]]  #: empty lists where no value fits: none of the Adams known here
    dialect: str | None = None


class Floats:
    """The array namespace of plain floats."""

    sqrt = staticmethod(math.sqrt)
    maximum = staticmethod(max)


def combinations(weight_decay: float) -> Iterator[dict[str, object]]:
    """Every combination of the numeric axes that is another function of real numbers."""
    for values in product(*(AXES[axis] for axis in NUMERIC)):
        chosen = dict(zip(NUMERIC, values, strict=True))
        moot = chosen["decay"] != "l2" if not weight_decay else chosen["decay"] == "l2"
        if not (moot and (chosen["decay_order"] != "before" or not weight_decay)):
            yield chosen


@lru_cache(maxsize=32)
def table(probe: Probe) -> tuple[list[dict[str, object]], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """All combinations, and the trajectory of a one-element probe under each, in float64."""
    chosen = list(combinations(probe.hyper.get("weight_decay", 0.0)))
    rows = []
    for axes in chosen:
        adam = claim_of(replace(Adam(), **axes), probe)  # type: ignore[arg-type]
        assert not callable(adam.lr)
        p, m, v = float(probe.params[0]), 0.0, 0.0
        v_max: Number = 0.0
        mu: Number = 1.0
        row = []
        for t, step in enumerate(probe.steps, start=1):
            c = coefficients(Host(), adam, t, adam.lr, mu)
            [(p, m)], v, v_max = update(Floats, adam, c, [(p, float(step.grads[0]), m)], v, v_max)  # type: ignore[arg-type]
            mu = c.mu_product
            row.append(p)
        rows.append(row)
    return chosen, np.array(rows)


def identify(
    runs: Mapping[tuple[str, str], Run],
    *,
    flushes: bool = False,
    probes: Mapping[str, Probe] = PROBES,
    prefer: str | None = None,
) -> Identification:
    """The axes' values that agree with what a candidate did, from its trajectories alone.

    Args:
        runs: by (probe name, dtype); needed is the fingerprint, the others narrow it down.
        flushes: whether the candidate flushes subnormals.
        probes: as the candidate saw them.
        prefer: a dialect to name if it fits, before others that fit as well.
    """
    dtype = next((d for d in ("float64", "float32") if (FINGERPRINT, d) in runs), None)
    fits: list[Adam] = []
    if dtype is not None:
        fits = numeric_fits(runs[FINGERPRINT, dtype], probes[FINGERPRINT], dtype, flushes)
    if not fits:
        return Identification({axis: [] for axis in AXES})
    axes: dict[str, list[object]] = {
        axis: [v for v in AXES[axis] if any(getattr(a, axis) == v for a in fits)] for axis in NUMERIC
    }
    if not probes[FINGERPRINT].hyper.get("weight_decay"):
        axes["decay"], axes["decay_order"] = list(AXES["decay"]), list(AXES["decay_order"])
    elif axes["decay"] == ["l2"]:
        axes["decay_order"] = list(AXES["decay_order"])
    freeze = [
        replace(fits[0], missing=a, clock=b, all_missing=c)  # type: ignore[arg-type]
        for a, b, c in product(*(AXES[axis] for axis in FREEZE))
        if not (b == "per-parameter" and c != "tick")
    ]
    names = ("F1/absent-middle", "F6/all-absent")
    freeze = [a for a in freeze if agrees(a, names, runs, dtype, flushes, probes)]
    for axis in FREEZE:
        axes[axis] = [v for v in AXES[axis] if any(getattr(a, axis) == v for a in freeze)]
    if axes["clock"] == ["per-parameter"]:
        axes["all_missing"] = list(AXES["all_missing"])
    for axis, name in (("complex", "CPX.1/complex"), ("coefficients", "NUM.4/near-one")):
        where = "float32" if ("NUM.4/near-one", "float32") in runs else dtype
        axes[axis] = [
            v for v in AXES[axis]
            if agrees(replace(fits[0], **{axis: v}), (name,), runs, where, flushes, probes)  # type: ignore[arg-type]
        ]  # fmt: skip
    return Identification({axis: axes[axis] for axis in AXES}, named(axes, prefer))


def numeric_fits(run: Run, probe: Probe, dtype: str | None, flushes: bool) -> list[Adam]:
    """The combinations of the numeric axes within whose bounds the fingerprint run lies."""
    if dtype is None or run.unsupported or run.error or len(run.params) != len(probe.steps):
        return []
    chosen, rows = table(probe)
    got = np.array([float(step[0]) for step in run.params])
    with np.errstate(all="ignore"):
        distance = np.abs(rows - got).max(axis=1) / probe.hyper["lr"]
    near = [replace(Adam(), **chosen[k]) for k in np.flatnonzero(distance < CLOSE)]  # type: ignore[arg-type]
    near = [replace(a, coefficients="working") for a in near]
    return [a for a in near if judge(a, probe, dtype, run, flushes=flushes).status == "passed"]


def agrees(
    claim: Adam, names: tuple[str, ...], runs: Mapping[tuple[str, str], Run], dtype: str | None,
    flushes: bool, probes: Mapping[str, Probe],
) -> bool:  # fmt: skip
    """Whether the runs of these probes speak for the claim; a skipped one speaks for anything."""
    for name in names:
        run = runs.get((name, dtype or ""))
        if run is None or not probes[name].applies_to(claim):
            continue
        if judge(claim, probes[name], dtype or "", run, flushes=flushes).status not in ("passed", "skipped"):
            return False
    return True


def named(axes: Mapping[str, list[object]], prefer: str | None) -> str | None:
    """A dialect whose value is allowed on every axis."""
    names = []
    for name, row in DIALECTS.items():
        adam = Adam(**row.axes)
        if all(getattr(adam, axis) in axes[axis] for axis in AXES):
            names.append(name)
    return prefer if prefer in names else (names[0] if names else None)
