"""The verdict on a candidate in sentences, as every renderer prints it.

Is it the Adam that it says it is?  If not, what does it do instead, by which program does that show, and how
sure is that?
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adamcore.conformance.report.matrix import by_target, distinct_results, rule_of
from adamcore.conformance.report.report import Entry, Report, Verdict
from adamcore.conformance.report.text import format_ratio, join_few, join_names
from adamcore.conformance.rules import SAYS, said
from adamcore.conformance.types import Finding, Result

if TYPE_CHECKING:
    from adamcore.conformance.anatomy.texts import Comparison

#: The parts of the update rule, by their names in the anatomy, in which a fault of an area shows.
PARTS_OF = {
    "epsilon": ("step", "epsilon"),
    "bias_correction": ("correction",),
    "moments": ("first moment", "second moment"),
    "hyperparameters": ("first moment", "second moment"),
    "decay": ("decay",),
    "amsgrad": ("maximum",),
    "nesterov": ("look-ahead",),
    "maximize": ("gradient",),
    "missing": ("no gradient",),
    "clock": ("no gradient",),
}
NOTHING = "nothing of the kind"  #: what stands for a part of the rule that one side does not have


@dataclass(frozen=True)
class Summary:
    """The verdict on one candidate under one claim, or under several with the same findings."""

    entries: list[Entry]
    answer: str  #: whether it is the Adam that it says it is, and which one it is like
    reason: str = ""  #: why it could not be judged: an error, or the last lines that it wrote
    instead: str = ""  #: what it does instead
    rule: str = ""  #: the number of the rule that it breaks
    asks: str = ""  #: what that rule asks
    compared: tuple[Comparison, ...] = ()  #: the parts of the update rule that say so, claimed and measured
    repro: str = ""  #: the smallest program that shows it, or the command that does
    sure: tuple[str, ...] = ()  #: how sure that is, in sentences
    further: tuple[str, ...] = ()  #: other deviations, each in a line
    notes: tuple[str, ...] = ()  #: what should be, but need not

    @property
    def target(self) -> str:
        return self.entries[0].target

    @property
    def verdict(self) -> Verdict:
        return self.entries[0].verdict

    @property
    def is_program(self) -> bool:
        """True if ``repro`` is a program, and not a command."""
        return "\n" in self.repro

    @property
    def shows(self) -> str:
        """What ``repro`` is for."""
        return "the smallest program that shows it:" if self.is_program else "to see it again:"

    @property
    def sentence(self) -> str:
        """The answer, and what it does instead."""
        return f"{self.answer}: {self.instead}" if self.instead else self.answer

    @property
    def asked(self) -> str:
        """The line of the rule: ``DEC.5 asks: the parameter decays before the step``."""
        return f"{self.rule} asks: {self.asks}" if self.rule else ""

    def lines(self) -> list[str]:
        """Return all of it as lines of plain text."""
        lines = [f"{self.sentence}.", *filter(None, [self.reason, self.asked])]
        for part, claimed, measured in self.compared:
            lines += [f"  {part}, claimed:  {claimed}", f"  {part}, measured: {measured}"]
        lines += [f"{text}." for text in self.sure]
        lines += [f"also: {text}" for text in self.further] + [f"note: {text}" for text in self.notes]
        if self.repro:
            lines += [self.shows, *(f"    {line}" for line in self.repro.splitlines())]
        return lines


def summaries(report: Report) -> list[Summary]:
    """Return the summaries of a report, those of one candidate one after another."""
    return [
        summary_of(group, len(entries))
        for entries in by_target(report.entries).values()
        for group in alike(entries)
    ]


def alike(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Return the entries of one target in groups that have the same verdict and deviations."""
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        errors = [f for f in entry.findings if f.level == "error"]
        same = tuple((f.area, f.rule, f.expected, f.observed, f.evidence) for f in errors)
        groups.setdefault((entry.verdict, entry.reason, entry.as_expected, same), []).append(entry)
    return list(groups.values())


def summary_of(entries: list[Entry], claims: int = 1) -> Summary:
    """Return the summary of entries that have the same findings.

    Args:
        entries: one or more entries of one target.
        claims: under how many claims the target was checked in all.
    """
    entry = entries[0]
    answer = answer_of(entries, claims)
    errors = [f for f in entry.findings if f.level == "error"]
    others = tuple(f"{observed_text(entry, f)} ({f.rule})" for f in errors)
    if entry.verdict in ("broken", "unavailable"):
        return Summary(entries, answer, reason=entry.reason, further=others)
    notes = {note_text(f): None for e in entries for f in e.findings if f.level == "note"}
    sure: tuple[str, ...] = (*filter(None, [entry.reason]), *sureness(entries))
    if not errors:
        return Summary(entries, answer, sure=sure, notes=tuple(notes))
    first = errors[0]
    compared = comparisons(entry, first.area)
    if shown := first_divergence(first):
        sure += (shown,)
    instead = observed_text(entry, first)
    if first.measured and not compared:
        instead += f" (measured: {first.measured})"
    return Summary(
        entries, answer, "", instead, first.rule, asked_text(entry, first), compared, first.repro or "", sure,
        others[1:], tuple(notes),
    )  # fmt: skip


