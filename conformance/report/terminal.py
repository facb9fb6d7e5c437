"""The report on the terminal: a verdict in sentences for each candidate; numbers and evidence on demand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adamcore.conformance.report.matrix import KINDS, Cell, by_dialect, columns, rule_text, rules
from adamcore.conformance.report.report import Report, Verdict
from adamcore.conformance.report.summary import Summary, summaries
from adamcore.conformance.report.text import also_fails, evidence_lines, join_few
from adamcore.conformance.types import Finding

SHOWN = 5  #: groups of claims of a candidate, and other deviations of a claim, that are printed
NUMBER, TEXT = 6, 24  #: columns of a table for a number, and at least for a text
VERDICTS: dict[Verdict, str] = {
    "conforms": "green",
    "deviates": "bold red",
    "broken": "bold magenta",
    "unavailable": "dim",
}
COLOURS = {
    "failed": "bold red",
    "expected": "yellow",
    "note": "yellow",
    "undecided": "yellow",
    "passed": "green",
    "skipped": "dim",
    "": "",
}
ASCII = str.maketrans({"✗": "x", "≠": "e"})  #: the signs of cells for an encoding that does not have them


def print_report(report: Report, console: Console, *, table: bool = False, verbose: bool = False) -> None:
    """Print the verdict on each candidate, then how many candidates have which.

    Args:
        report: what to print.
        console: where.
        table: True prints the numbers of each rule too.
        verbose: True prints these numbers, and each finding with its evidence.
    """
    for target, each in groupby(summaries(report), key=lambda summary: summary.target):
        several = list(each)
        for summary in several[:SHOWN]:
            print_summary(summary, console)
            for finding in summary.entries[0].findings if verbose else ():
                print_finding(finding, console)
        if rest := [entry.claimed for summary in several[SHOWN:] for entry in summary.entries]:
            say(console, Text(f"{target} as {join_few(rest)}: see the report (--json)", "dim"))
            console.print()
    if table or verbose:
        print_tables(report, console)
    for problem in report.unmet:
        say(console, Text("unmet  ", "bold red").append(problem, "not bold default"), 2)
    console.print(counts(report))
    if report.quick:
        say(console, Text("a quick check: the short probes alone; without --quick it has all", "yellow"))


def say(console: Console, text: Text | str, indent: int = 0, first: int = 0) -> None:
    """Print a paragraph as wide as the terminal; a name that is wider stays whole.

    Args:
        console: where.
        text: the paragraph; its line breaks stay.
        indent: the column in which its lines begin.
        first: the column in which the first one begins.
    """
    text = text if isinstance(text, Text) else Text(text)
    for line in text.split("\n"):
        offsets, column, margin = [], 0, first
        for word in re.finditer(r"\S+\s*", line.plain):
            if column and margin + column + cell_len(word[0].rstrip()) > console.width:
                offsets.append(word.start())
                column, margin = 0, indent
            column += cell_len(word[0])
        for part in line.divide(offsets):
            part.rstrip()
            console.print(Text(" " * first) + part, no_wrap=True, overflow="ignore", crop=False)
            first = indent


def print_summary(summary: Summary, console: Console) -> None:
    """Print the verdict on one candidate, and a blank line."""
    answer = Text(f"{summary.verdict}  ", VERDICTS[summary.verdict])
    answer.append(summary.answer, "not bold default")
    answer.highlight_words([summary.target], "bold")
    say(console, answer, 2)
    if summary.reason:
        say(console, summary.reason, 2, 2)
    if summary.instead:
        say(console, Text(summary.instead, "bold"), 2, 2)
        say(console, summary.asked, 2, 2)
    for part, claimed, measured in summary.compared:
        say(console, Text("claimed   ", "dim").append(f"{part}: {claimed}", "not dim"), 14, 4)
        say(console, Text("measured  ", "dim").append(f"{part}: {measured}", "not dim"), 14, 4)
    if summary.repro:
        console.print()
        say(console, Text(summary.shows, "dim"), 2, 2)
        indent = "" if summary.is_program else "    "  # a program's lines begin where they do in a file
        console.print(Text(indent + summary.repro), soft_wrap=True)
    for text in summary.sure:
        say(console, text, 2, 2)
    for word, texts in (("also", summary.further), ("note", summary.notes)):
        for text in texts[:SHOWN]:
            say(console, Text(f"{word}: ", "yellow").append(text, "not yellow default"), 4, 2)
        if more := len(texts[SHOWN:]):
            say(console, Text(f"and {more} more: -v has all", "dim"), 2, 2)
    console.print()


def print_finding(finding: Finding, console: Console) -> None:
    """Print a finding with all that is known of it."""
    say(console, Text(f"{finding.area} ", "bold").append(f"({finding.rule})", "dim"), 2, 2)
    lines = [("expected", finding.expected), ("observed", finding.observed), ("measured", finding.measured)]
    if finding.evidence is not None:
        shown = evidence_lines(finding.evidence)
        lines += [("" if number else "evidence", line) for number, line in enumerate(shown)]
    if finding.folded:
        lines.append(("also fails", also_fails(finding)))
    for name, value in lines:
        if value:
            say(console, Text(f"{name:<12}", "dim").append(value, "not dim"), 16, 4)
    if finding.repro and "\n" not in finding.repro:
        console.print(Text(f"    {'again':<12}", "dim").append(finding.repro, "not dim"), soft_wrap=True)
    console.print()


def print_tables(report: Report, console: Console) -> None:
    """Print the largest error of each rule, and of each dialect, as a fraction of its bound."""
    found = [column for column in columns(report) if column.rows]
    if not found:
        return
    say(console, "The largest error of each rule as a fraction of its bound; above 1 it fails.")
    for number, column in enumerate(found, 1):
        say(console, f"{number:>3}  {column.target} as {column.claimed}", 5)
    numbers = list(range(1, len(found) + 1))
    rows = [Row(rule, rule_text(rule), [c.cell(rule) for c in found]) for rule in rules(found)]
    print_table("rule", numbers, rows, console)
    totals = [Row(KINDS[kind][0], "", [column.counts[kind] for column in found]) for kind in KINDS]
    print_table("probes", numbers, totals, console)
    several, dialects = by_dialect(found)
    if several:
        numbers = [found.index(column) + 1 for column in several]
        print_table("dialect", numbers, [Row(name, "", cells) for name, cells in dialects.items()], console)
    signs = "; ".join(f"{sign} {words}" for words, sign in KINDS.values() if sign)
    say(console, Text(fit(f"! is a failure without a size; {signs}", console), "dim"))
    console.print()


class Row(NamedTuple):
    """A line of a table."""

    name: str
    text: str  #: what stands between the name and the numbers, if there is room
    cells: Sequence[Cell | int]


def print_table(head: str, numbers: Sequence[int], rows: Sequence[Row], console: Console) -> None:
    """Print a table with a column for each candidate, by its number; one below the other if it is wide."""
    name = max(cell_len(row.name) for row in rows)
    room = console.width - name - 1 - NUMBER * len(numbers)
    fitting = max(1, (console.width - name - 1) // NUMBER)
    for start in range(0, len(numbers), fitting):
        shown = slice(start, start + fitting)
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(head, no_wrap=True)
        wide = any(row.text for row in rows) and room > TEXT
        if wide:
            table.add_column("", max_width=room - 1, style="dim")
        for number in numbers[shown]:
            table.add_column(str(number), justify="right", min_width=NUMBER - 1, no_wrap=True)
        for row in rows:
            cells = [cell_text(cell, console) for cell in row.cells[shown]]
            table.add_row(row.name, *([row.text] if wide else []), *cells)
        console.print(table)
        console.print()


def cell_text(cell: Cell | int, console: Console) -> Text:
    """Return a cell, or a number of probes, in its colour."""
    if isinstance(cell, int):
        return Text(str(cell), "" if cell else "dim")
    return Text(fit(cell.text, console), COLOURS[cell.kind])


def fit(text: str, console: Console) -> str:
    """Return a text with letters for signs that the console's encoding does not have."""
    return text if console.encoding.startswith("utf") else text.translate(ASCII)


def counts(report: Report) -> Text:
    """Return the last line: the number of candidates with each verdict."""
    found = [column.verdict + (" as expected" if column.as_expected else "") for column in columns(report)]
    styles = VERDICTS | {"deviates as expected": "yellow"}
    text = Text()
    for word, style in styles.items():
        if word in found:
            text.append(", " if text else "").append(f"{found.count(word)} {word}", style)
    return text
