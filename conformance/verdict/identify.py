"""Which Adam it is: the values on every axis with which the trajectories agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np

from adamcore import AXES, Adam
from adamcore.coefficients import Host
from adamcore.conformance.faults import IN_ONE_ELEMENT
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.verdict.case import distance, flat_model, flat_run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.match import CLOSE, is_proved
from adamcore.conformance.verdict.precision import precision
from adamcore.definition import Number, coefficients, update
from adamcore.dialects import DIALECTS

FINGERPRINT = "STEP.1/fingerprint"
NUMERIC = ("epsilon", "bias_correction", "decay", "decay_order", "amsgrad", "nesterov", "maximize")
FREEZE = ("missing", "clock", "all_missing")


@dataclass(frozen=True)
class Identification:
    """What the trajectories allow: a set of values for each axis, and a dialect if one fits."""

    axes: dict[str, list[object]]  #: empty lists where no value fits: none of the Adams known here
    dialect: str | None = None
    sureness: float | None = None  #: distance of the next best combination of axes, in bounds
    fault: str | None = None  #: what it does besides, where only an Adam with a fault fits
    precision: str | None = None  #: how it forms its coefficients in float32


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
    chosen = list(combinations(largest_decay(probe)))
    start = probe.start[0] if probe.start else None
    rows, plain = [], adam_for(Adam(), probe)
    for axes in chosen:
        adam = replace(plain, **axes)  # type: ignore[arg-type]
        assert not callable(adam.lr)
        p, lr = float(probe.params[0]), adam.lr
        m, v = (float(start.m), float(start.v)) if start else (0.0, 0.0)
        v_max: Number = float(start.v_max) if start else 0.0
        mu: Number = start.mu_product if start else 1.0
        row = []
        for t, step in enumerate(probe.steps, start=1 + (start.t if start else 0)):
            lr = lr if step.lr is None else step.lr
            adam = replace(adam, **step.changes) if step.changes else adam
            c = coefficients(Host(), adam, t, lr, mu)
            [(p, m)], v, v_max = update(Floats, adam, c, [(p, float(step.grads[0]), m)], v, v_max)  # type: ignore[arg-type]
            mu = c.mu_product
            row.append(p)
        rows.append(row)
    return chosen, np.array(rows)


def largest_decay(probe: Probe) -> float:
    """Return the largest weight decay of a probe, which may change it between steps."""
    given = (probe.hyper, *(step.changes for step in probe.steps if step.changes))
    return max((float(h["weight_decay"]) for h in given if "weight_decay" in h), default=0.0)


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
    dtype, fits = None, []
    for dtype in [d for d in ("float64", "float32") if (FINGERPRINT, d) in runs]:
        fits = numeric_fits(runs[FINGERPRINT, dtype], probes[FINGERPRINT], dtype, flushes)
        if fits:
            break
    fault = None
    if not fits and dtype is not None:
        fits, fault = with_a_fault(runs, probes, dtype, flushes)
    if not fits:
        return Identification({axis: [] for axis in AXES})
    axes: dict[str, list[object]] = {
        axis: [v for v in AXES[axis] if any(getattr(a, axis) == v for a in fits)] for axis in NUMERIC
    }
    if not largest_decay(probes[FINGERPRINT]):
        axes["decay"], axes["decay_order"] = list(AXES["decay"]), list(AXES["decay_order"])
    elif axes["decay"] == ["l2"]:
        axes["decay_order"] = list(AXES["decay_order"])
    formed = precision(fits[0], runs, probes)
    way = formed.way if formed else None
    if fault is not None:
        rest = {axis: list(values) for axis, values in AXES.items() if axis not in axes}
        return Identification(in_order(axes | rest), None, None, fault, way)

    def fitting(adams: Iterable[Adam], names: tuple[str, ...], where: str | None) -> list[Adam]:
        return [a for a in adams if agrees(a, names, runs, where, flushes, probes)]

    standing = [
        replace(fits[0], missing=a, clock=b, all_missing=c)  # type: ignore[arg-type]
        for a, b, c in product(*(AXES[axis] for axis in FREEZE))
        if not (b == "per-parameter" and c != "tick")
    ]
    standing = fitting(standing, ("F1/absent-middle", "F6/all-absent"), dtype)
    for axis in FREEZE:
        axes[axis] = [v for v in AXES[axis] if any(getattr(a, axis) == v for a in standing)]
    if axes["clock"] == ["per-parameter"]:
        axes["all_missing"] = list(AXES["all_missing"])
    for axis, name in (("complex", "CPX.1/complex"), ("coefficients", "NUM.4/near-one")):
        where = "float32" if (name, "float32") in runs else dtype
        variants = [replace(fits[0], **{axis: v}) for v in AXES[axis]]  # type: ignore[arg-type]
        axes[axis] = [getattr(a, axis) for a in fitting(variants, (name,), where)]
    sure = sureness(fits, runs[FINGERPRINT, dtype or ""], probes[FINGERPRINT], dtype or "")
    return Identification(in_order(axes), named(axes, prefer), sure, None, way)


def in_order(axes: Mapping[str, list[object]]) -> dict[str, list[object]]:
    return {axis: axes[axis] for axis in AXES}


def numeric_fits(run: Run, probe: Probe, dtype: str | None, flushes: bool) -> list[Adam]:
    """The combinations of the numeric axes within whose bounds the fingerprint run lies."""
    if dtype is None or run.unsupported or run.error or len(run.params) != len(probe.steps):
        return []
    chosen, rows = table(probe)
    if any(np.size(step[0]) != 1 for step in run.params):
        return []
    got = np.array([float(np.ravel(step[0])[0]) for step in run.params])
    with np.errstate(all="ignore"):
        distance = np.abs(rows - got).max(axis=1) / probe.hyper["lr"]
    near = [replace(Adam(), **chosen[k]) for k in np.flatnonzero(distance < CLOSE)]  # type: ignore[arg-type]
    near = [replace(a, coefficients="working") for a in near]
    return [a for a in near if judge(a, probe, dtype, run, flushes=flushes).status == "passed"]


def sureness(fits: list[Adam], run: Run, probe: Probe, dtype: str) -> float:
    """How far the nearest combination that does not fit is from the run, in bounds."""
    chosen, rows = table(probe)
    limits = np.array([float(step[0][0].p[0]) for step in bounds(fits[0], probe, dtype).steps])
    got = np.array([float(np.ravel(step[0])[0]) for step in run.params])
    with np.errstate(all="ignore"):
        distance = np.nan_to_num((np.abs(rows - got) / limits).max(axis=1), nan=np.inf)
    same = np.array([any(all(getattr(a, k) == v for k, v in axes.items()) for a in fits) for axes in chosen])
    others = distance[~same]
    return float(others.min(initial=np.inf))


def with_a_fault(
    runs: Mapping[tuple[str, str], Run], probes: Mapping[str, Probe], dtype: str, flushes: bool
) -> tuple[list[Adam], str | None]:
    """A dialect's axes and a known fault with which the fingerprint, and two more probes, agree."""
    distinct = {Adam(**row.axes) for row in DIALECTS.values()}
    names = [n for n in (FINGERPRINT, "BC.3/not-written-back", "DEC.2/lr-changed") if (n, dtype) in runs]
    got = {name: flat_run(runs[name, dtype]) for name in names}

    def near(claim: Adam, fault: Fault, name: str) -> bool:
        mine = got[name]
        model = flat_model(claim, probes[name], fault)
        return mine is not None and distance(mine, model, probes[name]) <= CLOSE

    for claim in sorted(distinct, key=lambda a: sum(getattr(a, x) != v[0] for x, v in AXES.items())):
        claim = replace(claim, coefficients="working")
        for fault in IN_ONE_ELEMENT:
            if all(near(claim, fault, n) for n in names) and all(
                is_proved(claim, probes[n], dtype, runs[n, dtype], flushes=flushes, fault=fault)
                for n in names
            ):
                return [claim], fault.observed
    return [], None


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
