"""Whether a candidate that fails on several processes passes on one: then its fault is how it is sharded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from adamcore.conformance.checking.subjects import ThirdParty, judge_run
from adamcore.conformance.report.report import Entry
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Result
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
    entry.findings = [finding(subject, failed, errors), *(f for f in entry.findings if f.level != "error")]


def passed_alone(
    subject: ThirdParty, failed: Sequence[Result], run: Callable[[WorkerJob], Iterable[Event]]
) -> list[Result]:
    """Return those of the failed results whose probes the candidate passes on one process."""
    assert subject.claim is not None
    assert subject.info is not None
    found = []
    for dtype in dict.fromkeys(r.dtype for r in failed):
        names = [r.probe for r in failed if r.dtype == dtype]
        probes = [probe for probe in subject.probes if probe.name in names]
        for event in run(subject.job_of(dtype, probes, None)):
            if isinstance(event, RunEvent):
                probe = subject.effective_probe(probes[event.task])
                flushes = subject.info.flushes
                result = judge_run(subject.claim.adam, probe, dtype, event.run, flushes=flushes)
                found += [result] if result.status in ("passed", "undecided") else []
    return found


def finding(subject: ThirdParty, failed: Sequence[Result], errors: Sequence[Finding]) -> Finding:
    """Return what the processes do together that one of them alone does not."""
    assert subject.ranks is not None
    count, layout = subject.ranks
    first = errors[0] if errors else None
    probe = failed[0].probe
    rule = first.rule if first is not None else probe.split("/")[0]
    seen = told(subject, failed) or (first.observed if first is not None else failed[0].reason)
    evidence = first.evidence if first is not None else failed[0].evidence
    return Finding(
        "sharding",
        rule,
        f"the parameters of one process; {SAYS.get(rule, 'the step of the whole parameter')}",
        f"on {count} ranks ({layout}) {seen}; on one it passes the same probes",
        evidence=evidence,
        repro=subject.repro_command(probe, subject.dialect or ""),
        folded=list(errors),
    )


def told(subject: ThirdParty, failed: Sequence[Result]) -> str | None:
    """Return what the failures have in common, in words of processes; None if it is nothing of the kind."""
    manners = {probe.name: probe.manner for probe in subject.probes}
    starts = {probe.name: bool(probe.start) for probe in subject.probes}
    if disagreement := next((r.reason for r in failed if "other bits on rank" in r.reason), None):
        return disagreement
    if all(manners[r.probe] == "resumed" for r in failed):
        return "a state that is saved and loaded is not the one that was saved"
    if all("the clocks stand" in r.reason for r in failed if not starts[r.probe]):
        return f"a clock is not where it should be on every rank: {failed[0].reason}"
    return None
