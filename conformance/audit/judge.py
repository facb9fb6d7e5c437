"""The judgement of a recording: make probes of it, judge them, and find out what is wrong.

The exact answer of a step starts from the recorded parameters before that step, and from the exact moments
of all gradients up to it.  So rounding errors of the parameters do not accumulate, and a change of the
parameters between two steps does not count as a fault of the optimizer.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from adamcore import AXES
from adamcore.conformance.audit.arrays import COMPLEX, tensor_values
from adamcore.conformance.audit.log import Settings, State
from adamcore.conformance.audit.recording import ParamGroup, StepRecord, load
from adamcore.conformance.audit.sample import sample_elements
from adamcore.conformance.checking.explain import explain
from adamcore.conformance.claims import Claim, axes_of, claim_from, claim_of_dialect
from adamcore.conformance.dtypes import ulp_of
from adamcore.conformance.report.report import Entry, Report, environment
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Evidence, Finding, FloatArray, Probe, Result, Run, Start, Step
from adamcore.conformance.verdict.identify import FINGERPRINT
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.match import CLOSE
from adamcore.dialects import DIALECTS

STEPS = 400  #: steps of a recording that are judged; the bounds of later ones would take too long
Places = dict[str, Mapping[int, tuple[str, FloatArray, tuple[int, ...]]]]
"""By probe and number of a parameter: its name, its elements that are judged, and its shape."""
FINGERPRINT_STEPS = 12  #: steps that identify the Adam


@dataclass(frozen=True)
class Part:
    """The parameters of one group in one dtype, as a probe and a run."""

    names: list[str]
    dtype: str
    probe: Probe
    run: Run
    absences: list[int]  #: for each, in how many steps it was not in the optimizer, where nothing is judged


def audit(path: str | Path, dialect: str | None = None) -> Report:
    """Judge each parameter group of a recording against its claim and return the report.

    Args:
        path: the file.
        dialect: the claim.  Without it the claim is the dialect in the recording, else Algorithm 1.

    Raises:
        RecordingError: the file is damaged, cut off or no recording.
        DialectError: no such dialect.
    """
    recording = load(Path(path))
    entries = []
    for k, group in enumerate(recording.groups):
        name = str(path) if len(recording.groups) == 1 else f"{path}, group {k}"
        entry = group_entry(name, group, dialect)
        if recording.faults:
            entry.reason += f"; the recorder's own faults: {'; '.join(recording.faults)}"
        entries.append(entry)
    return Report(entries, environment())


def claim_for_settings(settings: Settings, dialect: str | None = None) -> Claim:
    """Return what a group claims in one step: ``dialect``, else what the recorder noted, else the paper.

    Raises:
        DialectError: no such dialect.
    """
    if settings.axes is not None and dialect is None:
        adam = claim_from(dict(settings.axes))
        rows = [settings.dialect, *DIALECTS]
        same = [n for n in rows if n and claim_of_dialect(n, settings.options).adam == adam]
        if same:
            claim = claim_of_dialect(same[0], settings.options)
        else:
            base = claim_of_dialect(settings.dialect or "paper").adam
            other = {a: v for a, v in axes_of(adam).items() if getattr(base, a) != v}
            written = ", ".join(f"{axis}={value}" for axis, value in other.items())
            claim = Claim(f"{settings.dialect or 'paper'}({written})", adam)
    else:
        claim = claim_of_dialect(dialect or settings.dialect or "paper", settings.options)
    dtypes: dict[str, Any] = dict(settings.storage)
    adam = dataclasses.replace(claim.adam, **dtypes)
    if settings.options.get("capturable") == "True" and adam.coefficients == "double":
        adam = dataclasses.replace(adam, coefficients="working")  # PyTorch forms them in float32 then
    return dataclasses.replace(claim, adam=adam)


def group_entry(target: str, group: ParamGroup, dialect: str | None = None) -> Entry:
    """Return the entry of one group."""
    first = next(
        s for s in range(len(group.settings)) if any(t[s] is not None for t in group.params.values())
    )
    claim = claim_for_settings(group.settings[first], dialect)
    entry = Entry(target, claim.name, {axis: list(values) for axis, values in AXES.items()})
    entry.kind = "recording"
    probes: dict[str, Probe] = {}
    runs: dict[tuple[str, str], Run] = {}
    places: Places = {}
    judged = total = decided = 0
    for k, part in enumerate(parts_of(group, first, dialect)):
        chosen = sample_elements(claim.adam, part.probe, part.run)
        probe, run = sample_part(part, chosen)
        probe = dataclasses.replace(probe, name=f"STEP.1/recording{f'-{k}' if k else ''}")
        probes[probe.name], runs[probe.name, part.dtype] = probe, run
        places[probe.name] = {i: (n, chosen[i], part.probe.params[i].shape) for i, n in enumerate(part.names)}
        result = judge(claim.adam, probe, part.dtype, run)
        entry.results.append(result)
        total += sum(p.size for p in part.probe.params)
        judged += sum(len(c) for c in chosen)
        there = [len(probe.steps) - missed for missed in part.absences]
        decided += sum(len(c) * n for c, n in zip(chosen, there, strict=True)) - result.undecided
        telling = fingerprint(part)
        if telling is not None and FINGERPRINT not in probes:
            probes[FINGERPRINT], runs[FINGERPRINT, part.dtype] = telling
    explain(entry, claim.adam, probes, runs, flushes=False)
    entry.findings = [name_places(f, places, first) for f in entry.findings]
    if first:
        entry.results = [later(result, first) for result in entry.results]
    entry.reason = coverage_text(group, first, judged, total, decided, entry.results)
    if any(r.status == "failed" for r in entry.results):
        entry.verdict = "deviates"
    elif decided <= 0:
        entry.verdict = "unavailable"
        entry.reason = f"nothing in it can be decided: {entry.reason}"
    return entry


def parts_of(group: ParamGroup, first: int, dialect: str | None = None) -> list[Part]:
    """Return a probe for each dtype among the parameters, from the step on that is given."""
    by_dtype: dict[str, list[str]] = {}
    for name, track in group.params.items():
        dtype = next(x.after.dtype for x in track if x is not None)
        by_dtype.setdefault(COMPLEX.get(dtype, dtype), []).append(name)
    settings = group.settings[first : first + STEPS]
    hyper = {"weight_decay": 0.0, **settings[0].hyper, "lr": max(s.hyper["lr"] for s in settings)}
    changes = changes_of(settings, dialect)
    parts = []
    for dtype, names in by_dtype.items():
        tracks = [Track(group.params[n][first : first + STEPS]) for n in names]
        steps = tuple(
            Step(
                tuple(t.grads[s] for t in tracks),
                lr=now.hyper["lr"],
                present=tuple(t.masks[s] for t in tracks) if any(t.is_masked(s) for t in tracks) else None,
                before=tuple(t.before[s].astype(t.wide) for t in tracks),
                changes=changes[s],
                frozen=tuple(t.frozen[s] for t in tracks) if any(t.frozen[s] for t in tracks) else None,
                states=tuple(t.states[s] for t in tracks) if any(t.states[s] for t in tracks) else None,
            )
            for s, now in enumerate(settings)
        )
        start = tuple(t.before[0].astype(t.wide) for t in tracks)
        probe = Probe("STEP.1/recording", SAYS["STEP.1"], start, steps, hyper)
        run = Run([[t.after[s] for t in tracks] for s in range(len(settings))])
        parts.append(Part(names, dtype, probe, run, [t.absences for t in tracks]))
    return parts


def changes_of(settings: Sequence[Settings], dialect: str | None) -> list[dict[str, object] | None]:
    """Return for each step the hyperparameters and axes that are others than before; lr is kept apart."""
    found: list[dict[str, object] | None] = [None]
    for old, new in pairwise(settings):
        if new is old:
            found.append(None)
            continue
        change: dict[str, object] = {
            n: v for n, v in new.hyper.items() if n != "lr" and old.hyper.get(n) != v
        }
        if (new.options, new.axes) != (old.options, old.axes):
            was, now = (axes_of(claim_for_settings(s, dialect).adam) for s in (old, new))
            change |= {axis: value for axis, value in now.items() if was[axis] != value}
        found.append(change or None)
    return found


class Track:
    """The steps of one parameter, as values; where it was not in the optimizer, it stands still."""

    def __init__(self, records: Sequence[StepRecord | None]) -> None:
        there = next(r for r in records if r is not None)
        last = tensor_values(there.before)
        self.wide = complex if there.after.dtype in COMPLEX else float
        self.absences = sum(r is None for r in records)
        self.before: list[FloatArray] = []
        self.after: list[FloatArray] = []
        self.grads: list[FloatArray | None] = []
        self.masks: list[bool | FloatArray] = []
        self.frozen: list[bool] = []
        self.states: list[Start | None] = []
        for r in records:
            self.before.append(last if r is None else tensor_values(r.before))
            last = last if r is None else tensor_values(r.after)
            self.after.append(last)
            grad = None if r is None or r.grad is None else tensor_values(r.grad).astype(self.wide)
            self.grads.append(grad)
            self.masks.append(True if r is None or r.mask is None else tensor_values(r.mask))
            self.frozen.append(r is None or r.frozen)
            self.states.append(None if r is None or r.state is None else self.start(r.state, r.before.shape))

    def is_masked(self, s: int) -> bool:
        return not isinstance(self.masks[s], bool)

    def start(self, state: State, shape: tuple[int, ...]) -> Start:
        """Return a state that was found, zeros where it has no array."""
        zero = np.zeros(shape)
        arrays = {name: tensor_values(x) for name, x in state.arrays.items()}
        m, v, v_max = (arrays.get(name, zero) for name in ("m", "v", "v_max"))
        m, v, v_max = (x.astype(complex if np.iscomplexobj(x) else float) for x in (m, v, v_max))
        return Start(state.t, m.astype(self.wide), v, v_max, state.mu_product)


def sample_part(part: Part, chosen: list[FloatArray]) -> tuple[Probe, Run]:
    """Return the probe and the run with the chosen elements; with all of them, arrays keep their shapes."""
    if all(len(c) == p.size for c, p in zip(chosen, part.probe.params, strict=True)):
        return part.probe, part.run

    def take(arrays: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        return tuple(np.ravel(x)[c] for x, c in zip(arrays, chosen, strict=True))

    def some(arrays: Sequence[Any]) -> tuple[Any, ...]:
        """What is None or a flag stays so."""
        return tuple(
            x if x is None or (np.ndim(x) == 0 and isinstance(x, bool)) else np.ravel(x)[c]
            for x, c in zip(arrays, chosen, strict=True)
        )

    def states(given: Sequence[Start | None]) -> tuple[Start | None, ...]:
        return tuple(
            s and dataclasses.replace(s, m=np.ravel(s.m)[c], v=np.ravel(s.v)[c], v_max=np.ravel(s.v_max)[c])
            for s, c in zip(given, chosen, strict=True)
        )

    steps = tuple(
        dataclasses.replace(
            s, grads=some(s.grads), before=take(s.before or ()),
            present=None if s.present is None else some(s.present),
            states=None if s.states is None else states(s.states),
        )
        for s in part.probe.steps
    )  # fmt: skip
    probe = dataclasses.replace(part.probe, params=take(part.probe.params), steps=steps)
    return probe, Run([list(take(got)) for got in part.run.params])


def later(result: Result, first: int) -> Result:
    """Return a result with its steps counted from the beginning of the recording."""
    evidence = result.evidence and dataclasses.replace(result.evidence, step=result.evidence.step + first)
    return dataclasses.replace(result, evidence=evidence, reason=later_text(result.reason, first))


def later_text(text: str, first: int) -> str:
    return re.sub(r"(?<=in step )\d+", lambda found: str(int(found[0]) + first), text)


def fingerprint(part: Part) -> tuple[Probe, Run] | None:
    """Return the first steps of one element, which identify the Adam, or None if no element is suitable.

    It is the largest element that is exact enough, because decay is largest there.  None is suitable in
    bfloat16 and float16, with absent gradients, if the parameters or their states were changed between
    steps, or if lr is smaller than the parameter's resolution.
    """
    steps, lr = part.probe.steps[:FINGERPRINT_STEPS], part.probe.hyper["lr"]
    if part.dtype not in ("float32", "float64") or any(s.present is not None for s in steps):
        return None
    best: tuple[float, int, int] | None = None
    for i, start in enumerate(part.probe.params):
        grads = [s.grads[i] for s in steps]
        if any(g is None for g in grads) or not start.size or np.iscomplexobj(start):
            continue
        if any(s.frozen and s.frozen[i] for s in steps) or any(s.states and s.states[i] for s in steps[1:]):
            continue
        after = [start, *(got[i] for got in part.run.params)]
        if any(not np.array_equal(s.before[i], a) for s, a in zip(steps, after, strict=False) if s.before):
            continue
        size = np.ravel(np.max([np.abs(x) for x in after[: len(steps) + 1]], axis=0)).astype(float)
        exact = len(steps) * ulp_of(size, part.dtype) <= 0.5 * CLOSE * lr
        live = np.ravel(np.all([g != 0 for g in grads], axis=0))
        size = np.where(live & exact & np.isfinite(size), size, -1.0)
        k = int(np.argmax(size))
        if size[k] >= 0 and (best is None or size[k] > best[0]):
            best = float(size[k]), i, k
    if best is None:
        return None
    _, i, k = best

    def one(x: Any) -> FloatArray:
        return np.asarray(np.ravel(x)[k])

    first = steps[0].states[i] if steps[0].states else None
    probe = dataclasses.replace(
        part.probe,
        name=FINGERPRINT,
        params=(one(part.probe.params[i]),),
        steps=tuple(Step((one(s.grads[i]),), lr=s.lr, changes=s.changes) for s in steps),
        start=(dataclasses.replace(first, m=one(first.m), v=one(first.v), v_max=one(first.v_max)),)
        if first
        else (),
    )
    return probe, Run([[np.asarray(np.ravel(got[i])[k])] for got in part.run.params[: len(steps)]])


def name_element(evidence: Evidence | None, places: Places) -> Evidence | None:
    """Return the evidence with the recording's name of its element: "encoder.weight[3, 0]"."""
    if evidence is None or evidence.probe not in places:
        return evidence
    number, index = evidence.place
    name, chosen, shape = places[evidence.probe][number]
    if len(chosen) != int(np.prod(shape)) or (index and len(index) != len(shape)):
        index = tuple(int(k) for k in np.unravel_index(chosen[index[0] if index else 0], shape))
    where = ", ".join(map(str, index))
    return dataclasses.replace(evidence, element=f"{name}[{where}]" if where else name)


