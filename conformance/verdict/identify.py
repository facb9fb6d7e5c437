"""Which Adam a candidate is: the values on every axis that agree with its trajectories.

The axes that change the formula are read off the fingerprint, a probe of one element that keeps every
combination of their values apart.  The other axes are read off one probe each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from adamcore import AXES, Adam
from adamcore.axes import RELATIVE
from adamcore.coefficients import Host
from adamcore.conformance.claims import named_claims
from adamcore.conformance.faults import IN_ONE_ELEMENT, OF_ABSENCE, OF_COMPLEX
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.sharing import SAME_WITHOUT_CHANGES
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.progress import followed
from adamcore.conformance.types import Probe, Run, RunKey
from adamcore.conformance.verdict.judge import in_precision, judge
from adamcore.conformance.verdict.match import CLOSE, distance_in_lr, flat_model, flat_run, is_proved
from adamcore.conformance.verdict.precision import DOUBLE, nearest_way
from adamcore.definition import Number, coefficients, update
from adamcore.dialects import DIALECTS

FINGERPRINT, LR_CHANGED = "STEP.1/fingerprint", "DEC.2/lr-changed"
NUMERIC = (
    "epsilon", "bias_correction", "decay", "decay_order", "cautious_decay", "amsgrad", "nesterov", "maximize",
)  # fmt: skip
DECAY = ("decay", "decay_order", "cautious_decay")
TELLING = (
    FINGERPRINT, "F1/absent-middle", "F6/all-absent", "CPX.1/complex", "NUM.4/near-one", "NUM.4/running",
    "BC.3/not-written-back", "DEC.2/lr-changed", "EPS.1/beside-small-root", "EPS.2/comparable",
    "EPS.1/small", "STATE.4/uninterrupted", "STEP.1/unscaled", "MOM.1/common", "LR.1/all-bits",
)  # fmt: skip
"""The probes that identification looks at."""
WITH_A_FAULT = (FINGERPRINT, "BC.3/not-written-back", "DEC.2/lr-changed")
"""The probes with which an Adam with a fault has to agree."""
BETWEEN_FAULTS = ("EPS.2/comparable", "STATE.4/uninterrupted", "LR.1/all-bits")
"""The probes that choose between faults that do the same in those: roots below eps, two arrays, a long lr."""
FREEZE = ("missing", "clock", "all_missing")
FREEZE_PROBES = ("F1/absent-middle", "F6/all-absent")
ONE_PROBE = {"complex": "CPX.1/complex", "coefficients": "NUM.4/near-one"}
"""The axes that are read off one probe each."""

AxisValues = dict[str, list[object]]  #: for each axis, the values that agree
Found = tuple[list[Adam], str | None]  #: Adams that agree with a fault, and what it does; or none


@dataclass(frozen=True)
class Identification:
    """What the trajectories of a candidate allow."""

    axes: AxisValues  #: the lists are empty if no Adam that is known here agrees
    dialect: str | None = None  #: a dialect, with options, that agrees on every axis
    sureness: float | None = None  #: how far the next best combination is, in bounds; None: none fits alone
    fault: str | None = None  #: what the candidate does besides, if only an Adam with a fault agrees
    precision: str | None = None  #: how it forms its coefficients in float32


class FloatNamespace:
    """The array namespace of floats, for :func:`adamcore.definition.update`."""

    sqrt = staticmethod(math.sqrt)
    maximum = staticmethod(max)

    @staticmethod
    def sign(x: float) -> float:
        return float((x > 0) - (x < 0))


def combinations(weight_decay: float, cautious: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the combinations of the numeric axes that are distinct functions of real numbers.

    Those with cautious decay are asked for apart, since they are as many as all others and seldom needed.
    """
    for values in product(*(AXES[axis] for axis in NUMERIC)):
        chosen = dict(zip(NUMERIC, values, strict=True))
        if chosen["decay"] in RELATIVE or chosen["cautious_decay"] != cautious:
            continue  # relative to lr_max: another function where lr changes alone
        same = chosen["decay"] != "l2" if not weight_decay else chosen["decay"] == "l2"
        other = chosen["decay_order"] != "before" or cautious
        if not (same and (other or not weight_decay)):
            yield chosen


