"""From judged results to findings, by identification where it can say more."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from adamcore import Adam
from adamcore.conformance.probe import Finding, Probe, Run
from adamcore.conformance.report import Entry

#: The area of a finding from the rule of the probe that failed, where nothing more specific is known.
AREAS = {
    "MOM": "moments", "BC": "bias_correction", "EPS": "epsilon", "DEC": "decay", "AMS": "amsgrad",
    "NES": "nesterov", "MAX": "maximize", "STEP": "moments", "F1": "missing", "F2": "zero_gradient",
    "F3": "missing", "F4": "state", "F5": "clock", "F6": "all_missing", "CLK": "clock", "LR": "schedule",
    "CPX": "complex", "NF": "nonfinite", "NUM": "hyperparameters", "STATE": "state",
}  # fmt: skip


def find(
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
    failed = any(result.status == "failed" for result in entry.results)
    own = entry.kind == "own backend"
    if importlib.util.find_spec("adamcore.conformance.identify") and (failed or not own):
        from adamcore.conformance.identify import diagnose, identify

        entry.findings = diagnose(claim, runs, entry.results, flushes=flushes)
        if not own:
            identified = identify(runs, flushes=flushes)
            entry.identified = identified.dialect
            entry.axes = {axis: list(values) for axis, values in identified.axes.items()}
    if failed and not entry.findings:
        entry.findings = plain_findings(entry, probes)


def plain_findings(entry: Entry, probes: Mapping[str, Probe]) -> list[Finding]:
    """One finding for each rule whose probes failed, as they stand."""
    found: dict[str, Finding] = {}
    for result in entry.results:
        if result.status != "failed":
            continue
        probe = probes[result.probe]
        found.setdefault(
            probe.rule,
            Finding(
                area=AREAS.get(probe.rule, AREAS.get(probe.rule.split(".")[0], "moments")),
                rule=probe.rule,
                expected=probe.about,
                observed=result.reason or "it leaves the bound",
                level="error" if probe.level == "must" else "note",
                evidence=result.evidence,
            ),
        )
    return list(found.values())
