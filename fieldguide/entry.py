"""An entry: one implementation of Adam, where it lives, how it is called, and what is known of it.

A file ``entries/NAME.toml`` has the environment ``NAME`` and the entries in it.  docs/field-guide/README.md
shows one, field by field.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from adamcore import AXES
from adamcore.conformance.claims import Claim, claim_of_dialect
from adamcore.errors import DialectError
from fieldguide.errors import EntryError

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = ROOT / "fieldguide" / "entries"
T = TypeVar("T")
NODE = "node"  #: the base of an environment without a Python of its own
PROJECT = "project"  #: the base of an environment that has the project's own packages as well


@dataclass(frozen=True)
class Environment:
    """Where entries run.

    Attributes:
        name: the name of its file.
        base: "project", the packages that ``make`` has installed, under those that are named here; a
            Python without them, such as "python3.10"; or "node".
        packages: what pip installs, each with its version.
        without_dependencies: what pip installs afterwards, without the packages that it asks for.
        npm: what npm installs into the environment's folder.
        debian: packages of Debian that have to be here, as headers; they are not installed.
        build: commands that are run at the end; ``{root}``, ``{env}`` and ``{python}`` stand for paths.
        variables: environment variables of everything that runs there.
    """

    name: str
    base: str = PROJECT
    packages: tuple[str, ...] = ()
    without_dependencies: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    debian: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Confirmed:
    """A deviation that was read in the implementation's source.

    Attributes:
        area: the finding's area: "clock".
        rule: the rule that it breaks: "CLK.1".
        says: what the source does there.
        file: the file in the package or repository, and the lines.
        fault: True if the implementation contradicts its own documentation, or its evident intention.
    """

    area: str
    rule: str
    says: str
    file: str
    fault: bool = False


@dataclass(frozen=True)
class Entry:
    """One implementation.

    Attributes:
        id: the name of its result and of its page.
        name: what its users call it: "torch.optim.AdamW".
        package: the package that has it, as its registry spells it.
        version: the version that is measured.
        target: what ``adamcore check`` gets; ``{root}``, ``{env}`` and ``{python}`` stand for paths.
        environment: where it runs.
        settings: the constructor's arguments, as of ``--set``.
        dialect: the row of the table of dialects that says what its source computes.
        near_miss: what it is, if it is no Adam; it must be told from one.
        says: what its documentation says of the step, in words of ours.
        link: where it says so.
        documented: the values on axes that its documentation states.
        confirmed: deviations that were read in its source.
        note: what a reader should know of the entry.
    """

    id: str
    name: str
    package: str
    version: str
    target: str
    environment: Environment
    dialect: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    near_miss: str = ""
    says: str = ""
    link: str = ""
    documented: Mapping[str, Any] = field(default_factory=dict)
    confirmed: tuple[Confirmed, ...] = ()
    note: str = ""

    @property
    def claim(self) -> Claim:
        """What its source computes, by the table of dialects."""
        return claim_of_dialect(self.dialect or "paper", self.settings)

    @property
    def files(self) -> list[Path]:
        """The files of this repository that take part in a measurement: drivers."""
        texts = (self.target.removeprefix("cmd:"), *self.environment.build)
        words = {word.removeprefix("{root}/") for text in texts for word in text.split()}
        words |= {word.rpartition(":")[0] for word in words}
        return sorted(path for word in words if word and (path := ROOT / word).is_file())

    @property
    def definition(self) -> str:
        """A hash of what a measurement depends on.

        Neither the prose is part of it nor the packages beside the entry's own, whose version is: an
        environment may take another package without all its entries being measured again.
        """
        environment = self.environment
        parts: dict[str, Any] = {
            "target": self.target,
            "version": self.version,
            "settings": dict(self.settings),
            "dialect": self.dialect,
            "environment": [environment.base, environment.build, dict(environment.variables)],
            "files": {
                str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.files
            },
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def load_entries(folder: Path = ENTRIES) -> list[Entry]:
    """Return all entries, by file and in the order of each file.

    Raises:
        EntryError: a file is no entry file; the message names the file, the entry and the field.
    """
    found: list[Entry] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            text = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise EntryError(f"{path.name}: {error}") from error
        if unknown := text.keys() - {"environment", "entry"}:
            raise EntryError(f"{path.name} has [{sorted(unknown)[0]}], expected [environment] and [[entry]]")
        environment = made(Environment, {"name": path.stem} | text.get("environment", {}), path.name)
        for number, given in enumerate(text.get("entry", []), start=1):
            where = f"{path.name}, {given.get('id') or f'entry {number}'}"
            found.append(entry_of(given, environment, where))
    twice = [e.id for e in found if sum(other.id == e.id for other in found) > 1]
    if twice:
        raise EntryError(f"two entries have the id {twice[0]!r}")
    return found


def entry_of(given: Mapping[str, Any], environment: Environment, where: str) -> Entry:
    """Return the entry that a table of TOML states.

    Raises:
        EntryError: a field is missing or unknown, or names an axis or a dialect that does not exist.
    """
    confirmed = tuple(made(Confirmed, each, f"{where}, confirmed") for each in given.get("confirmed", []))
    entry = made(Entry, {**given, "environment": environment, "confirmed": confirmed}, where)
    if not (entry.dialect or entry.near_miss):
        raise EntryError(f"{where} has neither dialect nor near_miss, expected one")
    for axis, value in entry.documented.items():
        if value not in AXES.get(axis, ()):
            raise EntryError(f"{where}, documented: {axis} = {value!r} is no value of an axis")
    try:
        entry.claim  # noqa: B018 - raises
    except DialectError as error:
        raise EntryError(f"{where}: {error}") from error
    return entry


def made(kind: type[T], given: Mapping[str, Any], where: str) -> T:
    """Return a dataclass made of a table of TOML; lists become tuples."""
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := given.keys() - known:
        raise EntryError(f"{where} has {sorted(unknown)[0]!r}, expected some of {', '.join(sorted(known))}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise EntryError(f"{where}: {str(error).partition('() ')[2] or error}") from error


def select(entries: Iterable[Entry], names: Iterable[str]) -> list[Entry]:
    """Return the entries that one of ``names`` means: an id, an environment, a package, or a pattern of ids.

    No names mean all entries.

    Raises:
        EntryError: a name means no entry.
    """
    entries, names = list(entries), list(names)
    wanted: dict[str, Entry] = {}
    for name in names:
        meant = [
            e for e in entries
            if name in (e.id, e.environment.name, e.package) or fnmatchcase(e.id, name)
        ]  # fmt: skip
        if not meant:
            raise EntryError(f"no entry is meant by {name!r}; --list shows them")
        wanted |= {entry.id: entry for entry in meant}
    return [e for e in entries if e.id in wanted] if names else entries
