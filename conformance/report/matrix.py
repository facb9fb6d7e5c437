"""The report as rows and columns, for the renderers: rules by candidates, dialects by backends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from adamcore.conformance.probes import PROBES
from adamcore.conformance.report.report import Entry, Report, Verdict
from adamcore.conformance.report.text import format_ratio
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Result

#: The kinds of outcome, the worst first, each with its word and a sign that needs no colour.
KINDS = {
    "failed": ("failed", "✗"),
    "expected": ("failed, as expected", "≠"),
    "note": ("failed, advisory", "~"),
    "undecided": ("undecided", "?"),
    "passed": ("passed", ""),
    "skipped": ("skipped", "-"),
}
SEVERITY = {kind: -number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Cell:
    """The worst of some results of one candidate."""

    kind: str = ""  #: a key of KINDS; empty if there is no result
    worst: float = 0.0  #: the largest error over its bound among results of this kind
    counted: int = 0  #: how many results there are

    @property
    def text(self) -> str:
        """The cell in few characters: ``.31``, ``✗ 12``, ``-`` if all were skipped, or nothing."""
        if self.kind in ("", "skipped"):
            return KINDS["skipped"][1] if self.kind else ""
        return f"{KINDS[self.kind][1]} {format_ratio(self.worst)}".strip()

    @property
    def label(self) -> str:
        """The cell in words.

        >>> Cell("failed", 12.0, 3).label, Cell("passed", 0.31, 1).label
        ('failed, error 12 of the bound', 'passed, error .31 of the bound')
        """
        if self.kind in ("", "skipped"):
            return KINDS["skipped"][0] if self.kind else "no probe"
        if math.isinf(self.worst):
            return f"{KINDS[self.kind][0]}, a failure without size"
        return f"{KINDS[self.kind][0]}, error {format_ratio(self.worst)} of the bound"

    @property
    def level(self) -> int:
        """The shade: 0 to 4 within the bound, one for each fifth; 5 to 7 above it, by factors of 100."""
        if self.worst <= 1:
            return min(4, int(self.worst * 5))
        return 7 if self.worst > 1e4 else 6 if self.worst > 1e2 else 5


@dataclass(frozen=True, eq=False)
class Row:
    """The worst result of one candidate on one probe in one dtype, among all its claims."""

    result: Result
    kind: str
    claimed: str
    waived: str = ""

    @property
    def cell(self) -> Cell:
        return Cell(self.kind, self.result.worst_ratio, 1)


@dataclass(frozen=True)
class Column:
    """One candidate with all its claims."""

    target: str
    entries: list[Entry]
    rows: list[Row] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        return worst_verdict(self.entries)

    @property
    def as_expected(self) -> bool:
        return self.verdict == "deviates" and all(
            e.as_expected for e in self.entries if e.verdict == "deviates"
        )

    @property
    def claimed(self) -> str:
        return self.entries[0].claimed if len(self.entries) == 1 else f"{len(self.entries)} dialects"

    @property
    def worst(self) -> Cell:
        return cell_of(self.rows)

    @cached_property
    def counts(self) -> dict[str, int]:
        """The number of distinct results of each kind, over all claims."""
        judged = [(kind_of(e, r), r) for e in self.entries for r in e.results]
        kinds = [kind for kind, _ in {id(r): (kind, r) for kind, r in judged}.values()]
        return {kind: kinds.count(kind) for kind in KINDS}

    @cached_property
    def by_rule(self) -> dict[str, list[Row]]:
        """The rows of each rule."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(rule_of(row.result), []).append(row)
        return found

    def cell(self, rule: str) -> Cell:
        return cell_of(self.by_rule.get(rule, ()))

    def findings(self, level: str) -> list[tuple[Entry, list[Finding]]]:
        """Return each entry that has findings of this level, with those findings."""
        each = [(e, [f for f in e.findings if f.level == level]) for e in self.entries]
        return [(entry, findings) for entry, findings in each if findings]


def columns(report: Report) -> list[Column]:
    """Return a column for each target of a report."""
    return [
        Column(target, entries, worst_rows(entries)) for target, entries in by_target(report.entries).items()
    ]


def worst_rows(entries: Sequence[Entry]) -> list[Row]:
    """Return one row for each probe and dtype: the worst result among the entries."""
    found: dict[tuple[str, str], Row] = {}
    for entry in entries:
        for result in entry.results:
            key = result.probe, result.dtype
            row = Row(result, kind_of(entry, result), entry.claimed, entry.waived.get(key, ""))
            if key not in found or severity(row) > severity(found[key]):
                found[key] = row
    return list(found.values())


def kind_of(entry: Entry, result: Result) -> str:
    """Return the kind of a result, a key of KINDS."""
    if result.status != "failed":
        return result.status
    if not entry.failed(result):
        return "note"
    return "expected" if (result.probe, result.dtype) in entry.waived else "failed"


def severity(row: Row) -> tuple[int, float]:
    return SEVERITY[row.kind], row.result.worst_ratio


def cell_of(rows: Iterable[Row]) -> Cell:
    """Return the worst of some rows as a cell."""
    rows = list(rows)
    if not rows:
        return Cell()
    worst = max(rows, key=severity)
    return Cell(worst.kind, worst.result.worst_ratio, len(rows))


def rule_of(result: Result) -> str:
    return result.probe.split("/")[0]


def rules(found: Iterable[Column]) -> list[str]:
    """Return every rule that has a result, in the order of the probes."""
    return list(dict.fromkeys(rule_of(row.result) for column in found for row in column.rows))


def rule_text(rule: str) -> str:
    """Return what a rule asks, or the purpose of its first probe."""
    about = next((probe.about for probe in PROBES.values() if probe.rule == rule), "")
    return SAYS.get(rule, about)


def by_dialect(found: Iterable[Column]) -> tuple[list[Column], dict[str, list[Cell]]]:
    """Return the candidates with several claims, and for each dialect a cell for each of them."""
    several = [column for column in found if len(column.entries) > 1 and column.rows]
    claims = dict.fromkeys(entry.claimed for column in several for entry in column.entries)
    entries = [{entry.claimed: entry for entry in column.entries} for column in several]
    return several, {
        claim: [cell_of(worst_rows([mine[claim]])) if claim in mine else Cell() for mine in entries]
        for claim in claims
    }


def count_results(found: Sequence[Column]) -> int:
    """Return the number of distinct results in a report."""
    return sum(len(distinct_results(r for e in column.entries for r in e.results)) for column in found)


def by_target(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return the entries of each target."""
    rows: dict[str, list[Entry]] = {}
    for entry in entries:
        rows.setdefault(entry.target, []).append(entry)
    return rows


def distinct_results(results: Iterable[Result]) -> list[Result]:
    """Return each result once; dialects that a probe cannot tell apart share one result."""
    return list({id(r): r for r in results}.values())


def worst_verdict(entries: Sequence[Entry]) -> Verdict:
    """Return the worst verdict among the entries of a target."""
    order: tuple[Verdict, ...] = ("broken", "deviates", "unavailable", "conforms")
    verdicts = {entry.verdict for entry in entries}
    return next(v for v in order if v in verdicts)
