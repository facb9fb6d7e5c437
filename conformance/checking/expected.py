"""Expected deviations: a file of known failures, each with a reason and a last day.

An entry that matches no failure is an error, and so is an entry whose day is past.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from adamcore.conformance.errors import UsageError
from adamcore.conformance.report.report import Entry, Report
from adamcore.conformance.rules import area_of
from adamcore.conformance.settings import DTYPES, NARROW
from adamcore.conformance.types import Result

KINDS = ("probe", "rule", "area")  #: an entry has exactly one of these
FIELDS = ("target", *KINDS, "dtype", "reason", "expires")


@dataclass(frozen=True)
class Expectation:
    """One entry of the file: which failures of which target are expected, why, and until when."""

    where: str  #: the place of the entry, for messages: "expected.toml, line 3"
    target: str  #: a pattern of targets, as the user writes them
    kind: str  #: "probe", "rule" or "area"
    pattern: str
    reason: str
    expires: dt.date
    dtype: str | None = None

    def __str__(self) -> str:
        return f"{self.target}, {self.kind} {self.pattern}" + (f", {self.dtype}" if self.dtype else "")

    def applies_to(self, entry: Entry) -> bool:
        """True if the entry's target matches."""
        return fnmatchcase(entry.target, self.target)

    def matches(self, result: Result, areas: Sequence[str]) -> bool:
        """True if the result, whose findings have these areas, is one of those expected to fail."""
        rule = result.probe.split("/")[0]
        names = {"probe": [result.probe], "rule": [rule], "area": areas}[self.kind]
        dtype = self.dtype in (None, result.dtype)
        return dtype and any(fnmatchcase(name, self.pattern) for name in names)


class Expectations:
    """The entries of one file."""

    def __init__(self, entries: Sequence[Expectation]) -> None:
        self.entries = list(entries)

    def apply(self, report: Report, *, narrowed: bool = False, today: dt.date | None = None) -> None:
        """Mark the expected failures in a report, and add the wrong entries of the file to it.

        Args:
            report: changed in place: ``waived`` and ``as_expected`` of its entries, and its ``unmet``.
            narrowed: True if only some probes or dtypes were run.  An entry about other probes is then not
                called unused.
            today: the day that ``expires`` is compared with; None means the current day.
        """
        today = today or dt.date.today()
        valid = [e for e in self.entries if e.expires >= today]
        used: set[Expectation] = set()
        for entry in report.entries:
            mine = [e for e in valid if e.applies_to(entry)]
            for result in entry.results:
                if entry.failed(result):
                    fitting = [e for e in mine if e.matches(result, areas_of(result, entry))]
                    used.update(fitting)
                    if fitting:
                        entry.waived[result.probe, result.dtype] = fitting[0].reason
            entry.as_expected = self.all_expected(entry, mine, used)
        for expectation in self.entries:
            if expectation.expires < today:
                report.unmet.append(f"{expectation.where}: expired on {expectation.expires}: {expectation}")
            elif expectation not in used and is_testable(expectation, report.entries, narrowed):
                report.unmet.append(f"{expectation.where}: unused, nothing of this failed: {expectation}")

    @staticmethod
    def all_expected(entry: Entry, mine: Sequence[Expectation], used: set[Expectation]) -> bool:
        """True if the entry deviates and every one of its deviations was expected; add to ``used``."""
        failures = [r for r in entry.results if entry.failed(r)]
        by_area = [e for e in mine if e.kind == "area"]
        for found in (f for f in entry.findings if f.level == "error"):
            fitting = [e for e in by_area if fnmatchcase(found.area, e.pattern)]
            used.update(fitting)
            shown = [r for r in failures if not found.evidence or r.probe == found.evidence.probe]
            if not fitting and not any(e.kind != "area" and e.matches(r, ()) for e in mine for r in shown):
                return False
        waived = all((r.probe, r.dtype) in entry.waived for r in failures)
        return entry.verdict == "deviates" and waived


def areas_of(result: Result, entry: Entry) -> list[str]:
    """Return the areas of the findings that explain a failed result."""
    return entry.areas_of(result) or [area_of(result.probe)]


def is_testable(expectation: Expectation, entries: Sequence[Entry], narrowed: bool) -> bool:
    """True if the check ran the probes of an expectation, so that an unused one is an error."""
    mine = [entry for entry in entries if expectation.applies_to(entry)]
    if mine and all(entry.verdict in ("broken", "unavailable") for entry in mine):
        return False
    if not narrowed:
        return True
    return any(expectation.matches(r, [area_of(r.probe)]) for e in mine for r in e.results)


def read_expected(path: str | Path) -> Expectations:
    """Read a file of expected deviations.

    Raises:
        UsageError: the file cannot be read or is not TOML, or an entry is not as docs/checking.md says.  The
            message has the line, and what was expected there.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    entries = tables.pop("expected", [])
    if tables:
        raise UsageError(f"{path}: unknown key {next(iter(tables))!r}; entries stand under [[expected]]")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path}: 'expected' is no list of tables; each entry begins with [[expected]]")
    heads = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*expected\s*\]\]", line)]
    known = len(heads) == len(entries)
    return Expectations(
        [
            parse_expectation(f"{path}, line {heads[k]}" if known else f"{path}, entry {k + 1}", entry)
            for k, entry in enumerate(entries)
        ]
    )


def parse_expectation(where: str, entry: Mapping[str, Any]) -> Expectation:
    """Return one entry of the file; raise :class:`UsageError` if it is wrong."""
    for name in entry:
        if name not in FIELDS:
            raise UsageError(f"{where}: unknown key {name!r}{suggestion(name, FIELDS)}")
    for name in ("target", "reason", "expires"):
        if name not in entry:
            raise UsageError(f"{where}: no {name!r}, which every entry must have")
    given = [kind for kind in KINDS if kind in entry]
    if len(given) != 1:
        raise UsageError(
            f"{where}: {' and '.join(given) or 'nothing'} given, expected one of probe, rule, area"
        )
    for name, value in entry.items():
        if name != "expires" and (not isinstance(value, str) or not value.strip()):
            raise UsageError(f"{where}: {name} is {value!r}, expected text")
    expires = entry["expires"]
    if not isinstance(expires, dt.date) or isinstance(expires, dt.datetime):
        raise UsageError(
            f"{where}: expires is {expires!r}, expected a date such as 2027-03-31, without quotes"
        )
    known = (*DTYPES, *NARROW)
    if "dtype" in entry and entry["dtype"] not in known:
        raise UsageError(f"{where}: unknown dtype {entry['dtype']!r}; expected {' or '.join(known)}")
    [kind] = given
    pattern, names = entry[kind], valid_names(kind)
    if not any(fnmatchcase(name, pattern) for name in names):
        raise UsageError(f"{where}: no {kind} {pattern!r}{suggestion(pattern, names)}")
    return Expectation(where, entry["target"], kind, pattern, entry["reason"], expires, entry.get("dtype"))


@cache
def valid_names(kind: str) -> tuple[str, ...]:
    """Return all probes, all rules with a probe, or all areas."""
    if kind == "area":
        schema = (
            resources.files("adamcore.conformance")
            .joinpath("schemas/report-1.json")
            .read_text(encoding="utf-8")
        )
        return tuple(json.loads(schema)["$defs"]["finding"]["properties"]["area"]["enum"])
    from adamcore.conformance.probes import PROBES

    return tuple(PROBES) if kind == "probe" else tuple(dict.fromkeys(p.rule for p in PROBES.values()))


def suggestion(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    return f"; nearest: {', '.join(near)}" if near else ""
