"""What the stored results show of the conformance suite: who is identified, told apart, or accused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adamcore import AXES
from fieldguide.entry import Entry
from fieldguide.results import Document

Measured = tuple[Entry, Document]  #: an entry and its stored result


def wrong_axes(entry: Entry, document: Document) -> list[str]:
    """Return the axes on which the identification rules the value of the entry's source out."""
    claim = entry.claim.adam
    return [axis for axis in AXES if getattr(claim, axis) not in document["axes"].get(axis, [])]


def open_axes(document: Document) -> list[str]:
    """Return the axes on which more than one value is left."""
    return [axis for axis in AXES if len(document["axes"].get(axis, [])) > 1]


def is_identified(entry: Entry, document: Document) -> bool:
    """True if the values of an Adam's source are among those found, on every axis."""
    return not wrong_axes(entry, document)


def is_told_apart(entry: Entry, document: Document) -> bool:
    """True if a near miss is not taken for an Adam: no dialect is named, and it does not conform."""
    if entry.dialect:  # a row of the table describes it: it is told apart by that row's values
        return is_identified(entry, document)
    return document["identified"] is None and document["verdict"] == "deviates"


def unconfirmed(entry: Entry, document: Document) -> list[tuple[str, str]]:
    """Return the deviations, as area and rule, that nobody has read in the implementation's source."""
    if entry.near_miss and not entry.dialect:
        return []
    known = {(c.area, c.rule) for c in entry.confirmed}
    return [(area, rule) for area, rule in document["deviations"] if (area, rule) not in known]


def against_documentation(entry: Entry, document: Document) -> list[str]:
    """Return the axes on which the measured value is not what the documentation states."""
    axes = document["axes"]
    return [axis for axis, value in entry.documented.items() if axes.get(axis) and value not in axes[axis]]


@dataclass(frozen=True)
class Score:
    """The numbers at the head of the page."""

    entries: int
    measured: int
    adams: int
    identified: int
    near_misses: int
    told_apart: int
    conforming: int
    accused: int
    confirmed: int

    @property
    def lines(self) -> list[str]:
        """The score in sentences."""
        return [
            f"{self.measured} of {self.entries} entries have a verdict.",
            f"Of {self.adams} Adams, {self.identified} are identified on every axis without being told.",
            f"Of {self.near_misses} near misses, {self.told_apart} are told apart from every Adam.",
            f"{self.conforming} Adams conform to their row of the table of dialects, {self.accused} deviate; "
            f"{self.confirmed} of these deviations have been read in the implementation's source.",
        ]


def score(measured: Iterable[Measured], entries: int) -> Score:
    """Return the score of the stored results.

    Args:
        measured: entries with their results.
        entries: the number of all entries.
    """
    good = [(e, d) for e, d in measured if d["status"] == "measured"]
    adams = [(e, d) for e, d in good if not e.near_miss]
    near = [(e, d) for e, d in good if e.near_miss]
    accused = [(e, d) for e, d in adams if d["verdict"] == "deviates"]
    return Score(
        entries=entries,
        measured=len(good),
        adams=len(adams),
        identified=sum(is_identified(e, d) for e, d in adams),
        near_misses=len(near),
        told_apart=sum(is_told_apart(e, d) for e, d in near),
        conforming=sum(d["verdict"] == "conforms" for _, d in adams),
        accused=len(accused),
        confirmed=sum(not unconfirmed(e, d) for e, d in accused),
    )
