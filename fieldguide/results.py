"""Stored results: one small file of JSON for each entry, and how two of one entry differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adamcore.backends.io.atomic import write_whole
from fieldguide.entry import ROOT, Entry
from fieldguide.errors import FieldGuideError

SCHEMA = "adamcore-fieldguide/1"
RESULTS = ROOT / "docs" / "results" / "fieldguide"

Document = dict[str, Any]  #: the content of a file
#: What a change is reported of.  Sizes of errors are none: they differ between machines.
COMPARED = ("status", "verdict", "identified", "fault", "precision", "axes", "equations", "deviations")


def store(document: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write a result, whole or not at all, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{document['id']}.json"
    write_whole(path, [(json.dumps(document, indent=1, allow_nan=False) + "\n").encode()])
    return path


def load(name: str, folder: Path = RESULTS) -> Document | None:
    """Return the stored result of an entry, or None if there is none.

    Raises:
        FieldGuideError: the file is no result; the message names it.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] == SCHEMA:
            return dict(document)
    except (ValueError, KeyError, TypeError):
        pass
    raise FieldGuideError(f"{path} is no result of the field guide ({SCHEMA}): delete it, and measure again")


def is_done(entry: Entry, stored: Document | None, *, quick: bool) -> bool:
    """True if a stored result is what a new measurement of the entry would be about.

    A failure is never done.  A quick result is done only if a quick one is asked for.
    """
    if stored is None or stored["status"] != "measured" or stored["definition"] != entry.definition:
        return False
    return quick or not stored["quick"]


def changes(before: Document | None, after: Document) -> list[Document]:
    """Return what differs between two results of an entry, each with both versions.

    >>> old = {"version": "1.0", "status": "measured", "axes": {"clock": ["global"]}}
    >>> new = {"version": "1.1", "status": "measured", "axes": {"clock": ["per-parameter"]}}
    >>> [(c["what"], c["before"], c["after"], c["versions"]) for c in changes(old, new)]
    [('clock', ['global'], ['per-parameter'], ['1.0', '1.1'])]
    """
    if before is None or before["status"] != "measured":  # a failure says nothing of the implementation
        return []
    found = []
    versions = [before["version"], after["version"]]
    for name in COMPARED if before["status"] == after["status"] else ("status",):
        old, new = before.get(name), after.get(name)
        pairs = [(name, old, new)]
        if name == "axes":
            old, new = old or {}, new or {}
            pairs = [(axis, old.get(axis), new.get(axis)) for axis in {**old, **new}]
        found += [
            {"what": what, "before": was, "after": is_now, "versions": versions}
            for what, was, is_now in pairs
            if was != is_now
        ]
    return found
