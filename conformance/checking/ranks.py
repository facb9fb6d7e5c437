"""Whether a candidate that fails on several processes passes on one: then its fault is how it is sharded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from adamcore.conformance.candidates.sharded.layouts import cuts_of, mesh_shape, place_of
from adamcore.conformance.checking.runs import judge_run
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.report.report import Entry
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Result, Run, RunKey
from adamcore.conformance.verdict.judge import CLOCKS
from adamcore.conformance.workers.pool import Event, RunEvent, WorkerJob

MOST = 12  #: failed probes that are run on one process


def blame_ranks(subject: ThirdParty, entry: Entry, run: Callable[[WorkerJob], Iterable[Event]]) -> None:
    """Put a finding of the area "sharding" above those of failures that one process does not have.

    Args:
        subject: the candidate, which runs on several processes.
        entry: its entry, changed in place.
        run: runs a job and yields its events.
    """
    must = {probe.name for probe in subject.probes if probe.level == "must"}
    failed = [r for r in entry.results if r.status == "failed" and r.probe in must]
    alone = passed_alone(subject, failed[:MOST], run)
    if not alone or len(alone) < len(failed[:MOST]):
        return
    errors = [found for found in entry.findings if found.level == "error"]
    found = finding(subject, failed, errors, places(subject, alone))
    entry.findings = [found, *(f for f in entry.findings if f.level != "error")]


def passed_alone(
    subject: ThirdParty, failed: Sequence[Result], run: Callable[[WorkerJob], Iterable[Event]]
) -> dict[RunKey, Run]:
    """Return the runs on one rank of those failed probes that the candidate passes there."""
    assert subject.claim is not None
    assert subject.info is not None
    found: dict[RunKey, Run] = {}
    for dtype in dict.fromkeys(r.dtype for r in failed):
        names = [r.probe for r in failed if r.dtype == dtype]
        probes = [probe for probe in subject.probes if probe.name in names]
        for event in run(subject.job_of(dtype, probes, None)):
            if isinstance(event, RunEvent):
                probe = subject.effective_probe(probes[event.task])
                flushes = subject.info.flushes
                result = judge_run(subject.claim.adam, probe, dtype, event.run, flushes=flushes)
                if result.status in ("passed", "undecided"):
                    found[probe.name, dtype] = event.run
    return found


def places(subject: ThirdParty, alone: Mapping[RunKey, Run]) -> str:
    """Return on which ranks alone the parameters differ from those of the runs on one rank; "" if on all."""
    assert subject.ranks is not None
    mesh = mesh_shape(subject.ranks.layout, subject.ranks.processes)
    at_fault, there = set[int](), set[int]()
    probes = {probe.name: probe for probe in subject.probes}
    for key, other in alone.items():
        run = subject.runs.get(key)
        if run is None or probes[key[0]].is_resumed:  # whose parameters are cut otherwise
            continue
        for after, wanted in zip(run.params, other.params, strict=False):
            off = [
                ~np.isclose(a, b, rtol=1e-4, atol=1e-7, equal_nan=True)
                for a, b in zip(after, wanted, strict=True)
            ]
            if not any(map(np.any, off)):
                continue
            for x in off:
                cuts = cuts_of(subject.ranks.layout, x.shape)
                parts = [x[place_of(x.shape, cuts, mesh, rank)] for rank in range(subject.ranks.processes)]
                there |= {rank for rank, part in enumerate(parts) if part.size}
                at_fault |= {rank for rank, part in enumerate(parts) if part.any()}
            break
    if not at_fault or at_fault == there:
        return ""
    names = ", ".join(map(str, sorted(at_fault)))
    return (
        f", in the parts of rank {names} alone"
        if len(at_fault) == 1
        else f", in those of ranks {names} alone"
    )


def finding(
    subject: ThirdParty, failed: Sequence[Result], errors: Sequence[Finding], where: str = ""
) -> Finding:
    """Return what the ranks do together that one of them alone does not; ``where`` says on which."""
    assert subject.ranks is not None
    count, layout = subject.ranks.processes, subject.ranks.layout
    first = errors[0] if errors else None
    probe = failed[0].probe
    named = told(subject, failed, first)
    if named is not None:
        (rule, seen), errors = named, []  # what was found without the ranks in mind
    else:
        rule = first.rule if first is not None else probe.split("/")[0]
        seen = first.observed if first is not None else failed[0].reason
    evidence = first.evidence if first is not None else failed[0].evidence
    return Finding(
        "sharding",
        rule,
        f"the parameters of one rank; {SAYS.get(rule, 'the step of the whole parameter')}",
        f"on {count} ranks ({layout}) {seen}{where}; on one it passes the same probes",
        evidence=evidence,
        repro=subject.repro_command(probe, subject.dialect or ""),
        folded=list(errors),
    )


def told(subject: ThirdParty, failed: Sequence[Result], first: Finding | None) -> tuple[str, str] | None:
    """Return a rule, and what the failures have in common in words of ranks; None if there is nothing.

    Args:
        subject: the candidate.
        failed: the failures.
        first: what is found to be wrong, whatever the ranks; None if it has no name.
    """
    assert subject.ranks is not None
    count = subject.ranks.processes
    resumed = {probe.name for probe in subject.probes if probe.is_resumed}
    starts = {probe.name: bool(probe.start) for probe in subject.probes}
    of_ranks = ("other bits on rank", "RankError: rank")
    if disagreement := next((r.reason for r in failed if any(x in r.reason for x in of_ranks)), None):
        return "STEP.1", disagreement
    if all(r.probe in resumed for r in failed):
        return "STATE.4", "a state that is saved and loaded is not the one that was saved"
    if all(CLOCKS in r.reason for r in failed if not starts[r.probe]):
        return "CLK.1", f"a clock is not where it should be on every rank: {failed[0].reason}"
    if first is not None and f"eps counts {count}, {count}, " in first.measured:
        return "STEP.1", (
            f"a gradient counts 1/{count}, as if it were divided by the number of ranks: eps counts {count} "
            "times as claimed beside it"
        )
    if first is not None and first.observed == f"each gradient counts {1 / count:g} times":
        return first.rule, f"{first.observed}, as if it were divided by the number of ranks"
    return None
