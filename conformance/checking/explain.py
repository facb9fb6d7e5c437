"""From judged results to findings and an identification."""

from __future__ import annotations

from collections.abc import Mapping

from adamcore import AXES, Adam
from adamcore.conformance.report.report import Entry
from adamcore.conformance.types import Probe, Run


def explain(
    entry: Entry,
    claim: Adam,
    probes: Mapping[str, Probe],
    runs: Mapping[tuple[str, str], Run],
    *,
    flushes: bool,
) -> None:
    """Set the findings and the identification of ``entry``.

    A backend of adamcore is not identified, and it is diagnosed only if it fails.

    Args:
        entry: changed in place.
        claim: the Adam that the results were judged against.
        probes: the probes as the candidate saw them, by name.
        runs: the runs by probe name and dtype.
        flushes: True if the candidate flushes subnormal numbers to zero.
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