@lru_cache(maxsize=32)
def trajectories(
    probe: Probe, cautious: bool = False
) -> tuple[list[dict[str, Any]], npt.NDArray[np.float64]]:
    """Return all combinations, and the trajectory of a one-element probe under each (a row each)."""
    chosen = list(combinations(largest_decay(probe), cautious))
    start = probe.start[0] if probe.start else None
    rows, plain = [], adam_for(Adam(), probe)
    for axes in chosen:
        adam = replace(plain, **axes)
        assert not callable(adam.lr)
        p, lr = float(probe.params[0].item()), adam.lr
        m, v = (float(start.m.item()), float(start.v.item())) if start else (0.0, 0.0)
        v_max: Number = float(start.v_max.item()) if start else 0.0
        mu: Number = start.mu_product if start else 1.0
        row = []
        for t, step in enumerate(probe.steps, start=1 + (start.t if start else 0)):
            assert step.grads[0] is not None
            lr = lr if step.lr is None else step.lr
            adam = replace(adam, **step.changes) if step.changes else adam
            c = coefficients(Host(), adam, t, lr, mu)
            [(p, m)], v, v_max = update(
                FloatNamespace, adam, c, [(p, float(step.grads[0].item()), m)], v, v_max
            )
            mu = c.mu_product
            row.append(p)
        rows.append(row)
    return chosen, np.array(rows)


def largest_decay(probe: Probe) -> float:
    """Return the largest weight decay of a probe, which may change it between steps."""
    given = (probe.hyper, *(step.changes for step in probe.steps if step.changes))
    return max((float(h["weight_decay"]) for h in given if "weight_decay" in h), default=0.0)


def identify(
    runs: Mapping[RunKey, Run],
    *,
    flushes: bool = False,
    probes: Mapping[str, Probe] = PROBES,
    prefer: str | None = None,
) -> Identification:
    """Return the axes' values that agree with what a candidate did.

    Args:
        runs: what it did.  The fingerprint is needed; the other probes narrow the answer down.
        flushes: whether the candidate flushes subnormals to zero.
        probes: the probes as the candidate saw them, by name.
        prefer: a dialect to name if it agrees, before others that agree as well.
    """
    runs = {(n, d): numbers_of(run, probes[n], d) for (n, d), run in runs.items() if n in probes}
    dtype, fits = None, []
    for dtype in [d for d in ("float64", "float32") if can_take(runs.get((FINGERPRINT, d)))]:
        fits = numeric_fits(runs[FINGERPRINT, dtype], probes[FINGERPRINT], dtype, flushes)
        if fits:
            break
    fault = None
    if not fits and dtype is not None:
        fits, fault = fit_with_a_fault(runs, probes, dtype, flushes)
    if not fits or dtype is None:
        return Identification({axis: [] for axis in AXES})
    if fault is None:
        fits = narrowed_by_others(fits, runs, probes, dtype, flushes)
        fits = [with_ratio(fit, runs, probes, dtype, flushes) for fit in fits]
    axes: AxisValues = {axis: values_of(axis, fits) for axis in NUMERIC}
    if not largest_decay(probes[FINGERPRINT]):
        axes |= {axis: list(AXES[axis]) for axis in DECAY}
    elif axes["decay"] == ["l2"]:
        axes |= {axis: list(AXES[axis]) for axis in DECAY[1:]}
    nearest = nearest_way(fits[0], runs, probes)
    way = nearest.way if nearest else None
    if fault is not None:
        rest = {axis: list(values) for axis, values in AXES.items() if axis not in axes}
        return Identification(in_order(axes | rest), fault=fault, precision=way)

    def agreeing(adams: Iterable[Adam], names: tuple[str, ...], where: str) -> list[Adam]:
        return [a for a in adams if agrees(a, names, runs, where, flushes, probes)]

    def agreeing_with(
        faults: Iterable[Fault], adams: list[Adam], names: tuple[str, ...], where: str
    ) -> Found:
        """Return the Adams that agree with the first fault with which one does, and what it does."""
        for known in faults:
            if found := [a for a in adams if has_fault(a, known, names, runs, where, flushes, probes)]:
                return found, known.observed
        return [], None

    candidates = [a for fit in fits for a in with_freezes(fit)]
    freezes = agreeing(candidates, FREEZE_PROBES, dtype)
    if not freezes:
        freezes, fault = agreeing_with(OF_ABSENCE, candidates, FREEZE_PROBES, dtype)
    axes |= {axis: values_of(axis, freezes) for axis in FREEZE}
    if freezes:
        fits = [fit for fit in fits if any(numeric_part(a) == numeric_part(fit) for a in freezes)]
        axes |= {axis: values_of(axis, fits) for axis in NUMERIC if len(axes[axis]) > 1 and axis not in DECAY}
    if axes["clock"] == ["per-parameter"]:
        axes["all_missing"] = list(AXES["all_missing"])
    for axis, name in ONE_PROBE.items():
        where = "float32" if (name, "float32") in runs else dtype
        variants = [replace(fit, **{axis: v}) for fit in fits for v in AXES[axis]]  # type: ignore[arg-type]
        refused = axis == "complex" and (name, where) in runs and runs[name, where].error
        axes[axis] = list(AXES[axis]) if refused else values_of(axis, agreeing(variants, (name,), where))
        if axis == "complex" and not axes[axis]:
            others, observed = agreeing_with(OF_COMPLEX, variants, (name,), where)
            if others:  # the fault stands in the place of the axis's value, and rules none out
                axes[axis], fault = list(AXES[axis]), joined(fault, observed)
    if way == DOUBLE and "double" not in axes["coefficients"]:
        way = None
    sure = sureness(fits, runs[FINGERPRINT, dtype], probes[FINGERPRINT], dtype)
    who = None if fault else dialect_of(axes, prefer)
    return Identification(in_order(axes), who, sure, fault, precision=way)


