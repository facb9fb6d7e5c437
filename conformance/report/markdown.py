"""The report as Markdown, for a pull request, an issue or a wiki."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from adamcore.conformance.report.matrix import Column, columns, rules
from adamcore.conformance.report.report import Entry, Report
from adamcore.conformance.report.summary import Summary, summaries
from adamcore.conformance.report.text import also_fails, evidence_lines
from adamcore.conformance.types import Finding


def render_markdown(report: Report) -> str:
    """Return the text of the page: the verdicts in sentences, then the numbers, then every finding."""
    found, verdicts = columns(report), summaries(report)
    parts = ["# Is it Adam?", *map(summary_section, verdicts)]
    if report.unmet:
        parts += ["## Expected deviations that were not met", bullets(report.unmet)]
    parts += ["## In numbers", overview(found)]
    if any(column.rows for column in found):
        parts += ["## Worst error as a fraction of its bound", matrix([c for c in found if c.rows])]
    for level, title in (("error", "Deviations"), ("note", "Notes")):
        sections = [each for column in found for each in column.findings(level)]
        findings = [findings_section(*each, {summary.repro for summary in verdicts}) for each in sections]
        if findings:
            parts += [f"## {title}", *findings]
    parts += ["## Checked with", environment(report)]
    return "\n\n".join(parts) + "\n"


def summary_section(summary: Summary) -> str:
    """Return the verdict on one candidate."""
    words = (escape(text) for text in summary.answer.split(summary.target, 1))
    answer = f"**{summary.verdict}**: {f' {code(summary.target)} '.join(words).strip()}"
    if summary.instead:
        answer += f".\n**{escape(summary.instead)}**.\n{escape(summary.asked)}"
    parts = [f"{answer}."]
    if summary.compared:
        rows = [[escape(part), code(claimed), code(measured)] for part, claimed, measured in summary.compared]
        parts.append(table(("part", "claimed", "measured"), rows))
    if summary.repro:
        language = "python" if summary.is_program else "sh"
        parts += [f"T{summary.shows[1:]}", block(summary.repro.rstrip("\n"), language)]
    if summary.reason:
        parts.append(block(summary.reason))
    lines = [*summary.sure, *(f"also: {text}" for text in summary.further)]
    lines += [f"note: {text}" for text in summary.notes]
    return "\n\n".join([*parts, bullets(lines)] if lines else parts)


def overview(found: Sequence[Column]) -> str:
    """Return a table with one row for each candidate."""
    heads = ("candidate", "claimed as", "behaves like", "verdict", "worst", "passed", "failed", "skipped")
    rows = []
    for column in found:
        counts = column.counts
        alone = column.entries[0].identified if len(column.entries) == 1 else None
        verdict = f"**{column.verdict}**" + (", as expected" if column.as_expected else "")
        rows.append(
            (
                code(column.target),
                escape(column.claimed),
                escape(alone or ""),
                verdict,
                column.worst.text,
                str(counts["passed"]),
                str(counts["failed"] + counts["expected"]),
                str(counts["skipped"]),
            )
        )
    return table(heads, rows)


def matrix(found: Sequence[Column]) -> str:
    """Return a table of rules by candidates."""
    heads = ("rule", *(code(column.target) for column in found))
    rows = [(rule, *(column.cell(rule).text for column in found)) for rule in rules(found)]
    return table(heads, rows) + (
        "\n\nAbove 1 it fails (✗); ! is a failure without size; ≠ failed as expected; "
        "~ failed what should be, not must; ? undecided; - skipped."
    )


def findings_section(entry: Entry, findings: Sequence[Finding], shown: Collection[str]) -> str:
    """Return the findings of one candidate, the most specific first.

    Args:
        entry: the candidate under one claim.
        findings: its findings.
        shown: the programs and commands that stand above already.
    """
    title = f"### {code(entry.target)} claimed as {escape(entry.claimed)}"
    if entry.identified and entry.identified != entry.claimed:
        title += f"; it behaves like {escape(entry.identified)}"
    parts = [title]
    for found in findings:
        lines = f"- **{found.area}** ({found.rule}): expected {escape(found.expected)}; "
        lines += f"observed {escape(found.observed)}"
        lines += f"; measured: {escape(found.measured)}" if found.measured else ""
        if found.evidence is not None:
            lines += "\n\n" + indent(block("\n".join(evidence_lines(found.evidence))))
        if found.folded:
            lines += "\n\n" + indent(f"also fails: {escape(also_fails(found))}")
        if found.repro and found.repro not in shown:
            lines += "\n\n" + indent(block(found.repro, "python" if "\n" in found.repro else "sh"))
        parts.append(lines)
    return "\n\n".join(parts)


def environment(report: Report) -> str:
    about = report.environment
    versions = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    return escape(f"Python {about['python']} on {about['platform']}; {versions}")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def escape(plain: str) -> str:
    r"""Return plain text with the characters escaped that Markdown or HTML would interpret.

    >>> escape("a*b | <c>")
    'a\\*b \\| \\<c\\>'
    """
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(plain.split()))


def code(plain: str) -> str:
    r"""Return plain text as inline code, also inside a table.

    >>> code("a`b|c")
    '``a`b\\|c``'
    """
    plain = " ".join(plain.split()).replace("|", "\\|")
    ticks = fence(plain, 1)
    edge = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{ticks}{edge}{plain}{edge}{ticks}"


def block(plain: str, language: str = "text") -> str:
    ticks = fence(plain, 3)
    return f"{ticks}{language}\n{plain}\n{ticks}"


def fence(plain: str, least: int) -> str:
    """Return at least ``least`` backticks, and more than the text has in a row."""
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    return "`" * max(least, longest + 1)


def indent(lines: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in lines.splitlines())
