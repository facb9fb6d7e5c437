"""A report as one HTML page that needs no other file: matrix, findings, and a plot for each probe."""

from __future__ import annotations

import datetime as dt
import shlex

from jinja2 import Environment, PackageLoader, StrictUndefined

from adamcore.conformance.matrix import KINDS, Column, Row, by_dialect, columns, rule_of, rules, total
from adamcore.conformance.plot import plot
from adamcore.conformance.probe import Evidence
from adamcore.conformance.probes import PROBES
from adamcore.conformance.report import VERDICTS, Report, Verdict
from adamcore.conformance.rules import SAYS


def page(report: Report, *, written: dt.datetime | None = None) -> str:
    """The text of the page; ``written`` is the moment it names, else now."""
    jinja = Environment(
        loader=PackageLoader("adamcore.conformance"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found = columns(report)
    several, dialects = by_dialect(found)
    written = written or dt.datetime.now(dt.UTC)
    return jinja.get_template("report.html").render(
        title=headline(found),
        columns=found,
        judged=[column for column in found if column.rows],
        rules=rules(found),
        says=says,
        by_rule=by_rule,
        several=several,
        dialects=dialects,
        report=report,
        total=total(found),
        kinds=KINDS,
        plot=plot,
        about=about,
        numbers=numbers,
        again=again,
        written=f"{written:%Y-%m-%d %H:%M} UTC",
    )


def headline(found: list[Column]) -> str:
    """The outcome in a line."""
    if len(found) == 1:
        [column] = found
        words: dict[Verdict, str] = {
            "conforms": f"{column.target} conforms to {column.claimed}",
            "deviates": f"{column.target} deviates from {column.claimed}",
            "broken": f"{column.target} is broken",
            "unavailable": f"{column.target} is not available",
        }
        return words[column.verdict] + (", as expected" if column.as_expected else "")
    verdicts = [column.verdict for column in found]
    return ", ".join(f"{verdicts.count(v)} {v}" for v in VERDICTS if v in verdicts) or "Nothing was checked"


def says(rule: str) -> str:
    """What a rule asks, or what its first probe is for."""
    about = next((probe.about for probe in PROBES.values() if probe.rule == rule), "")
    return SAYS.get(rule, about)


def about(row: Row) -> str:
    """What a row's probe is for."""
    probe = PROBES.get(row.result.probe)
    return probe.about if probe else ""


def by_rule(column: Column) -> dict[str, list[Row]]:
    """The rows of a candidate, a rule at a time."""
    found: dict[str, list[Row]] = {}
    for row in column.rows:
        found.setdefault(rule_of(row.result), []).append(row)
    return found


def numbers(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Got and want: name, decimal, hex float."""
    return [
        (name, f"{float.fromhex(text):.9g}", text)
        for name, text in (("got", evidence.got), ("want", evidence.want))
    ]


def again(column: Column, row: Row) -> str:
    """The command that runs one probe again."""
    words = ["adamcore", "check", column.target, "--dialect", row.claimed.partition("(")[0]]
    return shlex.join([*words, "--probe", row.result.probe, "--dtype", row.result.dtype])