def numbers_of(run: Run, probe: Probe, dtype: str) -> Run:
    """Return a run's numbers alone: which Adam it is has nothing to do with inputs that were written to."""
    return replace(in_precision(run, probe, dtype), written=[], closure=[])


def with_freezes(fit: Adam) -> Iterator[Adam]:
    """Yield an Adam with every distinct choice of what absent gradients do."""
    for missing, clock, all_missing in product(*(AXES[axis] for axis in FREEZE)):
        if clock != "per-parameter" or all_missing == "tick":
            yield replace(fit, missing=missing, clock=clock, all_missing=all_missing)  # type: ignore[arg-type]


def prepare(claim: Adam, probes: Iterable[Probe], *, flushes: bool = False) -> None:
    """Fill the caches with what the identification of a candidate needs if it is as claimed.

    A check calls this while one of the candidate's processes starts, or while only the last one still runs.

    Args:
        claim: the Adam that is claimed.
        probes: the probes as the candidate sees them.
        flushes: whether the candidate flushes subnormals to zero.
    """
    named = {probe.name: probe for probe in probes}
    if FINGERPRINT in named:
        trajectories(named[FINGERPRINT], claim.cautious_decay)
    fit = replace(claim, coefficients="working")
    tried: list[tuple[Adam, Iterable[str], bool]] = [(claim, named, False), (fit, (FINGERPRINT,), flushes)]
    tried += [(adam, FREEZE_PROBES, flushes) for adam in with_freezes(fit)]
    tried += [
        (replace(fit, **{axis: value}), (name,), flushes)  # type: ignore[arg-type]
        for axis, name in ONE_PROBE.items()
        for value in AXES[axis]
    ]
    for adam, names, flushed in tried:
        for probe in (named[name] for name in names if name in named):
            if probe.applies_to(adam):
                exact(adam, probe)
                bounds(adam, probe, "float32", flushed)  # those of float64 come with them


def with_ratio(
    fit: Adam, runs: Mapping[RunKey, Run], probes: Mapping[str, Probe], dtype: str, flushes: bool
) -> Adam:
    """Return the fit with decay relative to lr_max, if that alone agrees where lr changes."""
    kind = next((k for k, plain in SAME_WITHOUT_CHANGES.items() if plain == fit.decay), None)
    if (
        kind is None
        or (LR_CHANGED, dtype) not in runs
        or agrees(fit, (LR_CHANGED,), runs, dtype, flushes, probes)
    ):
        return fit
    other = replace(fit, decay=kind)  # type: ignore[arg-type]
    return other if agrees(other, (LR_CHANGED,), runs, dtype, flushes, probes) else fit


