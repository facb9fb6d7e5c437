"""The report of a check: its entries and their verdicts, its JSON form and its exit code."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from adamcore.backends.io.atomic import write_whole
from adamcore.conformance.types import Finding, Result

if TYPE_CHECKING:
    from adamcore.conformance.anatomy.anatomy import Anatomy

SCHEMA = "adamcore-report/1"
Verdict = Literal["conforms", "deviates", "broken", "unavailable"]
VERDICTS: tuple[Verdict, ...] = ("conforms", "deviates", "broken", "unavailable")

PACKAGES = (
    "adamcore",
    "numpy",
    "torch",
    "jax",
    "jaxlib",
    "optax",
    "keras",
    "array-api-compat",
    "array-api-strict",
    "dask",
    "cupy",
    "python-flint",
    "mpmath",
)

EXIT_CONFORMS, EXIT_DEVIATES, EXIT_USAGE, EXIT_BROKEN = 0, 1, 2, 3


@dataclass
class Entry:
    """The outcome for one candidate under one claim."""

    target: str
    claimed: str
    axes: dict[str, list[Any]]  #: for each axis the values that agree with what the candidate did
    verdict: Verdict = "conforms"
    reason: str = ""  #: why it is broken or unavailable
    kind: str = ""
    device: str = ""
    identified: str | None = None
    sureness: float | None = None  #: distance of the next best combination of axes, in bounds
    fault: str | None = None  #: the fault, if the candidate matches only an Adam with a fault
    precision: str | None = None  #: how the candidate forms its coefficients in float32
    findings: list[Finding] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    asked: bool = True  #: True if the user named the target
    advisory: frozenset[str] = frozenset()  #: probes whose failure is a note, not a deviation
    waived: dict[tuple[str, str], str] = field(default_factory=dict)
    """The reason of each expected failure, by probe and dtype (see checking/expected.py)."""
    as_expected: bool = False  #: True if every deviation of the candidate was expected
    anatomy: Anatomy | None = None  #: its parts as measured, if they were

    def failed(self, result: Result) -> bool:
        """True if the result is a deviation: it failed, and its probe is not advisory."""
        return result.status == "failed" and result.probe not in self.advisory

    def findings_of(self, result: Result) -> list[Finding]:
        """Return the deviations that explain a failed result.

        A finding can explain many results, but it and what is folded under it name some rules and show some
        results as evidence.  So a result that no finding names belongs to the first finding.
        """
        errors = [f for f in self.findings if f.level == "error"]
        named = [f for f in errors if any(names(each, result) for each in (f, *f.folded))]
        return named or errors[:1]

    def areas_of(self, result: Result) -> list[str]:
        """Return the areas of the findings that explain a failed result, and of what under them names it."""
        found = self.findings_of(result)
        folded = [each for f in found for each in f.folded if names(each, result)]
        return list(dict.fromkeys(f.area for f in (*found, *folded)))


def names(finding: Finding, result: Result) -> bool:
    """True if a finding has the result's rule, or its probe as evidence."""
    evidence = finding.evidence
    return finding.rule == result.probe.split("/")[0] or (
        evidence is not None and evidence.probe == result.probe
    )


@dataclass
class Report:
    """The outcome of one check."""

    entries: list[Entry]
    environment: dict[str, Any]
    unmet: list[str] = field(
        default_factory=list
    )  #: entries of the file of expected deviations that are wrong
    quick: bool = False  #: True if only short probes were run

    @property
    def exit_code(self) -> int:
        """The exit code: the first line that applies.

        * 3: a candidate broke.
        * 2: a candidate that the user named is not available.
        * 1: a candidate deviates in a way that was not expected, or an expected deviation did not occur.
        * 0: otherwise.
        """
        verdicts = {entry.verdict for entry in self.entries}
        if "broken" in verdicts:
            return EXIT_BROKEN
        if any(entry.verdict == "unavailable" and entry.asked for entry in self.entries):
            return EXIT_USAGE
        unexpected = any(entry.verdict == "deviates" and not entry.as_expected for entry in self.entries)
        return EXIT_DEVIATES if unexpected or self.unmet else EXIT_CONFORMS

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form of schemas/report-1.json."""
        return {
            "schema": SCHEMA,
            "environment": self.environment,
            "candidates": [entry_json(entry) for entry in self.entries],
            "unmet": self.unmet,
            "quick": self.quick,
        }

    def write(self, path: str | Path) -> None:
        """Write the report as JSON.  An interrupted write leaves the old file as it was.

        Raises:
            OSError: the folder does not exist or is not writable.
        """
        write_whole(path, [render_json(self).encode()])


def render_json(report: Report) -> str:
    """Return the text of the JSON report."""
    return json.dumps(report.as_dict(), indent=1, allow_nan=False) + "\n"


def entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "target": entry.target,
        "claimed": entry.claimed,
        "identified": entry.identified,
        "sureness": None if entry.sureness is None else finite_or_none(entry.sureness),
        "fault": entry.fault,
        "precision": entry.precision,
        "axes": entry.axes,
        "verdict": entry.verdict,
        "reason": entry.reason,
        "kind": entry.kind,
        "device": entry.device,
        "findings": [finding_json(f) for f in entry.findings],
        "probes": [result_json(r, entry.waived.get((r.probe, r.dtype), "")) for r in entry.results],
        "as_expected": entry.as_expected,
    } | ({} if entry.anatomy is None else {"anatomy": entry.anatomy.as_dict()})


def finding_json(found: Finding) -> dict[str, Any]:
    packed = dataclasses.asdict(found) | {"folded": [finding_json(f) for f in found.folded]}
    if found.evidence is not None:
        evidence = packed["evidence"]
        evidence["ulp"], evidence["bound_ulp"] = (
            finite_or_none(evidence["ulp"]),
            finite_or_none(evidence["bound_ulp"]),
        )
    return packed


def result_json(judged: Result, waived: str = "") -> dict[str, Any]:
    return {
        "name": judged.probe,
        "dtype": judged.dtype,
        "status": judged.status,
        "worst_ratio": finite_or_none(judged.worst_ratio),
        "worst_ulp": finite_or_none(judged.worst_ulp),
        "undecided_elements": judged.undecided,
        "reason": judged.reason,
        "waived": waived,
    }


def finite_or_none(x: float) -> float | None:
    """Return ``x``, or None if it is not finite: JSON has no infinity."""
    return float(x) if math.isfinite(x) else None


def environment(devices: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return Python's version, the platform, the installed packages and ``devices``; import no framework."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions(PACKAGES),
        "devices": dict(devices or {}),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those ``packages`` that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
