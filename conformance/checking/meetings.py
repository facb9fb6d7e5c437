"""The search for what has to meet: a probe that failed is run again without each of its factors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from adamcore.conformance.probes.factors import factors_of
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import Probe, Result
from adamcore.conformance.verdict.meetings import Meeting
from adamcore.conformance.workers.pool import Event, RunEvent, WorkerJob

if TYPE_CHECKING:
    from adamcore.conformance.checking.subjects import ThirdParty


def find_meeting(subject: ThirdParty, run: Callable[[WorkerJob], Iterable[Event]]) -> Meeting | None:
    """Return what has to meet for a candidate to fail a probe; None if nothing that was tried is needed.

    Args:
        subject: a candidate whose parts are as claimed and that failed a probe.
        run: runs a job and yields its events.
    """
    from adamcore.conformance.verdict.judge import judge

    found = plainest_failure(subject)
    if found is None or subject.claim is None or subject.info is None:
        return None
    result, probe = found
    factors = factors_of(probe)
    tried = [
        replace(each.without(probe), name=f"{probe.name}, without {each.name}", twin=None) for each in factors
    ]
    needed = []
    for event in run(subject.job_of(result.dtype, tried, subject.ranks)):
        if isinstance(event, RunEvent):
            other = subject.effective_probe(event.job.probe_of(event.task))
            judged = judge(subject.claim.adam, other, result.dtype, event.run, flushes=subject.info.flushes)
            if judged.status == "passed":
                needed.append(factors[event.task])
    return Meeting(sorted(needed, key=factors.index), result) if needed else None


def plainest_failure(subject: ThirdParty) -> tuple[Result, Probe] | None:
    """Return the failure of the probe with the fewest factors, and that probe; None if there is none.

    What a candidate does around the arithmetic, such as writing to its inputs, is no matter of what meets.
    """
    from adamcore.conformance.verdict.diagnose import is_handling

    probes = {probe.name: probe for probe in subject.probes}
    failed = [
        (r, probes[r.probe])
        for r in subject.results
        if r.status == "failed" and r.dtype not in NARROW and probes[r.probe].level == "must"
    ]
    small = [(r, probe) for r, probe in failed if not probe.is_large]
    if any(is_handling(r) for r, _ in failed):
        return None
    return min(small, key=lambda pair: (len(factors_of(pair[1])), len(pair[1].steps)), default=None)
