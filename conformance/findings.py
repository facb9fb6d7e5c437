"""From judged results to what the report says of them: findings and identification."""

from __future__ import annotations

from collections.abc import Mapping

from adamcore import AXES, Adam
from adamcore.conformance.probe import Probe, Run
from adamcore.conformance.report import Entry


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
    from adamcore.conformance.diagnose import diagnose
    from adamcore.conformance.identify import FINGERPRINT, identify

    own = entry.kind == "own backend"
    if not own or any(result.status == "failed" for result in entry.results):
        entry.findings = diagnose(claim, runs, entry.results, flushes=flushes, probes=probes)
    if own:
        return
    entry.axes = {axis: list(values) for axis, values in AXES.items()}
    if FINGERPRINT in probes:
        seen = identify(runs, flushes=flushes, probes=probes, prefer=entry.claimed)
        entry.identified = seen.dialect
        entry.axes = {axis: list(values) for axis, values in seen.axes.items()}
