"""Scores in a file, from which a run of the corpus that was broken off goes on.

The first line names the code that made them, and each other line is a score.  Scores of other code are of no
use: the file is begun anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path

from register import Item
from score import ROOT, Score, run

CODE = ("adamcore", "backends", "conformance", "tests/corpus", "tests/support")  #: the folders that count


def digest(root: Path = ROOT) -> str:
    """Return a digest of all code on which a score depends."""
    found = hashlib.sha256()
    for folder in CODE:
        for file in sorted((root / folder).rglob("*.py")):
            found.update(str(file.relative_to(root)).encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def read(file: Path, code: str) -> list[Score]:
    """Return the scores in a file that are of this code; a line that was cut off is none."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    whole = [json.loads(line) for line in lines if line.endswith("\n")]
    if not whole or whole[0] != {"code": code}:
        return []
    return [Score(**row | {"findings": tuple(row["findings"])}) for row in whole[1:]]


def run_kept(items: Sequence[Item], file: Path) -> Generator[Score, None, None]:
    """Yield the score of each Adam: those in the file at once, the others as they are made and kept there."""
    code = digest()
    wanted = {item.target for item in items}
    known = {score.target: score for score in read(file, code)}
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in ({"code": code}, *map(asdict, known.values())))
    file.write_text(text, encoding="utf-8")
    yield from (score for target, score in known.items() if target in wanted)
    with file.open("a", encoding="utf-8") as kept:
        for score in run([item for item in items if item.target not in known]):
            kept.write(json.dumps(asdict(score)) + "\n")
            kept.flush()
            yield score
