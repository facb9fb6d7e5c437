"""Many entries measured: some at a time, each stored as soon as it is done, none in the way of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from fieldguide.entry import Entry
from fieldguide.environment import Environments
from fieldguide.measure import Measurement
from fieldguide.process import end_all
from fieldguide.results import RESULTS, Document, changes, is_done, load, store

Measure = Callable[[Entry, Environments], Document]


@dataclass(frozen=True)
class Outcome:
    """What became of one entry in a run."""

    entry: Entry
    document: Document
    skipped: bool = False  #: True if the stored result was left as it is
    changed: list[Document] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return self.document["status"] != "measured"

    @property
    def line(self) -> str:
        """The outcome in a line."""
        text = f"{self.entry.id} {self.document['version']}: "
        if self.skipped:
            return text + f"{verdict_text(self.document)}, as stored"
        return text + verdict_text(self.document)


def verdict_text(document: Document) -> str:
    """Return a result in some words.

    >>> verdict_text({"status": "failed", "reason": "no wheel"})
    'failed: no wheel'
    """
    if document["status"] != "measured":
        return f"failed: {document['reason']}"
    who = document["identified"] or document["fault"] or "none of the Adams known here"
    return f"{document['verdict']}, {who}"


def change_text(entry: Entry, change: Document) -> str:
    """Return a change in a line, with both versions."""
    old, new = change["versions"]
    return f"changed: {entry.id}, {change['what']}: {change['before']} ({old}) -> {change['after']} ({new})"


def measure_all(
    entries: Sequence[Entry],
    environments: Environments,
    *,
    measure: Measure | None = None,
    results: Path = RESULTS,
    jobs: int = 2,
    limit: float = 600.0,
    quick: bool = False,
    again: bool = False,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Measure entries and return what became of each, in their order.

    Args:
        entries: what to measure.
        environments: where they run.
        measure: measures one entry; another one is for tests.
        results: the folder of the stored results.
        jobs: how many entries are measured at the same time.
        limit: seconds that each command of a measurement has.
        quick: True has only the short probes.
        again: True measures those too whose stored result is about the same.
        done: called with each outcome as soon as it is stored.
    """

    def measured(entry: Entry) -> Outcome:  # a StoppedError leaves what is stored as it is
        stored = load(entry.id, results)
        try:
            if not again and is_done(entry, stored, quick=quick):
                assert stored is not None
                return Outcome(entry, stored, skipped=True)
            document = (measure or default)(entry, environments)
            changed = changes(stored, document)
            if stored is not None:  # the last change is kept until there is another
                document["changed"] = changed or stored.get("changed", [])
            store(document, results)
            return Outcome(entry, document, changed=changed)
        finally:
            environments.release(entry.environment)

    def default(entry: Entry, environments: Environments) -> Document:
        return Measurement(entry, environments, limit=limit, quick=quick).run()

    outcomes: dict[str, Outcome] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(measured, entry) for entry in entries]):
            outcome = future.result()
            outcomes[outcome.entry.id] = outcome
            done(outcome)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        pool.shutdown()
    return [outcomes[entry.id] for entry in entries]