def numeric_part(adam: Adam) -> tuple[object, ...]:
    return tuple(getattr(adam, axis) for axis in NUMERIC)


def narrowed_by_others(
    fits: list[Adam],
    runs: Mapping[RunKey, Run],
    probes: Mapping[str, Probe],
    dtype: str,
    flushes: bool,
) -> list[Adam]:
    """Return the fits that agree with every other probe that tells them apart.

    Several fit if a hyperparameter is fixed at a value at which the fingerprint does not tell them apart.  A
    probe with which none agrees shows something else, and is left out.
    """
    apart = {axis for axis in NUMERIC if len({getattr(a, axis) for a in fits}) > 1}
    for name, probe in probes.items():
        if len(fits) < 2 or name == FINGERPRINT or not apart & set(probe.tells) or probe.is_complex:
            continue
        agreeing = [a for a in fits if agrees(a, (name,), runs, dtype, flushes, probes)]
        fits = agreeing or fits
    return fits


def values_of(axis: str, adams: Iterable[Adam]) -> list[object]:
    """Return the values that these Adams have on an axis, in the order of AXES."""
    found = [getattr(a, axis) for a in adams]
    return [v for v in AXES[axis] if v in found]


def in_order(axes: AxisValues) -> AxisValues:
    return {axis: axes[axis] for axis in AXES}


def can_take(run: Run | None) -> bool:
    """True if a probe was run, and the candidate can take it."""
    return run is not None and not run.unsupported


def numeric_fits(run: Run, probe: Probe, dtype: str, flushes: bool) -> list[Adam]:
    """Return the combinations of the numeric axes under which the fingerprint's run passes."""
    if run.unsupported or run.error or len(run.params) != len(probe.steps):
        return []
    if any(np.size(step[0]) != 1 for step in run.params):
        return []
    got = np.array([float(np.ravel(step[0])[0]) for step in run.params])
    for cautious in (False, True)[: 1 + bool(largest_decay(probe))]:
        chosen, rows = trajectories(probe, cautious)
        with np.errstate(all="ignore"):
            distance = np.abs(rows - got).max(axis=1) / probe.hyper["lr"]
        near = [
            replace(Adam(), **chosen[k], coefficients="working") for k in np.flatnonzero(distance < CLOSE)
        ]
        fits = [a for a in near if judge(a, probe, dtype, run, flushes=flushes).status == "passed"]
        if fits:
            return fits
    return []


def sureness(fits: list[Adam], run: Run, probe: Probe, dtype: str) -> float:
    """Return how far the nearest combination that does not fit is from the run, in bounds."""
    chosen, rows = trajectories(probe, fits[0].cautious_decay)
    fits = [replace(a, decay=SAME_WITHOUT_CHANGES.get(a.decay, a.decay)) for a in fits]  # type: ignore[arg-type]
    limits = np.array([float(step[0][0].p[0]) for step in bounds(fits[0], probe, dtype).steps])
    got = np.array([float(np.ravel(step[0])[0]) for step in run.params])
    with np.errstate(all="ignore"):
        distance = np.nan_to_num((np.abs(rows - got) / limits).max(axis=1), nan=np.inf)
    same = np.array([any(all(getattr(a, k) == v for k, v in axes.items()) for a in fits) for axes in chosen])
    others = distance[~same]
    return float(others.min(initial=np.inf))


