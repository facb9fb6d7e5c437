"""What a candidate does not claim to serve, and is not held to: complex parameters, absent gradients.

An Adam that was written for real numbers, and for gradients that are all there, says nothing about others.
What it does with them is a note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adamcore import AXES, Adam
from adamcore.conformance.candidates import CandidateInfo
from adamcore.conformance.checking.runs import judge_run
from adamcore.conformance.types import Finding, Probe, Result, Run

Runs = Mapping[tuple[str, str], Run]  #: by the name of the probe and the dtype


def complex_probes(
    info: CandidateInfo, claim: Adam, results: Sequence[Result], runs: Runs, probes: Mapping[str, Probe]
) -> frozenset[str]:
    """Return the probes of complex parameters if a candidate is written for real numbers alone.

    It is unless it claims complex parameters, or has an answer for them that some Adam gives.

    Args:
        info: what the candidate claims.
        claim: the claim that the results were judged against.
        results, runs: of the probes.
        probes: as the candidate saw them, by name.
    """
    of_complex = {name: p for name, p in probes.items() if p.is_complex}
    failed = [r for r in results if r.status == "failed" and r.probe in of_complex]
    if info.claims_complex or not failed:
        return frozenset()
    for value in AXES["complex"]:
        other = replace(claim, complex=value)  # type: ignore[arg-type]
        judged = (
            judge_run(other, of_complex[r.probe], r.dtype, runs[r.probe, r.dtype], flushes=info.flushes)
            for r in failed
        )
        if all(r.status == "passed" for r in judged):
            return frozenset()
    return frozenset(of_complex)


def absence_probes(info: CandidateInfo, runs: Runs, probes: Mapping[str, Probe]) -> frozenset[str]:
    """Return the probes with absent gradients if a candidate is written for gradients that are all there.

    It is unless it claims absent ones, or makes a step without one.

    Args:
        info, runs, probes: as for :func:`complex_probes`.
    """
    lacking = {name: absent for name, p in probes.items() if (absent := steps_with_absence(p))}
    if info.claims_absent:
        return frozenset()
    made = [(run, name) for (name, _), run in runs.items() if name in lacking and not run.unsupported]
    raised = [run.error is not None and len(run.params) in lacking[name] for run, name in made]
    return frozenset(lacking) if raised and all(raised) else frozenset()


def steps_with_absence(probe: Probe) -> list[int]:
    """Return the numbers of the steps in which a gradient is absent, from 0 on."""
    return [k for k, step in enumerate(probe.steps) if any(g is None for g in step.grads)]


def notes(failures: Sequence[Result], probes: Mapping[str, Probe], others: bool) -> list[Finding]:
    """Return a note on complex parameters and one on absent gradients, if they are among these failures.

    Args:
        failures: of what is not claimed.
        probes: by name.
        others: True if what is claimed is not stepped as claimed either.
    """
    of_complex = [r for r in failures if probes[r.probe].is_complex]
    of_absence = [r for r in failures if r not in of_complex]
    found = []
    if of_complex:
        asked = (
            "real parameters; complex ones too if the candidate claims them (its attribute complex = True)"
        )
        why = "not judged, as they are not claimed" if others else "written for real parameters"
        said = f"{why}: of a complex one, {of_complex[0].reason}"
        found.append(Finding("complex", "CPX.1", asked, said, "note", of_complex[0].evidence))
    if of_absence:
        asked = "gradients; absent ones too if the candidate claims them (its attribute absent = True)"
        why = "not judged, as they are not claimed" if others else "written for gradients that are all there"
        said = f"{why}: without one, it {of_absence[0].reason}"
        found.append(Finding("missing", "F1", asked, said, "note", of_absence[0].evidence))
    return found