def name_places(finding: Finding, places: Places, first: int) -> Finding:
    """Return the finding, and what is folded under it, with the recording's names and steps."""
    folded = [name_places(each, places, first) for each in finding.folded]
    named = replace_evidence(finding, name_element(finding.evidence, places), first)
    return dataclasses.replace(named, folded=folded)


def replace_evidence(finding: Finding, evidence: Evidence | None, first: int = 0) -> Finding:
    """Return the finding with this evidence, and with its element's name and its step in the text."""
    observed = later_text(finding.observed, first)
    if evidence is not None and finding.evidence is not None:
        observed = observed.replace(f"parameter {finding.evidence.element} ", f"{evidence.element} ")
    if evidence is not None:
        evidence = dataclasses.replace(evidence, step=evidence.step + first)
    return dataclasses.replace(finding, evidence=evidence, observed=observed)


def coverage_text(
    group: ParamGroup, first: int, judged: int, total: int, decided: int, results: list[Result]
) -> str:
    """Return how much of the group was judged, in words."""
    there = len(group.settings) - first
    steps = min(STEPS, there)
    text = f"{steps} steps" if steps == there else f"the first {steps} of {there} steps"
    text += f" from step {first + 1} on" if first else ""
    text += f", {total} elements" if judged == total else f", {judged} of {total} elements"
    undecided = sum(r.undecided for r in results)
    values = f"{undecided} of {undecided + decided} values"
    text += f"; the bound is too wide to decide {values}" if undecided else ""
    text += f"; not judged further: {group.end}" if group.end else ""
    note = group.settings[first].note
    return text + (f"; {note}" if note else "")
