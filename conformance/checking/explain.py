"""From judged results to findings and an identification."""

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
    unclaimed: frozenset[str] = frozenset(),
    measured: Finding | None = None,
) -> None:
    """Set the findings and the identification of ``entry``.

    A backend of adamcore is not identified, and it is diagnosed only if it fails.

    Args:
        entry: changed in place.
        claim: the Adam that the results were judged against.
        probes: the probes as the candidate saw them, by name.
        runs: the runs by probe name and dtype.
        flushes: True if the candidate flushes subnormal numbers to zero.
        unclaimed: probes of complex parameters, if the candidate does not claim any; what it does in
            them is a note.
        measured: the first part that is not as claimed, if the parts were measured.
    """
    from adamcore.conformance.verdict.diagnose import diagnose
    from adamcore.conformance.verdict.identify import FINGERPRINT, identify

    own = entry.kind == "own backend"
    results = [r for r in entry.results if r.probe not in unclaimed]
    runs = {key: run for key, run in runs.items() if key[0] not in unclaimed}
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
        )
    if failures := [r for r in entry.results if r.probe in unclaimed and r.status == "failed"]:
        entry.findings.append(real_alone(failures))
    if own:
        return
    entry.axes = {axis: list(values) for axis, values in AXES.items()}
    if identification is not None:
        entry.identified, entry.sureness = identification.dialect, identification.sureness
        entry.fault, entry.precision = identification.fault, identification.precision
        entry.axes = {axis: list(values) for axis, values in identification.axes.items()}


def real_alone(failures: Sequence[Result]) -> Finding:
    """Return the note that a candidate, which does not claim complex parameters, does not step them."""
    return Finding(
        "complex",
        "CPX.1",
        "real parameters; complex ones too if the candidate claims them (its attribute complex = True)",
        f"written for real parameters: of a complex one, {failures[0].reason}",
        "note",
        failures[0].evidence,
    )
