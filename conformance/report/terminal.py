"""The report on the terminal: verdicts, the worst errors over their bounds, and the findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adamcore.conformance.report.matrix import by_target, distinct_results, worst_verdict
from adamcore.conformance.report.report import Entry, Report, Verdict
from adamcore.conformance.report.text import also_fails, format_ratio, join_few
from adamcore.conformance.types import Finding, Result

#: The columns: a head, and the families of the rules in it.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mom", ("MOM", "STEP")),
    ("bias", ("BC",)),
    ("eps", ("EPS",)),
    ("dec", ("DEC",)),
    ("ams", ("AMS",)),
    ("nes", ("NES",)),
    ("frz", ("F1", "F2", "F3", "F4", "F5", "F6", "CLK")),
    ("lr", ("LR", "MAX")),
    ("cpx", ("CPX",)),
    ("num", ("NUM", "COEF", "NF")),
    ("stat", ("STATE",)),
)
#: The columns of counts: a head, the status that is counted, and its colour if there are any.
COUNTS = {
    "pass": ("passed", ""),
    "fail": ("failed", "bold red"),
    "note": ("note", "yellow"),
    "skip": ("skipped", "yellow"),
    "open": ("undecided", "yellow"),
}
LEAST = 9  #: columns; the text of a candidate or a backend is not folded below them
SHOWN = 5  #: findings of an entry that are printed in full
LEGEND = {
    "mom": "moments and step",
    "bias": "bias correction",
    "eps": "epsilon",
    "dec": "weight decay",
    "ams": "AMSGrad",
    "nes": "Nesterov",
    "frz": "freezing and the clock",
    "lr": "learning rate, maximize",
    "cpx": "complex",
    "num": "numerics and non-finite values",
    "stat": "state and inputs",
}
VERDICTS: dict[Verdict, str] = {
    "conforms": "green",
    "deviates": "bold red",
    "broken": "bold magenta",
    "unavailable": "dim",
}


def print_report(report: Report, console: Console) -> None:
    """Print the tables, then findings, then notes."""
    rows = by_target(report.entries)
    for table in overview(rows, console.width):
        console.print(table)
    console.print(legend(report.entries), style="dim")
    if several := [entries for entries in rows.values() if len(entries) > 1 and entries[0].results]:
        console.print()
        for table in by_dialect(several, console.width):
            console.print(table)
    for entry in unique_reasons(report.entries):
        console.print()
        console.print(Text(f"{entry.verdict:<12}", VERDICTS[entry.verdict]).append(entry.target, "bold"))
        console.print(Padding(Text(entry.reason), (0, 0, 0, 2), expand=False))
    for level in ("error", "note"):
        for entries in rows.values():
            print_groups(console, group_by_findings(entries, level))
    for problem in report.unmet:
        console.print()
        console.print(Text("unmet       ", "bold red").append(problem, "not bold default"))
    console.print()
    console.print(summary(report))
    if report.quick:
        console.print("a quick check: the short probes alone; without --quick it has all", style="yellow")


class Column(NamedTuple):
    """A column of a table; ``least`` is the width below which its text is not folded."""

    head: str
    cells: list[Text]
    least: int | None = None  #: None: it is never folded

    @property
    def width(self) -> int:
        lines = [self.head, *(line for cell in self.cells for line in cell.plain.split("\n"))]
        widest = max(map(cell_len, lines))
        return widest if self.least is None else min(widest, self.least)


def arrange(keys: Sequence[Column], others: Sequence[Column], width: int, gap: int = 1) -> Iterator[Table]:
    """Yield a table of all columns, or several where they are wider than ``width``.

    Args:
        keys: the first columns; the first of them stands in every table.
        others: the columns to the right, of numbers.
        width: that of the terminal.
        gap: between columns.
    """
    left, shown = list(others), list(keys)
    while shown:
        room = width - sum(column.width + gap for column in shown)
        count = 0
        while count < len(left) and room >= left[count].width:
            room -= left[count].width + gap
            count += 1
        count = count or min(1, len(left)) * (len(shown) == 1)  # a column too wide has a table of its own
        table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
        for column in shown:
            table.add_column(column.head, no_wrap=column.least is None, overflow="fold")
        for column in left[:count]:
            no_wrap = column.least is None
            table.add_column(column.head, justify="right", no_wrap=no_wrap, overflow="fold")
        for cells in zip(*(column.cells for column in (*shown, *left[:count])), strict=True):
            table.add_row(*cells)
        yield table
        left = left[count:]
        shown = list(keys[:1]) if left else []


def overview(rows: dict[str, list[Entry]], width: int) -> Iterator[Table]:
    """Yield the table of candidates by groups of rules: the worst error as a fraction of its bound."""
    results = [r for entries in rows.values() for e in entries for r in e.results]
    groups = [(head, rules) for head, rules in GROUPS if any(in_group(r, rules) for r in results)]
    mine = {t: distinct_results(r for e in entries for r in e.results) for t, entries in rows.items()}
    verdicts = [worst_verdict(entries) for entries in rows.values()]
    counts = [count_texts(mine[target], entries[0]) for target, entries in rows.items()]
    keys = [
        Column("candidate", [label(*row) for row in rows.items()], LEAST),
        Column("verdict", [Text(verdict, VERDICTS[verdict]) for verdict in verdicts]),
    ]
    numbers = [
        Column(
            head,
            [
                worst_text([r for r in mine[target] if in_group(r, rules)], entries[0])
                for target, entries in rows.items()
            ],
        )
        for head, rules in groups
    ]
    totals = [Column(head, [row[k] for row in counts]) for k, head in enumerate(COUNTS)]
    return arrange(keys, numbers + totals, width)


def count_texts(results: Sequence[Result], entry: Entry) -> list[Text]:
    """Return the number of results for each column of COUNTS."""
    kinds = ["note" if r.status == "failed" and not entry.failed(r) else r.status for r in results]
    return [
        Text(str(kinds.count(kind)) if results else "", style if kind in kinds else "dim")
        for kind, style in COUNTS.values()
    ]


def label(target: str, entries: Sequence[Entry]) -> Text:
    claims = entries[0].claimed if len(entries) == 1 else f"{len(entries)} dialects"
    return Text(target).append(f"\n  {claims}", "dim")


def by_dialect(several: Sequence[list[Entry]], width: int) -> Iterator[Table]:
    """Yield the table of dialects by backends: the worst error as a fraction of its bound."""
    columns = [{entry.claimed: entry for entry in entries} for entries in several]
    claims = list(columns[0])
    key = Column("dialect", [Text(claim) for claim in claims])
    others = [
        Column(
            entries[0].target,
            [
                worst_text(column[claim].results, column[claim]) if claim in column else Text("")
                for claim in claims
            ],
            LEAST,
        )
        for entries, column in zip(several, columns, strict=True)
    ]
    return arrange([key], others, width, gap=2)


def legend(entries: Sequence[Entry]) -> str:
    results = [r for e in entries for r in e.results]
    shown = [f"{head}: {LEGEND[head]}" for head, rules in GROUPS if any(in_group(r, rules) for r in results)]
    return (
        "Numbers: worst error as a fraction of its derived bound; above 1 fails, ! fails without a size.\n"
        "note: failed what should be, not must; open: has an element whose bound is too wide to judge.\n"
        + "; ".join(shown)
    )


def in_group(result: Result, rules: tuple[str, ...]) -> bool:
    return result.probe.split("/")[0].split(".")[0] in rules


def worst_text(results: Sequence[Result], entry: Entry) -> Text:
    """Return the worst ratio of some results, coloured: ``.31``, ``12``, ``!``, or ``-`` if all skipped."""
    judged = [r for r in results if r.status in ("passed", "failed", "undecided")]
    if not judged:
        return Text("-" if results else "", "dim")
    worst = max(r.worst_ratio for r in judged)
    if any(entry.failed(r) for r in judged):
        return Text(format_ratio(worst), "bold red")
    return Text(format_ratio(worst), "green" if worst < 0.8 else "yellow")


def unique_reasons(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with a reason, such as that of a broken target, each reason of a target once."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.reason:
            found.setdefault((entry.target, entry.reason), entry)
    return list(found.values())


def group_by_findings(entries: Sequence[Entry], level: str) -> list[tuple[list[Entry], list[Finding]]]:
    """Return groups of entries of one target that have the same findings of a level, with those findings."""
    groups: dict[object, tuple[list[Entry], list[Finding]]] = {}
    for entry in entries:
        findings = [f for f in entry.findings if f.level == level]
        same = tuple((f.area, f.rule, f.expected, f.observed, f.evidence) for f in findings)
        if findings:
            groups.setdefault(same, ([], findings))[0].append(entry)
    return list(groups.values())


def print_groups(console: Console, groups: Sequence[tuple[list[Entry], list[Finding]]]) -> None:
    """Print the first few groups in full and name the others."""
    for entries, findings in groups[:SHOWN]:
        print_findings(console, entries, findings)
    if rest := [entry.claimed for entries, _ in groups[SHOWN:] for entry in entries]:
        console.print(
            Text(f"{groups[0][0][0].target} claimed as {join_few(rest)}: see the report (--json)", "dim")
        )


def print_findings(console: Console, entries: Sequence[Entry], findings: Sequence[Finding]) -> None:
    """Print the findings that some entries of a target share, the most specific first."""
    level, entry = findings[0].level, entries[0]
    console.print()
    title = Text("deviation" if level == "error" else "note", "bold red" if level == "error" else "yellow")
    title.append(f"  {entry.target}", "bold").append(f" claimed as {join_few([e.claimed for e in entries])}")
    if entry.identified and entry.identified != entry.claimed:
        title.append(f"; it behaves like {entry.identified}")
    console.print(title)
    for found in findings[:SHOWN]:
        text = Text(f"{found.area} ", "bold").append(f"({found.rule})", "dim")
        console.print(Padding(text, (0, 0, 0, 2), expand=False))
        for name, value in details(found):
            line = Table.grid(padding=(0, 1, 0, 0))
            line.add_column(width=10, style="dim")
            line.add_column(overflow="fold")
            line.add_row(name, Text(value))
            console.print(Padding(line, (0, 0, 0, 4), expand=False))
        if found.repro and "\n" in found.repro:  # a program; its lines stay whole, so that it can be copied
            console.print(Padding(Text("a program that shows it", "dim"), (0, 0, 0, 4), expand=False))
            console.print(Text(found.repro), soft_wrap=True)
    if rest := list(dict.fromkeys(found.rule for found in findings[SHOWN:])):
        more = Text(f"and {join_few(rest, 12)}: the report (--json) has them all", "dim")
        console.print(Padding(more, (0, 0, 0, 2), expand=False))


def details(found: Finding) -> list[tuple[str, str]]:
    lines = [("expected", found.expected), ("observed", found.observed)]
    if found.measured:
        lines.append(("measured", found.measured))
    if (e := found.evidence) is not None:
        lines.append(("evidence", f"{e.probe}, step {e.step}, parameter {e.element}"))
        lines.append(("got", f"{e.got}  ({float.fromhex(e.got):.9g})"))
        lines.append(("want", f"{e.want}  ({float.fromhex(e.want):.9g})"))
        lines.append(("error", f"{e.ulp:.4g} ULP; the bound is {e.bound_ulp:.4g} ULP"))
    if found.repro and "\n" not in found.repro:
        lines.append(("again", found.repro))
    if found.folded:
        lines.append(("also fails", also_fails(found)))
    return lines


def summary(report: Report) -> Text:
    """Return the last line: the number of candidates with each verdict."""
    counts: dict[str, int] = {}
    for entries in by_target(report.entries).values():
        verdict = worst_verdict(entries)
        expected = all(entry.as_expected for entry in entries if entry.verdict == "deviates")
        word: str = "deviates as expected" if verdict == "deviates" and expected else verdict
        counts[word] = counts.get(word, 0) + 1
    text = Text()
    for word, style in (VERDICTS | {"deviates as expected": "yellow"}).items():
        if word in counts:
            text.append(", " if text else "").append(f"{counts[word]} {word}", style)
    return text
