"""From judged results to findings and an identification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from adamcore import AXES, Adam
from adamcore.conformance.checking.unclaimed import notes
from adamcore.conformance.claims import claim_from
from adamcore.conformance.probes.factors import Factor
from adamcore.conformance.report.report import Entry
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import Finding, Probe, Result, Run

if TYPE_CHECKING:
    from adamcore.conformance.verdict.identify import Identification
    from adamcore.conformance.verdict.meetings import Meeting

SEVERAL = ("STATE.4/uninterrupted", "STEP.1/unscaled", "MOM.1/common", "EPS.1/small", "LR.1/all-bits")
"""Probes of several elements: ordinary ones, and those of an ordinary eps and of an lr with all its bits."""


WITH_OTHERS = Factor("several arrays", "layout", "STEP.1", lambda probe: probe.of([0]))


def explain(
    entry: Entry,
    claim: Adam,
    probes: Mapping[str, Probe],
    runs: Mapping[tuple[str, str], Run],
    *,
    flushes: bool,
    unclaimed: frozenset[str] = frozenset(),
    measured: Finding | None = None,
    is_measured: bool = False,
    meeting: Meeting | None = None,
) -> None:
    """Set the findings and the identification of ``entry``.

    A backend of adamcore is not identified, and it is diagnosed only if it fails.

    Args:
        entry: changed in place.
        claim: the Adam that the results were judged against.
        probes: the probes as the candidate saw them, by name.
        runs: the runs by probe name and dtype.
        flushes: True if the candidate flushes subnormal numbers to zero.
        unclaimed: probes of what the candidate does not claim to serve; what it does in them is a note.
        measured: the first part that is not as claimed, if the parts were measured.
        is_measured: True if they were.
        meeting: what has to meet for a probe to fail, if it was found.
    """
    from adamcore.conformance.verdict.diagnose import diagnose
    from adamcore.conformance.verdict.identify import FINGERPRINT, identify

    own = entry.kind == "own backend"
    results = [r for r in entry.results if r.probe not in unclaimed]
    narrow, results = [r for r in results if r.dtype in NARROW], [r for r in results if r.dtype not in NARROW]
    if narrow:
        from adamcore.conformance.verdict.narrow import narrow_findings

        entry.findings = narrow_findings(claim, runs, narrow, probes, flushes)
        if not results:
            entry.axes = {axis: list(values) for axis, values in AXES.items()}
            return
    in_narrow = list(entry.findings)
    results = designed_first(results, probes)
    runs = {key: run for key, run in runs.items() if key[0] not in unclaimed and key[1] not in NARROW}
    identification = None
    if FINGERPRINT in probes and not own:
        identification = identify(runs, flushes=flushes, probes=probes, prefer=entry.claimed)
    if not own or any(result.status == "failed" for result in results):
        entry.findings = diagnose(
            claim,
            runs,
            results,
            flushes=flushes,
            probes=probes,
            identification=identification,
            measured=measured,
            is_measured=is_measured,
            meeting=meeting,
        )
        entry.findings = [*entry.findings, *in_narrow]
    if failures := [r for r in entry.results if r.probe in unclaimed and r.status == "failed"]:
        others = any(r.status == "failed" for r in entry.results if r.probe not in unclaimed)
        entry.findings += notes(failures, probes, others)
    if own:
        return
    entry.axes = {axis: list(values) for axis, values in AXES.items()}
    if identification is not None:
        entry.identified, entry.sureness = identification.dialect, identification.sureness
        entry.fault, entry.precision = identification.fault, identification.precision
        entry.axes = {axis: list(values) for axis, values in identification.axes.items()}
        otherwise = beyond_one_element(identification, probes, runs, claim, measured, flushes=flushes)
        if otherwise is not None:
            like = f"like {entry.identified}" if entry.identified else "like Adam"
            entry.identified = None
            entry.fault = f"{like} in one element, but {otherwise}"


def designed_first(results: Sequence[Result], probes: Mapping[str, Probe]) -> list[Result]:
    """Return the results without those of probes that come last, if another one failed that must pass."""
    designed = [r for r in results if not probes[r.probe].comes_last]
    failed = any(r.status == "failed" and probes[r.probe].level == "must" for r in designed)
    return designed if failed else list(results)


def beyond_one_element(
    identification: Identification,
    probes: Mapping[str, Probe],
    runs: Mapping[tuple[str, str], Run],
    claimed: Adam,
    measured: Finding | None,
    *,
    flushes: bool,
) -> str | None:
    """Return what a candidate does in ordinary runs of several elements; None if it is what was identified.

    The fingerprint has one element.  A second moment of the whole array, for one, is the same in it.  What
    was measured counts if the claim is what was identified.
    """
    from adamcore.conformance.verdict.diagnose import diagnose
    from adamcore.conformance.verdict.identify import NUMERIC, numbers_of
    from adamcore.conformance.verdict.judge import judge
    from adamcore.conformance.verdict.meetings import Meeting

    if identification.fault or any(not identification.axes[axis] for axis in NUMERIC):
        return None
    chosen = {axis: values[0] for axis, values in identification.axes.items() if values}
    claim = claim_from(chosen | {"coefficients": "working"})
    few = {
        (name, dtype): numbers_of(run, probes[name], dtype)
        for (name, dtype), run in runs.items()
        if name in SEVERAL and name in probes
    }
    results = [judge(claim, probes[name], dtype, run, flushes=flushes) for (name, dtype), run in few.items()]
    failed = [r for r in results if r.status == "failed"]
    if not failed:
        return None
    ordinary = {name: probes[name] for name, _ in few}
    together = all(WITH_OTHERS.is_in(ordinary[r.probe]) for r in failed)
    if replace(claimed, coefficients="working") != claim:
        measured = None
    found = diagnose(
        claim,
        few,
        results,
        flushes=flushes,
        probes=ordinary,
        identification=identification,
        measured=measured,
        is_measured=measured is not None,
        meeting=Meeting((WITH_OTHERS,), failed[0], ordinary[failed[0].probe]) if together else None,
    )
    return next((f.observed for f in found if f.level == "error"), None)