def answer_of(entries: Sequence[Entry], claims: int) -> str:
    """Return in one sentence whether a candidate is what it says it is."""
    entry = entries[0]
    name = f"the optimizer of {entry.target}" if entry.kind == "recording" else entry.target
    if entry.verdict in ("broken", "unavailable"):
        return f"{name} could not be judged"
    names = [claim_text(e.claimed) for e in entries]
    conforms = entry.verdict == "conforms"
    all_of_them = f"{'each' if conforms else 'any'} of the {len(names)} dialects"
    words = f"{name} is {'' if conforms else 'not '}"
    words += all_of_them if 1 < len(names) == claims else join_few(names)
    if conforms:
        return words
    if entry.identified and entry.identified not in [e.claimed for e in entries]:
        words += f"; it behaves like {claim_text(entry.identified)}"
    elif not any(entry.axes.values()):
        words += ", nor another Adam known here"
    return f"{words}, as expected" if entry.as_expected else words


def claim_text(name: str) -> str:
    """Return the name of a claim as a noun.

    >>> claim_text("paper"), claim_text("torch.AdamW")
    ("the paper's Adam", 'torch.AdamW')
    """
    return "the paper's Adam" if name == "paper" else name


def knows_probe_alone(entry: Entry, finding: Finding) -> bool:
    """True if a finding knows no more than a failed probe, whose purpose is what it expected."""
    return finding.evidence is not None and any(r.reason == finding.observed for r in entry.results)


def asked_text(entry: Entry, finding: Finding) -> str:
    """Return what the rule of a finding asks, where the finding does not say it, in the words of the rule."""
    words = said(finding.expected)
    return SAYS.get(finding.rule, words) if knows_probe_alone(entry, finding) else words


def observed_text(entry: Entry, finding: Finding) -> str:
    """Return what a finding saw.  One that knows no more than a failed probe names the probe."""
    if finding.evidence and knows_probe_alone(entry, finding):
        return f"{finding.observed} of {finding.evidence.probe} ({finding.expected})"
    return said(finding.observed)


def note_text(finding: Finding) -> str:
    return f"{said(finding.expected)} ({finding.rule}): {said(finding.observed)}"


def comparisons(entry: Entry, area: str) -> tuple[Comparison, ...]:
    """Return the parts of the update rule that differ from the claim's and that belong to an area.

    Where ordinary steps raise, nothing of the rule was measured.
    """
    if entry.anatomy is None or entry.anatomy.claimed is None or entry.anatomy.error:
        return ()
    return tuple(
        (part, claimed or NOTHING, measured or NOTHING)
        for part, claimed, measured in entry.anatomy.beside
        if part in PARTS_OF.get(area, ()) and claimed != measured
    )


def sureness(entries: Sequence[Entry]) -> list[str]:
    """Return how sure a verdict is: the probes that failed or passed, by how much, in which dtypes."""
    results = distinct_results(r for entry in entries for r in entry.results)
    judged = [r for r in results if r.status in ("passed", "failed")]
    failed = distinct_results(r for entry in entries for r in entry.results if entry.failed(r))
    passed = [r for r in judged if r.status == "passed"]
    if not failed and not passed:
        return []
    text = failure_text(failed, judged) if failed else f"{count_probes(passed)} held in {dtypes_of(passed)}"
    for status, words in (("skipped", "skipped"), ("undecided", "undecided")):
        if missing := {r.probe for r in results if r.status == status}:
            text += f", {len(missing)} {words}"
    sized = [r for r in failed or passed if r.worst_ratio < math.inf]
    if not sized:
        return [text]
    worst = max(sized, key=lambda r: r.worst_ratio)
    size = worst.worst_ratio
    words = f"{format_ratio(size)} times" if size > 1 else f"{size:.2g} of"
    return [f"{text}; the largest error is {words} its bound ({worst.probe}, {worst.dtype})"]


def failure_text(failed: Sequence[Result], judged: Sequence[Result]) -> str:
    alone = " alone" if dtypes_of(failed) != dtypes_of(judged) else ""
    few, of = len({r.probe for r in failed}), len({r.probe for r in judged})
    return f"{few} of {of} probe{'s' * (of > 1)} failed, in {dtypes_of(failed)}{alone}"


def count_probes(results: Sequence[Result]) -> str:
    """Return the number of probes, and of their rules."""
    probes, rules = len({r.probe for r in results}), len({rule_of(r) for r in results})
    return f"{probes} probe{'s' * (probes > 1)} of {rules} rule{'s' * (rules > 1)}"


def first_divergence(finding: Finding) -> str:
    """Return the first element that shows a finding, and by how much it is off."""
    e = finding.evidence
    if e is None:
        return ""
    got, want = (f"{float.fromhex(x):.9g}" for x in (e.got, e.want))
    where = f"it shows first in {e.probe}, step {e.step}, parameter {e.element}: {got} where {want} is exact"
    if not math.isfinite(e.ulp):
        return where
    bound = f"the bound is {e.bound_ulp:.4g} ULP" if e.bound_ulp else "it has to be the same bit for bit"
    return f"{where}, {e.ulp:.4g} ULP off; {bound}"


def dtypes_of(results: Iterable[Result]) -> str:
    return join_names(sorted({r.dtype for r in results}))
