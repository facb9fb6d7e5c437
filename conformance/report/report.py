"""What a check found: entries and their verdicts, the report as JSON, the exit code."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from adamcore.backends.io.atomic import write_whole
from adamcore.conformance.types import Finding, Result

SCHEMA = "adamcore-report/1"
Verdict = Literal["conforms", "deviates", "broken", "unavailable"]
VERDICTS: tuple[Verdict, ...] = ("conforms", "deviates", "broken", "unavailable")

PACKAGES = (
    "adamcore", "numpy", "torch", "jax", "jaxlib", "optax", "keras", "array-api-compat", "array-api-strict",
    "dask", "cupy", "python-flint", "mpmath",
)  # fmt: skip

EXIT_CONFORMS, EXIT_DEVIATES, EXIT_USAGE, EXIT_BROKEN = 0, 1, 2, 3


@dataclass
class Entry:
    """One candidate held to one claim."""

    target: str
    claimed: str
    axes: dict[str, list[Any]]  #: the values it may have on each axis, as far as they were told apart
    verdict: Verdict = "conforms"
    reason: str = ""  #: why it is broken or unavailable
    kind: str = ""
    device: str = ""
    identified: str | None = None
    sureness: float | None = None  #: how far the next best combination of axes is, in bounds
    fault: str | None = None  #: what it does besides, where only an Adam with a fault is like it
    precision: str | None = None  #: how it forms its coefficients in float32
    findings: list[Finding] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    asked: bool = True  #: whether the user named it
    advisory: frozenset[str] = frozenset()  #: probes whose failure is a note, not a deviation
    waived: dict[tuple[str, str], str] = field(default_factory=dict)
    """(probe, dtype) of failures that were expected -> the reason (expected.py)."""
    as_expected: bool = False  #: whether it deviates in nothing that was not expected

    def failed(self, result: Result) -> bool:
        return result.status == "failed" and result.probe not in self.advisory


@dataclass
class Report:
    """The outcome of one check."""

    entries: list[Entry]
    environment: dict[str, Any]
    unmet: list[str] = field(default_factory=list)  #: what the file of expected deviations is wrong about
    quick: bool = False  #: whether only short probes were run

    @property
    def exit_code(self) -> int:
        """3 if a candidate broke, else 2 if one asked for is not here, else 1 if one deviates, else 0.

        A deviation that was expected does not count; an expectation that was not met does.
        """
        verdicts = {entry.verdict for entry in self.entries}
        if "broken" in verdicts:
            return EXIT_BROKEN
        if any(entry.verdict == "unavailable" and entry.asked for entry in self.entries):
            return EXIT_USAGE
        unexpected = any(entry.verdict == "deviates" and not entry.as_expected for entry in self.entries)
        return EXIT_DEVIATES if unexpected or self.unmet else EXIT_CONFORMS

    def as_dict(self) -> dict[str, Any]:
        """The report in the form of schemas/report-1.json."""
        return {
            "schema": SCHEMA,
            "environment": self.environment,
            "candidates": [entry_json(entry) for entry in self.entries],
            "unmet": self.unmet,
            "quick": self.quick,
        }

    def write(self, path: str | Path) -> None:
        """Write the report as JSON, whole or not at all.

        Raises:
            OSError: the folder is not there or cannot be written to.
        """
        write_whole(path, [render_json(self).encode()])


def render_json(report: Report) -> str:
    """The text of the JSON report."""
    return json.dumps(report.as_dict(), indent=1, allow_nan=False) + "\n"


def check_writable(path: str | Path) -> None:
    """Raise OSError now if a report could not be written to ``path`` later."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
        pass


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
    }


def finding_json(found: Finding) -> dict[str, Any]:
    packed = dataclasses.asdict(found)
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
    """JSON has no infinity: None where no finite number says it (what stands still moved, say)."""
    return float(x) if math.isfinite(x) else None


def environment(devices: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the check ran with; found without importing any framework."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions(PACKAGES),
        "devices": dict(devices or {}),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Of the installed ones among ``packages``."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
