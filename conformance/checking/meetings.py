"""The search for what has to meet: a probe that failed is run again without each of its factors.

A probe drawn at random has more than it needs to fail.  It is cut down first
(:mod:`adamcore.conformance.checking.cutting`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from adamcore.conformance.checking.cutting import cut_down
from adamcore.conformance.checking.runs import judge_run
from adamcore.conformance.probes.factors import factors_of
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import Probe, Result
from adamcore.conformance.verdict.meetings import Meeting
from adamcore.conformance.workers.pool import Event, RunEvent, WorkerJob

if TYPE_CHECKING:
    from adamcore.conformance.checking.third_party import ThirdParty

Running = Callable[[WorkerJob], Iterable[Event]]  #: runs a job and yields its events


def find_meeting(subject: ThirdParty, run: Running) -> Meeting | None:
    """Return what has to meet for a candidate to fail a probe; None if nothing that was tried is needed.

    Args:
        subject: a candidate whose parts are as claimed and that failed a probe.
        run: runs a job and yields its events.
    """
    found = plainest_failure(subject)
    if found is None:
        return None
    result, probe = found

    def judged(variants: Sequence[Probe]) -> list[Result]:
        return results_of(subject, run, variants, result.dtype)

    cut = None
    if probe.drawn:
        probe, cut = cut_down(probe, result, judged)
    factors = factors_of(probe)
    without = judged([each.without(probe) for each in factors])
    needed = [each for each, other in zip(factors, without, strict=True) if not fails_alike(other, result)]
    return Meeting(needed, result, probe, cut) if needed else None


def is_of_clocks(result: Result) -> bool:
    """True if numbers are right, as far as they were looked at, and clocks are not."""
    from adamcore.conformance.verdict.judge import CLOCKS

    return result.reason.startswith(CLOCKS)


def fails_alike(other: Result, result: Result) -> bool:
    """True unless a variant passes, or has right numbers where the probe has not."""
    return other.status != "passed" and (is_of_clocks(result) or not is_of_clocks(other))


def results_of(subject: ThirdParty, run: Running, probes: Sequence[Probe], dtype: str) -> list[Result]:
    """Return how a candidate does on variants of a probe in one dtype; what it did not run is skipped."""
    assert subject.claim is not None
    assert subject.info is not None
    claim, flushes = subject.claim.adam, subject.info.flushes
    names = (f"{probe.name}, variant {k}" for k, probe in enumerate(probes, start=len(subject.effective)))
    tried = [replace(probe, name=name, twin=None) for probe, name in zip(probes, names, strict=True)]
    results = [Result(probe.name, dtype, "skipped") for probe in probes]
    for event in run(subject.job_of(dtype, tried, subject.ranks)) if tried else ():
        if isinstance(event, RunEvent):
            probe = subject.effective_probe(event.job.probe_of(event.task))
            result = judge_run(claim, probe, dtype, event.run, flushes=flushes)
            results[event.task] = named(result, probes[event.task].name)
    return results


def named(result: Result, probe: str) -> Result:
    """Return a result under the name of the probe that a variant was made of."""
    evidence = result.evidence and replace(result.evidence, probe=probe)
    return replace(result, probe=probe, evidence=evidence)


def plainest_failure(subject: ThirdParty) -> tuple[Result, Probe] | None:
    """Return the failure of the probe with the fewest factors, and that probe; None if there is none.

    What a candidate does around the arithmetic, such as writing to its inputs, is no matter of what meets.
    Designed probes come before those drawn at random, and wrong numbers before clocks alone.  Arrays that
    cannot be written to come before those that are broadcast, which cannot either; what fails for two dtypes
    is known to.
    """
    from adamcore.conformance.verdict.diagnose import is_handling

    if subject.claim is None or subject.info is None:
        return None
    unclaimed = subject.unclaimed(subject.claim, subject.results, subject.runs)
    probes = {probe.name: probe for probe in subject.probes}
    failed = [
        (r, probes[r.probe])
        for r in subject.results
        if r.status == "failed"
        and r.probe not in unclaimed
        and r.dtype not in NARROW
        and probes[r.probe].level == "must"
        and not probes[r.probe].dtypes
    ]
    small = [(r, probe) for r, probe in failed if not probe.is_large]
    if any(is_handling(r) for r, _ in failed):
        return None

    def order(pair: tuple[Result, Probe]) -> tuple[bool, bool, int, bool, int]:
        result, probe = pair
        broadcast = probe.layout == "broadcast"
        return probe.drawn, is_of_clocks(result), len(factors_of(probe)), broadcast, len(probe.steps)

    return min(small, key=order, default=None)
