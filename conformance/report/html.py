"""The report as one HTML page, which needs no other file.

Verdicts come first, then the measured update rules, then numbers, findings and a plot for each probe.
"""

from __future__ import annotations

import datetime as dt
import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adamcore.conformance.probes import PROBES
from adamcore.conformance.report.figure_plot import draw
from adamcore.conformance.report.figures import figures_of
from adamcore.conformance.report.matrix import (
    KINDS,
    Column,
    Row,
    by_dialect,
    columns,
    count_results,
    rule_text,
    rules,
    severity,
)
from adamcore.conformance.report.plot import plot
from adamcore.conformance.report.report import Report
from adamcore.conformance.report.summary import summaries
from adamcore.conformance.report.text import also_fails, join_names
from adamcore.conformance.types import Evidence

MAX_PLOTS = 400  #: rows up to which every row gets a plot
#: What a sentence says of one candidate and of several, what needs somebody's attention first.
OUTCOMES = {
    "deviates": ("deviates", "deviate"),
    "broken": ("is broken", "are broken"),
    "expected": ("deviates as expected", "deviate as expected"),
    "unavailable": ("is not available", "are not available"),
    "conforms": ("conforms", "conform"),
}


def render_html(report: Report, *, written: dt.datetime | None = None) -> str:
    """Return the text of the page.

    Args:
        report: what to render.
        written: the time that the page names; None means now.
    """
    jinja = Environment(
        loader=PackageLoader("adamcore.conformance"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["breakable"] = breakable
    found, verdicts = columns(report), summaries(report)
    several, dialects = by_dialect(found)
    chosen = rows_with_plot(found)
    written = written or dt.datetime.now(dt.UTC)
    return jinja.get_template("report.html").render(
        title=verdicts[0].answer if len(verdicts) == 1 else headline(found),
        verdicts=verdicts,
        measured=[entry for entry in report.entries if entry.anatomy is not None],
        drawings=lambda anatomy: [draw(figure) for figure in figures_of(anatomy)],
        columns=found,
        judged=[column for column in found if column.rows],
        rules=rules(found),
        says=rule_text,
        several=several,
        dialects=dialects,
        report=report,
        total=count_results(found),
        kinds=KINDS,
        plot=lambda row: plot(row.result.series) if row in chosen else None,
        all_drawn=len(chosen) == sum(len(column.rows) for column in found),
        about=probe_purpose,
        numbers=evidence_numbers,
        also_fails=also_fails,
        written=f"{written:%Y-%m-%d %H:%M} UTC",
    )


def rows_with_plot(found: list[Column]) -> set[Row]:
    """Return the rows that get a plot.

    That is every row up to MAX_PLOTS.  Above that it is every row that did not pass, and for each rule the
    row closest to its bound.
    """
    rows = {row for column in found for row in column.rows}
    if len(rows) <= MAX_PLOTS:
        return rows
    return {row for row in rows if row.kind != "passed"} | {
        max(each, key=severity) for column in found for each in column.by_rule.values()
    }


def headline(found: list[Column]) -> str:
    """Return the outcome of several as a sentence, with the names of the candidates unless they are many.

    What needs somebody's attention stands first.
    """
    clauses = []
    for outcome, (singular, plural) in OUTCOMES.items():
        names = [column.target for column in found if outcome_of(column) == outcome]
        if names:
            clauses.append(f"{join_names(names, 'candidates')} {singular if len(names) == 1 else plural}")
    return "; ".join(clauses) or "Nothing was checked"


def outcome_of(column: Column) -> str:
    """Return a candidate's key of OUTCOMES."""
    return "expected" if column.as_expected else column.verdict


def breakable(name: str) -> Markup:
    """Return a name that a line may break after a separator and before a capital.

    >>> str(breakable("my/adam.py:MyAdam"))
    'my/<wbr>adam.<wbr>py:<wbr>My<wbr>Adam'
    """
    parts = re.sub(r"(?<=[/.:_])(?=[^/.:_])|(?<=[a-z0-9])(?=[A-Z])", "\0", name).split("\0")
    return Markup("<wbr>").join(parts)


def probe_purpose(row: Row) -> str:
    """Return the purpose of a row's probe."""
    probe = PROBES.get(row.result.probe)
    return probe.about if probe else ""


def evidence_numbers(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Return the values got and wanted, each as name, decimal number and hex float."""
    return [
        (name, f"{float.fromhex(text):.9g}", text)
        for name, text in (("got", evidence.got), ("want", evidence.want))
    ]