def fit_with_a_fault(
    runs: Mapping[RunKey, Run], probes: Mapping[str, Probe], dtype: str, flushes: bool
) -> Found:
    """Return dialects' axes and a fault that agree with the probes of WITH_A_FAULT that were run.

    The first fault that agrees with those of BETWEEN_FAULTS as well comes before the first of all.  All axes
    that agree with it are returned: with a constant eps, for one, no run shows where eps stands.
    """
    distinct = {Adam(**row.axes) for row in DIALECTS.values()}
    ran = {name for (name, its_dtype), run in runs.items() if its_dtype == dtype and not run.unsupported}
    needed, others = ([n for n in names if n in ran] for names in (WITH_A_FAULT, BETWEEN_FAULTS))
    got = {name: flat_run(runs[name, dtype]) for name in (*needed, *others)}

    first = replace(probes[FINGERPRINT], steps=probes[FINGERPRINT].steps[:1])

    def begins_near(claim: Adam, fault: Fault) -> bool:
        """Return whether the first step, which takes a fraction of the time, leaves the fault possible."""
        mine, model = got[FINGERPRINT], flat_model(claim, first, fault)
        return mine is not None and model is not None and distance_in_lr(mine[:1], model, first) <= CLOSE

    def near(claim: Adam, fault: Fault, name: str) -> bool:
        mine = got[name]
        model = flat_model(claim, probes[name], fault)
        return mine is not None and distance_in_lr(mine, model, probes[name]) <= CLOSE

    def proved(claim: Adam, fault: Fault, name: str) -> bool:
        return is_proved(claim, probes[name], dtype, runs[name, dtype], flushes=flushes, fault=fault)

    def agree(claim: Adam, fault: Fault, names: list[str]) -> bool:
        return all(near(claim, fault, n) for n in names) and all(proved(claim, fault, n) for n in names)

    def all_with(fault: Fault, claims: Iterable[Adam], names: list[str]) -> list[Adam]:
        return [c for c in claims if begins_near(c, fault) and agree(c, fault, names)]

    if LR_CHANGED not in needed:  # decay relative to lr_max is plain decay while lr does not change
        distinct = {a for a in distinct if a.decay not in RELATIVE}
    claims = list(dict.fromkeys(replace(a, coefficients="working") for a in sorted(distinct, key=unusual)))
    first_of_all: tuple[int, Fault] | None = None
    for place, claim in enumerate(followed(claims, "which Adam it is")):
        for fault in IN_ONE_ELEMENT:
            if begins_near(claim, fault) and agree(claim, fault, needed):
                if agree(claim, fault, others):
                    return all_with(fault, claims[place:], needed + others), fault.observed
                first_of_all = first_of_all or (place, fault)
    if first_of_all is None:
        return [], None
    place, fault = first_of_all
    return all_with(fault, claims[place:], needed), fault.observed


def unusual(adam: Adam) -> tuple[int, list[int]]:
    """Return on how many axes an Adam has another value than the first, and which; a key to sort by."""
    places = [values.index(getattr(adam, axis)) for axis, values in AXES.items()]
    return sum(map(bool, places)), places


def agrees(
    claim: Adam,
    names: tuple[str, ...],
    runs: Mapping[RunKey, Run],
    dtype: str,
    flushes: bool,
    probes: Mapping[str, Probe],
) -> bool:
    """Return whether none of these probes fails under the claim; one that is missing or undecided agrees."""
    for name in names:
        run = runs.get((name, dtype))
        if run is None or not probes[name].applies_to(claim):
            continue
        if judge(claim, probes[name], dtype, run, flushes=flushes).status == "failed":
            return False
    return True


def has_fault(
    claim: Adam,
    fault: Fault,
    names: tuple[str, ...],
    runs: Mapping[RunKey, Run],
    dtype: str,
    flushes: bool,
    probes: Mapping[str, Probe],
) -> bool:
    """Return whether the claim with a fault made these runs, one of which at least was made."""
    made = [n for n in names if (n, dtype) in runs and probes[n].applies_to(claim)]
    return bool(made) and all(
        distance_in_lr(got, flat_model(claim, probes[n], fault), probes[n]) <= CLOSE
        and is_proved(claim, probes[n], dtype, runs[n, dtype], flushes=flushes, fault=fault)
        for n in made
        if (got := flat_run(runs[n, dtype])) is not None
    )


def joined(first: str | None, second: str | None) -> str | None:
    """Return two texts as one."""
    return "; ".join(filter(None, (first, second))) or None


def dialect_of(axes: AxisValues, prefer: str | None) -> str | None:
    """Return a dialect whose value is allowed on every axis, or None."""
    names = [
        name
        for name, adam in sorted(named_claims().items(), key=lambda item: item[0].count("="))
        if all(getattr(adam, axis) in axes[axis] for axis in AXES)
    ]
    return prefer if prefer in names else (names[0] if names else None)
