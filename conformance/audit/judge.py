"""The judgement of a recording: make probes of it, judge them, and find out what is wrong.

The exact answer of a step starts from the recorded parameters before that step, and from the exact moments
of all gradients up to it.  So rounding errors of the parameters do not accumulate, and a change of the
parameters between two steps does not count as a fault of the optimizer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adamcore import AXES
from adamcore.conformance.audit.recording import ParamGroup, load, tensor_values
from adamcore.conformance.audit.sample import sample_elements
from adamcore.conformance.checking.explain import explain
from adamcore.conformance.claims import Claim, claim_of_dialect
from adamcore.conformance.dtypes import ulp_of
from adamcore.conformance.report.report import Entry, Report, environment
from adamcore.conformance.types import Evidence, Finding, FloatArray, Probe, Result, Run, Step
from adamcore.conformance.verdict.identify import FINGERPRINT
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.match import CLOSE

STEPS = 400  #: steps of a recording that are judged; the bounds of later ones would take too long
FINGERPRINT_STEPS = 12  #: steps that identify the Adam


@dataclass(frozen=True)
class Part:
    """The parameters of one group in one dtype, as a probe and a run."""

    names: list[str]
    dtype: str
    probe: Probe
    run: Run


def audit(path: str | Path, dialect: str | None = None) -> Report:
    """Judge each parameter group of a recording against its claim and return the report.

    Args:
        path: the file.
        dialect: the claim.  Without it the claim is the dialect in the recording, else Algorithm 1.

    Raises:
        RecordingError: the file is damaged, cut off or no recording.
        DialectError: no such dialect.
    """
    groups = load(Path(path))
    entries = []
    for k, group in enumerate(groups):
        name = str(path) if len(groups) == 1 else f"{path}, group {k}"
        claim = claim_of_dialect(dialect or group.dialect or "paper", group.settings)
        entries.append(group_entry(name, claim, group))
    return Report(entries, environment())


def group_entry(target: str, claim: Claim, group: ParamGroup) -> Entry:
    """Return the entry of one group."""
    entry = Entry(target, claim.name, {axis: list(values) for axis, values in AXES.items()})
    entry.kind = "recording"
    probes: dict[str, Probe] = {}
    runs: dict[tuple[str, str], Run] = {}
    places: dict[str, Mapping[int, tuple[str, FloatArray, tuple[int, ...]]]] = {}
    judged = total = decided = 0
    for k, part in enumerate(parts_of(group)):
        chosen = sample_elements(claim.adam, part.probe, part.run)
        probe, run = sample_part(part, chosen)
        probe = dataclasses.replace(probe, name=f"STEP.1/recording{f'-{k}' if k else ''}")
        probes[probe.name], runs[probe.name, part.dtype] = probe, run
        places[probe.name] = {i: (n, chosen[i], part.probe.params[i].shape) for i, n in enumerate(part.names)}
        result = judge(claim.adam, probe, part.dtype, run)
        entry.results.append(result)
        total += sum(p.size for p in part.probe.params)
        judged += sum(len(c) for c in chosen)
        decided += sum(len(c) for c in chosen) * len(probe.steps) - result.undecided
        telling = fingerprint(part)
        if telling is not None and FINGERPRINT not in probes:
            probes[FINGERPRINT], runs[FINGERPRINT, part.dtype] = telling
    explain(entry, claim.adam, probes, runs, flushes=False)
    entry.findings = [replace_evidence(f, name_element(f.evidence, places)) for f in entry.findings]
    entry.reason = coverage_text(group, judged, total, entry.results)
    if any(r.status == "failed" for r in entry.results):
        entry.verdict = "deviates"
    elif decided <= 0:
        entry.verdict = "unavailable"
        entry.reason = f"nothing in it can be decided: {entry.reason}"
    return entry


def parts_of(group: ParamGroup) -> list[Part]:
    """Return a probe for each dtype among the parameters, with their names in the order of the file."""
    by_dtype: dict[str, list[str]] = {}
    for name, track in group.params.items():
        by_dtype.setdefault(track[0].after.dtype, []).append(name)
    count = min(STEPS, len(group.lr))
    hyper = {"weight_decay": 0.0, **group.hyper, "lr": max(group.lr[:count])}
    parts = []
    for dtype, names in by_dtype.items():
        tracks = [group.params[n] for n in names]
        steps = tuple(
            Step(
                tuple(None if (g := t[s].grad) is None else tensor_values(g).astype(float) for t in tracks),
                lr=group.lr[s],
                before=tuple(tensor_values(t[s].before).astype(float) for t in tracks),
            )
            for s in range(count)
        )
        start = tuple(tensor_values(t[0].before).astype(float) for t in tracks)
        probe = Probe("STEP.1/recording", "a step of the recorded run", start, steps, hyper)
        run = Run([[tensor_values(t[s].after) for t in tracks] for s in range(count)])
        parts.append(Part(names, dtype, probe, run))
    return parts


def sample_part(part: Part, chosen: list[FloatArray]) -> tuple[Probe, Run]:
    """Return the probe and the run with the chosen elements; with all of them, arrays keep their shapes."""
    if all(len(c) == p.size for c, p in zip(chosen, part.probe.params, strict=True)):
        return part.probe, part.run

    def take(arrays: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        return tuple(np.ravel(x)[c] for x, c in zip(arrays, chosen, strict=True))

    def present(grads: Sequence[FloatArray | None]) -> tuple[FloatArray | None, ...]:
        return tuple(None if g is None else np.ravel(g)[c] for g, c in zip(grads, chosen, strict=True))

    steps = tuple(
        dataclasses.replace(s, grads=present(s.grads), before=take(s.before or ())) for s in part.probe.steps
    )
    probe = dataclasses.replace(part.probe, params=take(part.probe.params), steps=steps)
    return probe, Run([list(take(got)) for got in part.run.params])


def fingerprint(part: Part) -> tuple[Probe, Run] | None:
    """Return the first steps of one element, which identify the Adam, or None if no element is suitable.

    It is the largest element that is exact enough, because decay is largest there.  None is suitable in
    bfloat16 and float16, under a schedule, with absent gradients, if the parameters were changed between
    steps, or if lr is smaller than the parameter's resolution.
    """
    steps, lr = part.probe.steps[:FINGERPRINT_STEPS], part.probe.hyper["lr"]
    if part.dtype not in ("float32", "float64") or any(s.lr != lr for s in steps):
        return None
    best: tuple[float, int, int] | None = None
    for i, start in enumerate(part.probe.params):
        grads = [s.grads[i] for s in steps]
        if any(g is None for g in grads) or not start.size:
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
    one = tuple(Step((np.asarray(np.ravel(s.grads[i])[k]),)) for s in steps)  # type: ignore[arg-type]
    params = (np.asarray(np.ravel(part.probe.params[i])[k]),)
    probe = dataclasses.replace(part.probe, name=FINGERPRINT, params=params, steps=one)
    return probe, Run([[np.asarray(np.ravel(got[i])[k])] for got in part.run.params[: len(steps)]])


def name_element(
    evidence: Evidence | None, places: Mapping[str, Mapping[int, tuple[str, FloatArray, tuple[int, ...]]]]
) -> Evidence | None:
    """Return the evidence with the recording's name of its element: "encoder.weight[3, 0]"."""
    if evidence is None or evidence.probe not in places:
        return evidence
    number, _, inside = evidence.element.partition("[")
    name, chosen, shape = places[evidence.probe][int(number)]
    index = [int(k) for k in inside.rstrip("]").split(",") if k.strip()]
    if len(chosen) != int(np.prod(shape)) or (index and len(index) != len(shape)):
        index = [int(k) for k in np.unravel_index(chosen[index[0] if index else 0], shape)]
    return dataclasses.replace(evidence, element=f"{name}[{', '.join(map(str, index))}]")


def replace_evidence(finding: Finding, evidence: Evidence | None) -> Finding:
    """Return the finding with this evidence, and with its element's name in the text."""
    observed = finding.observed
    if evidence is not None and finding.evidence is not None:
        observed = observed.replace(f"parameter {finding.evidence.element} ", f"{evidence.element} ")
    return dataclasses.replace(finding, evidence=evidence, observed=observed)


def coverage_text(group: ParamGroup, judged: int, total: int, results: list[Result]) -> str:
    """Return how much of the group was judged, in words."""
    steps = min(STEPS, len(group.lr))
    text = f"{steps} steps" if steps == len(group.lr) else f"the first {steps} of {len(group.lr)} steps"
    text += f", {total} elements" if judged == total else f", {judged} of {total} elements"
    undecided = sum(r.undecided for r in results)
    return text + (f"; the bound is too wide to decide {undecided} values" if undecided else "")
