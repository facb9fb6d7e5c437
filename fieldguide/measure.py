"""One entry measured: a check, an identification and a drift, each a command under a time limit."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adamcore import AXES
from adamcore.conformance.checking.selection import is_quick
from adamcore.conformance.probes import PROBES
from adamcore.conformance.report.report import environment as environment_here
from adamcore.conformance.verdict.identify import TELLING
from fieldguide.drift import LENGTHS, QUICK
from fieldguide.entry import ROOT, Entry
from fieldguide.environment import Environments
from fieldguide.errors import MeasureError
from fieldguide.process import run_command, tail
from fieldguide.results import SCHEMA, Document

DTYPES = ("float32", "float64")
QUIET = {
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "JAX_PLATFORMS": "cpu",
    "PYTHONWARNINGS": "ignore",
}
VERSION = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"


class Measurement:
    """The commands for one entry.

    Args:
        entry: what is measured.
        environments: where it runs.
        limit: seconds that each command has.
        quick: True has only the short probes.
    """

    def __init__(self, entry: Entry, environments: Environments, *, limit: float, quick: bool) -> None:
        self.entry, self.environments, self.limit, self.quick = entry, environments, limit, quick
        self.target = environments.fill(entry.target, entry.environment)
        self.folder = environments.cache / "measuring" / entry.id  # of a killed run too, which left it
        self.seconds: dict[str, float] = {}

    def run(self) -> Document:
        """Build what is needed, measure, and return the result; a failure is a result too."""
        document = self.head()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self.environments.prepare(self.entry.environment)
            document["version"] = self.version()
            found = self.report("identify")
            accused = self.entry.dialect and found["verdict"] == "deviates"  # a near miss claims nothing
            document |= facts(self.report("check") if accused else found, found)
            document["drift"] = self.drift(found)
            document["status"] = "measured"
        except (MeasureError, RuntimeError) as error:
            document["reason"] = self.hide(str(error))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        document["seconds"] = self.seconds
        return json_safe(hidden(document, self.hide))

    def head(self) -> Document:
        here = environment_here()
        return {
            "schema": SCHEMA,
            "id": self.entry.id,
            "definition": self.entry.definition,
            "version": self.entry.version,
            "date": dt.date.today().isoformat(),
            "quick": self.quick,
            "environment": {name: here[name] for name in ("python", "machine")},
            "status": "failed",
            "reason": "",
        }

    def hide(self, text: str) -> str:
        return self.environments.hide(text, self.entry.environment)

    def version(self) -> str:
        """Return the version that is installed.

        Raises:
            MeasureError: it is not the one of the entry.
        """
        entry, environment = self.entry, self.entry.environment
        if environment.npm:
            place = self.environments.folder(environment) / "node_modules" / entry.package / "package.json"
            found = str(json.loads(place.read_text(encoding="utf-8"))["version"])
        elif environment.debian:
            asked = ["dpkg-query", "-W", "-f", "${Version}", entry.package]
            found = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
        else:
            command = [str(self.environments.python(environment)), "-c", VERSION, entry.package]
            done = subprocess.run(command, capture_output=True, text=True)
            found = done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]
        if found.partition("+")[0] != entry.version:
            raise MeasureError(
                f"{entry.package}: found {found or 'nothing'}, expected {entry.version}: "
                f"change the version in {environment.name}.toml"
            )
        return entry.version

    def command(self, *words: str) -> list[str]:
        settings = [
            word for name, value in self.entry.settings.items() for word in ("--set", f"{name}={value}")
        ]
        return [str(self.environments.interpreter(self.entry.environment)), "-m", *words, *settings]

    def report(self, kind: str) -> Document:
        """Run ``adamcore check`` or ``identify`` and return its entry of the report.

        Both judge the same probes.  An identification measures the parts as well, and a check finds the
        smallest program that shows a deviation.

        Raises:
            MeasureError: it gave no report in time, or the candidate could not be run.
        """
        file = self.folder / f"{kind}.json"
        words = ["adamcore.conformance", kind, self.target, "--json", str(file), "-j", "1"]
        words += ["--timeout", f"{self.limit:g}"]  # on a busy machine one probe may take long
        words += ["--dialect", self.entry.dialect] if self.entry.dialect else []
        words += [f"--probe={name}" for name in (quick_probes() if self.quick else "*")]
        self.call(kind, self.command(*words), file)
        [candidate] = json.loads(file.read_text(encoding="utf-8"))["candidates"]
        if candidate["verdict"] in ("broken", "unavailable"):
            raise MeasureError(f"{candidate['verdict']}: {candidate['reason']}")
        return dict(candidate)

    def drift(self, found: Document) -> list[Document]:
        """Return the drift at some steps, beside the Adam that was found.

        Where none was found, or none without a fault, it is that of the entry's row of the table of
        dialects; a near miss without a row has no drift.
        """
        axes = {axis: values[0] for axis, values in found["axes"].items() if values}
        if not axes or (found["fault"] and found["sureness"] is None):
            axes = {axis: getattr(self.entry.claim.adam, axis) for axis in AXES if self.entry.dialect}
        if not axes:
            return []
        file = self.folder / "drift.json"
        axes["coefficients"] = "double"
        lengths = [f"--steps={steps}" for steps in (QUICK if self.quick else LENGTHS)]
        words = self.command("fieldguide.drift", self.target, "--axes", json.dumps(axes), *lengths)
        with contextlib.suppress(MeasureError):
            self.call("drift", words, file)
        rows = [line for line in tail(file, 10_000).splitlines() if line.startswith("{")]
        return [json.loads(line) for line in rows]

    def call(self, kind: str, command: list[str], file: Path) -> None:
        log = file if kind == "drift" else self.folder / f"{kind}.log"
        began = time.monotonic()
        variables = {**QUIET, **self.entry.environment.variables}
        status = run_command(command, limit=self.limit, log=log, variables=variables, folder=ROOT)
        self.seconds[kind] = round(time.monotonic() - began, 1)
        if status is None:
            raise MeasureError(f"{kind} took more than {self.limit:g} s: {tail(log)}")
        if not file.exists() or (kind == "drift" and status):
            raise MeasureError(f"{kind} ended with status {status}: {tail(log)}")


def quick_probes() -> list[str]:
    """Return the short probes, and those that tell one Adam from another."""
    return [name for name, probe in PROBES.items() if is_quick(probe) or name in TELLING]


def facts(candidate: Document, found: Document) -> Document:
    """Return what a result keeps of a check's entry and of an identification's, which may be one."""
    anatomy = found.get("anatomy") or {}
    errors_ = [f for f in candidate["findings"] if f["level"] == "error"]
    return {
        "verdict": candidate["verdict"],
        "claimed": candidate["claimed"],
        "identified": found["identified"],
        "sureness": found["sureness"],
        "fault": found["fault"],
        "precision": found["precision"],
        "axes": found["axes"],
        "levers": anatomy.get("levers", {}),
        "equations": [[line["part"], line["equation"]] for line in anatomy.get("equations", [])],
        "deviations": [[f["area"], f["rule"]] for f in errors_],
        "findings": [kept(f) for f in candidate["findings"]],
        "errors": {dtype: worst(candidate["probes"], dtype) for dtype in DTYPES},
    }


def kept(finding: Document) -> Document:
    """Return a finding without what its page does not show."""
    names = ("area", "rule", "level", "expected", "observed", "measured", "repro", "evidence")
    return {name: finding[name] for name in names} | {
        "also": sorted({each["rule"] for each in finding["folded"]} - {finding["rule"]})
    }


def worst(probes: Iterable[Document], dtype: str) -> Document:
    """Return how many probes ended how in a dtype, and the largest error over its bound."""
    mine = [p for p in probes if p["dtype"] == dtype]
    statuses = ("passed", "failed", "skipped", "undecided")
    counts: Document = {s: sum(p["status"] == s for p in mine) for s in statuses}
    sized = [p for p in mine if p["status"] in ("passed", "failed") and p["worst_ratio"] is not None]
    if not sized:
        return counts
    most = max(sized, key=lambda p: p["worst_ratio"])
    return counts | {"ratio": most["worst_ratio"], "ulp": most["worst_ulp"], "probe": most["name"]}


def hidden(value: Any, hide: Any) -> Any:
    """Return a document whose texts have no paths of this machine."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {key: hidden(each, hide) for key, each in value.items()}
    return [hidden(each, hide) for each in value] if isinstance(value, list) else value


def json_safe(value: Any) -> Any:
    """Return a document with None in place of numbers that JSON lacks, and floats of six digits.

    >>> json_safe({"a": [float("inf"), 0.123456789]})
    {'a': [None, 0.123457]}
    """
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: json_safe(each) for key, each in value.items()}
    return [json_safe(each) for each in value] if isinstance(value, list) else value
