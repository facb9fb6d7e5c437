"""What a folder says of a run, in three small files, each written whole or not at all.

``run.json``
    what never changes: the Adam, the names, shapes and dtypes of the parameters, the format of their files.
``commit.json``
    which of the two folders ``0`` and ``1`` has the state, and its clocks.  To replace this file is the one
    moment at which a step happens.
``pending.json``
    the step that is being made, and how far it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from adamcore.adam import Adam
from adamcore.backends.files.arrays import Identity, Readable
from adamcore.backends.files.formats import FORMATS, Spec
from adamcore.backends.io.atomic import sync, write_whole
from adamcore.backends.states.files import decode_adam, encode_adam
from adamcore.errors import AdamcoreError, CheckpointError

SCHEMA = "adamcore-run/1"


@dataclass(frozen=True)
class Layout:
    """What never changes in a run."""

    adam: Adam
    file_format: str
    specs: Mapping[str, Mapping[str, Spec]]  #: by part and name; the names of p are all, in the tree's order

    @property
    def names(self) -> list[str]:
        return list(self.specs["p"])


@dataclass(frozen=True)
class Commit:
    """The state after the last whole step."""

    steps: int = 0  #: how many steps were made; it tells a pending step that is over from one that is not
    generation: int = 0  #: the folder with the arrays
    t: list[int] = field(default_factory=list)  #: a clock for each name, or one under ``clock="global"``
    mu_product: list[float] | None = None  #: as the clocks; None without Dozat's schedule
    same: list[int] = field(default_factory=list)  #: numbers of the leaves that are the same in both folders


@dataclass(frozen=True)
class Pending:
    """A step that has begun."""

    steps: int  #: of the commit that it goes out from
    ceiling: int  #: which fixes the batches
    lr: float | None = None
    weight_decay: float | None = None
    grad_scale: float | None = None
    absent: list[str] = field(default_factory=list)
    source: str | None = None  #: the path of the gradients, if they came as one
    gradients: dict[str, Identity | None] = field(default_factory=dict)  #: by name; None: not known again
    same: list[int] = field(default_factory=list)  #: as in the commit; empty after a step that was given up
    done: int = 0  #: batches that are on the disk
    clip: list[float | None] | None = None  #: the fields of the Clip
    present: dict[str, bool | Identity | None] | None = None  #: by name, as in `gradients`; a mask: identity
    token: str = ""  #: of this making of the step, which its tasks know; "" if it has none


def write_layout(folder: Path, layout: Layout) -> None:
    """Write ``run.json``.

    Raises:
        CheckpointError: the learning rate is a schedule, of which a file can hold nothing.
    """
    if callable(layout.adam.lr):
        raise CheckpointError(
            "lr is a schedule: expected a number in a file; give step(..., lr=) each step's"
        )
    specs = {part: {n: list(x) for n, x in arrays.items()} for part, arrays in layout.specs.items()}
    write(
        folder / "run.json", {"adam": encode_adam(layout.adam), "format": layout.file_format, "arrays": specs}
    )


def read_layout(folder: Path) -> Layout:
    """Return what ``run.json`` says.

    Raises:
        CheckpointError: it lacks, or is damaged.
    """
    content = read(folder / "run.json")
    try:
        specs = {
            part: {name: Spec(dtype, tuple(shape)) for name, (dtype, shape) in arrays.items()}
            for part, arrays in content["arrays"].items()
        }
        if content["format"] not in FORMATS:
            raise CheckpointError(f"format {content['format']!r}: expected one of {', '.join(FORMATS)}")
        return Layout(decode_adam(content["adam"]), content["format"], specs)
    except (KeyError, TypeError, ValueError, AttributeError, AdamcoreError) as error:
        raise CheckpointError(f"{folder / 'run.json'} has another form than expected: {error!r}") from error


def write_commit(folder: Path, commit: Commit) -> None:
    """Write ``commit.json``, and have it on the disk before anything that comes later."""
    content = asdict(commit)
    if commit.mu_product is not None:
        content["mu_product"] = [x.hex() for x in commit.mu_product]
    write(folder / "commit.json", content)


def read_commit(folder: Path, names: int) -> Commit:
    """Return what ``commit.json`` says of so many parameters.

    Raises:
        CheckpointError: it lacks, or is damaged.
    """
    content = read(folder / "commit.json")
    try:
        if content["mu_product"] is not None:
            content["mu_product"] = [float.fromhex(x) for x in content["mu_product"]]
        found = Commit(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{folder / 'commit.json'} has another form than expected: {error!r}"
        ) from error
    if found.generation not in (0, 1) or len(found.t) not in (1, names):
        raise CheckpointError(f"{folder / 'commit.json'} was made for other parameters")
    return found


def write_pending(folder: Path, pending: Pending) -> None:
    """Write ``pending.json``."""
    content = asdict(pending)
    for name in ("lr", "weight_decay", "grad_scale"):
        content[name] = None if content[name] is None else float(content[name]).hex()
    if pending.clip is not None:
        content["clip"] = [None if x is None else float(x).hex() for x in pending.clip]
    write(folder / "pending.json", content)


def read_pending(folder: Path, commit: Commit) -> Pending | None:
    """Return the step that was begun after the commit; None if there is none.

    Raises:
        CheckpointError: its file is damaged.
    """
    if not (folder / "pending.json").exists():
        return None
    content = read(folder / "pending.json")
    try:
        for name in ("lr", "weight_decay", "grad_scale"):
            content[name] = None if content[name] is None else float.fromhex(content[name])
        if content.get("clip") is not None:
            content["clip"] = [None if x is None else float.fromhex(x) for x in content["clip"]]
        found = Pending(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{folder / 'pending.json'} has another form than expected: {error!r}"
        ) from error
    return found if found.steps == commit.steps else None


def begun(
    pending: Pending, gradients: Mapping[str, Any], present: Mapping[str, bool | Readable] | None
) -> Pending:
    """Return what is written of a step when it begins; it goes on where it was if its arrays are the same."""
    shown: dict[str, bool | Identity | None] | None = None
    if present is not None:
        shown = {n: x if isinstance(x, bool) else x.identity for n, x in present.items()}
    known_again = {name: ["absent"] if g is None else g.identity for name, g in gradients.items()}
    surely = None not in known_again.values() and None not in (shown or {}).values()
    if surely and (known_again, shown) == (pending.gradients, pending.present):
        return pending
    if pending.gradients:  # another step was begun
        pending = replace(pending, same=[])
    return replace(pending, done=0, gradients=known_again, present=shown)


def token_of(folder: Path) -> str | None:
    """Return the token of the step that is being made; None if there is none."""
    try:
        found: str | None = read(folder / "pending.json").get("token")
    except CheckpointError:
        return None
    return found


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with its hash, and have it on the disk."""
    text = json.dumps({"schema": SCHEMA, **content})
    write_whole(path, [json.dumps({"sha256": hash_of(text), "content": text}).encode()])
    sync(path.parent)


def read(path: Path) -> dict[str, Any]:
    """Return what :func:`write` has written.

    Raises:
        CheckpointError: the file lacks, is damaged, or is of another schema.
    """
    try:
        whole = json.loads(path.read_bytes())
        text, sha = whole["content"], whole["sha256"]
        content: dict[str, Any] = json.loads(text)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is not there: expected the folder of a run, as Run.create makes it"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} can't be read: {error!r}") from error
    if hash_of(text) != sha:
        raise CheckpointError(f"{path} is damaged: its content does not have the hash that it names")
    if content.pop("schema", None) != SCHEMA:
        raise CheckpointError(f"{path} is of another schema than {SCHEMA!r}; update adamcore")
    return content


def hash_of(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
