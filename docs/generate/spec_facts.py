"""What is known of each rule of docs/spec.md: its equation, its probes, who has it and who breaks it.

The dialects are those of the table, and what was measured stands in the field guide.

:func:`with_facts` adds it to the page of the site.  The page itself stays as it is written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import equations_page

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for fieldguide, which is not installed

from adamcore.axes import AXES
from adamcore.conformance.oracle.symbolic import equations
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import AXIS_SAYS, RULE_OF, SAYS
from adamcore.dialects import DIALECTS, Dialect
from fieldguide.entry import Entry, load_entries
from fieldguide.results import load
from fieldguide.score import Measured

HEADING = re.compile(r"^### (\S+) .*$", re.M)
#: rules whose equation is a line of Algorithm 1
LINES = {"MOM.1": "m_t", "MOM.2": "v_t", "STEP.1": "p_t"}


def with_facts(page: str) -> str:
    """Return docs/spec.md with a box after the text of each rule."""
    starts = [(match.start(), match[1]) for match in HEADING.finditer(page)]
    out, end = [page[: starts[0][0]]], len(page)
    for (start, rule), (after, _) in zip(starts, [*starts[1:], (end, "")], strict=True):
        section, mark, rest = page[start:after].partition("\n## ")
        head, _, body = section.partition("\n")
        out.append(f"({rule})=\n{head}\n{body.rstrip()}\n\n{box(rule)}\n{mark}{rest}")
    return "".join(out)


def box(rule: str) -> str:
    """Return what the code knows of a rule, or "" if it knows nothing."""
    known = (equation_of(rule), probes_of(rule), dialects_of(rule), broken_by(rule))
    parts = [part for part in known if part]
    if not parts:
        return ""
    inner = "\n\n".join(parts)
    asks = f": {SAYS[rule]}" if rule in SAYS else ""
    return f"::::{{admonition}} {rule} in the code{escape(asks)}\n:class: rule\n\n{inner}\n::::\n"


def escape(text: str) -> str:
    """Return a text in which no character is read as Markdown."""
    return re.sub(r"([*_\[\]<>`|])", r"\\\1", text)


# Equations ---------------------------------------------------------------------------------------


def equation_of(rule: str) -> str:
    """Return the equations of a rule as the definition prints them, or "" if it has none of its own."""
    found = []
    if rule in LINES:
        found.append((LINES[rule], equations()[LINES[rule]]))
    for _, rules, axes, beside in equations_page.PAGE[1:]:
        if rule in rules.split(", ") and not found:
            before = {} if beside is None else equations(**beside)
            found += [(name, text) for name, text in equations(**axes).items() if before.get(name) != text]
    rows = " \\\\\n".join(f"{left} &= {right}" for left, right in found)
    return f"```math\n\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n```" if found else ""


# Probes ------------------------------------------------------------------------------------------


def probes_of(rule: str) -> str:
    """Return the probes of a rule as a list, folded if it is long; or "" if it has none."""
    mine = [probe for probe in PROBES.values() if probe.rule == rule]
    rows = "\n".join(f"- `{probe.name}`: {escape(probe.about)}" for probe in mine)
    count = f"{len(mine)} probe{'s' * (len(mine) > 1)}"
    return folded(f"{count}: adamcore check --probe {rule}", rows) if mine else ""


def folded(summary: str, text: str) -> str:
    """Return a text that is shown once its summary is clicked."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


# Dialects ----------------------------------------------------------------------------------------


def dialects_of(rule: str) -> str:
    """Return, for the axis that a rule belongs to, which dialects have which value; or ""."""
    axes = [axis for axis, rules in RULE_OF.items() if rule in rules.values()]
    return "\n\n".join(folded(f"Who does what: {axis}", axis_table(axis)) for axis in axes)


def axis_table(axis: str) -> str:
    """Return the table of an axis: each value, its rule, what it means, and the dialects that have it."""
    rows = [
        f"| `{value}` | {RULE_OF[axis][value]} | {escape(AXIS_SAYS[axis][value])} | "
        + (", ".join(f"`{name}`" for name in having(axis)[str(value)]) or "none in the table")
        + f" | {', '.join(measured_with(axis, value)) or 'none'} |"
        for value in AXES[axis]
    ]
    head = [
        "| value | rule | what it does | dialects | measured in the field guide |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


@cache
def having(axis: str) -> dict[str, list[str]]:
    """Return for each value of an axis the dialects with it, and the options with which others have it."""
    found: dict[str, list[str]] = {str(value): [] for value in AXES[axis]}
    for row in DIALECTS.values():
        for value, name in values_of(row, axis):
            found[str(value)].append(name)
    return found


def values_of(row: Dialect, axis: str) -> Iterator[tuple[Any, str]]:
    """Yield the value of a dialect on an axis, and the values that its options give it."""
    yield row.axes.get(axis, AXES[axis][0]), row.name
    for option, effect in row.options.items():
        if axis in effect:
            yield effect[axis], f"{row.name}({option})"


# Measured ----------------------------------------------------------------------------------------


@cache
def measured() -> tuple[Measured, ...]:
    """Return the entries of the field guide that have a result and are some Adam of the table."""
    stored = [(entry, load(entry.id)) for entry in load_entries() if entry.dialect]
    return tuple((e, d) for e, d in stored if d is not None and d["status"] == "measured")


def measured_with(axis: str, value: Any) -> list[str]:
    """Return links to the implementations for which this value of an axis alone was measured."""
    return [link(entry) for entry, document in measured() if document["axes"].get(axis) == [value]]


def broken_by(rule: str) -> str:
    """Return what was measured of the implementations that break a rule, or "" if none does."""
    rows = [
        f"- {link(entry)} {document['version']}: {escape(finding['observed'])}"
        for entry, document in measured()
        for finding in document["findings"]
        if finding["level"] == "error" and finding["rule"] == rule
    ]
    return folded(f"Measured to do otherwise: {len(rows)}", "\n".join(rows)) if rows else ""


def link(entry: Entry) -> str:
    return f"[{escape(entry.name)}](field-guide/{entry.id}.md)"
