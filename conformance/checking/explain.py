"""From judged results to what the report says of them: findings and identification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adamcore import AXES, Adam
from adamcore.conformance.report.report import Entry
from adamcore.conformance.types import Finding, Probe, Result, Run


def explain(
    entry: Entry,
    claim: Adam,
    probes: Mapping[str, Probe],
    runs: Mapping[tuple[str, str], Run],
    *,
    flushes: bool,
) -> None:
    """Enter findings and identification into ``entry``.

    Own backends are not identified, and explained only where they fail.
    """
    from adamcore.conformance.verdict.diagnose import diagnose
    from adamcore.conformance.verdict.identify import FINGERPRINT, identify

    own = entry.kind == "own backend"
    identification = None
    if FINGERPRINT in probes and not own:
        identification = identify(runs, flushes=flushes, probes=probes, prefer=entry.claimed)
    if not own or any(result.status == "failed" for result in entry.results):
        entry.findings = diagnose(
            claim, runs, entry.results, flushes=flushes, probes=probes, identification=identification
        )
    if own:
        return
    entry.axes = {axis: list(values) for axis, values in AXES.items()}
    if identification is not None:
        entry.identified, entry.sureness = identification.dialect, identification.sureness
        entry.fault, entry.precision = identification.fault, identification.precision
        entry.axes = {axis: list(values) for axis, values in identification.axes.items()}


def findings_of(result: Result, findings: Sequence[Finding]) -> list[Finding]:
    """The deviations that a failed result belongs to.

    A cause explains many results and shows one of them as evidence, so that a result which no
    finding names, by its rule or as its evidence, is the first finding's.
    """
    errors = [f for f in findings if f.level == "error"]
    rule = result.probe.split("/")[0]
    named = [f for f in errors if f.rule == rule or (f.evidence and f.evidence.probe == result.probe)]
    return named or errors[:1]
