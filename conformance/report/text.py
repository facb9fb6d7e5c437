"""Plain text that several renderers share: a ratio, a piece of evidence, a finding, a failed probe."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adamcore.conformance.report.report import Entry
from adamcore.conformance.types import Evidence, Finding, Result

SHOWN_RULES = 12  #: rules that fail besides and are named
NAMED = 4  #: candidates up to which a sentence names each


def format_ratio(x: float) -> str:
    """Return a ratio in at most four characters.

    >>> [format_ratio(x) for x in (0.0, 0.004, 0.314, 1.0, 7.26, 1234.0, 2.5e7, math.inf)]
    ['0', '.00', '.31', '1.0', '7.3', '1e3', '2e7', '!']
    """
    if math.isinf(x) or math.isnan(x):
        return "!"
    if x == 0:
        return "0"
    if x < 0.995:
        return f"{x:.2f}".lstrip("0")
    if x < 9.95:
        return f"{x:.1f}"
    return f"{x:.0f}" if x < 999.5 else f"{x:.0e}".replace("e+0", "e").replace("e+", "e")


def evidence_lines(e: Evidence) -> list[str]:
    """Return evidence as lines: the place, the values got and wanted, the error and its bound.

    >>> evidence_lines(Evidence("EPS.1/x", 3, "0[2]", "0x1.8p+0", "0x1.0p+0", 4.0, 2.0))[1:]
    ['got   0x1.8p+0  (1.5)', 'want  0x1.0p+0  (1)', 'error 4 ULP; the bound is 2 ULP']
    """
    return [
        f"probe {e.probe}, step {e.step}, parameter {e.element}",
        f"got   {e.got}  ({float.fromhex(e.got):.9g})",
        f"want  {e.want}  ({float.fromhex(e.want):.9g})",
        f"error {e.ulp:.4g} ULP; the bound is {e.bound_ulp:.4g} ULP",
    ]


def also_fails(finding: Finding) -> str:
    """Return the rules of what is folded under a finding: ``EPS.2, DEC.1 and 7 more``.

    >>> folded = [Finding("decay", rule, "", "") for rule in ("DEC.1", "DEC.2", "DEC.1")]
    >>> also_fails(Finding("epsilon", "EPS.1", "", "", folded=folded))
    'DEC.1, DEC.2'
    """
    return join_few(list(dict.fromkeys(f.rule for f in finding.folded)), SHOWN_RULES)


def join_few(names: Sequence[str], count: int = 3) -> str:
    """Return the first few names and the number of the others.

    >>> join_few(["a", "b"]), join_few(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    shown = ", ".join(names[:count])
    return shown if len(names) <= count else f"{shown} and {len(names) - count} more"


def finding_text(finding: Finding, printed: Evidence | None = None) -> str:
    """Return a finding as lines, without its evidence if that is ``printed`` already."""
    lines = [
        f"{finding.area} ({finding.rule})",
        f"  expected  {finding.expected}",
        f"  observed  {finding.observed}",
    ]
    if finding.measured:
        lines.append(f"  measured  {finding.measured}")
    if finding.folded:
        lines.append(f"  also fails  {also_fails(finding)}")
    if finding.evidence is not None and finding.evidence != printed:
        lines += [f"  {line}" for line in evidence_lines(finding.evidence)]
    if finding.repro:
        lines.append("  again\n" + "\n".join(f"    {line}" for line in finding.repro.splitlines()))
    return "\n".join(lines)


def failure_texts(entry: Entry, result: Result) -> list[str]:
    """Return the paragraphs on a failed probe: the reason, the first divergence, then its findings."""
    texts = [result.reason]
    if result.evidence is not None:
        lines = (f"  {line}" for line in evidence_lines(result.evidence))
        texts.append("first divergence\n" + "\n".join(lines))
    return texts + [finding_text(finding, result.evidence) for finding in entry.findings_of(result)]


def join_names(names: Sequence[str], noun: str = "") -> str:
    """Return names in words; where a noun is given, the number of more than four.

    >>> join_names(["a"]), join_names(["a", "b", "c"]), join_names(["a"] * 9, "candidates")
    ('a', 'a, b and c', '9 candidates')
    """
    if noun and len(names) > NAMED:
        return f"{len(names)} {noun}"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
