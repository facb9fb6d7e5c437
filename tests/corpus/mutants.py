"""Wrong Adams that a generator makes: Adam as the definition states it, broken in one place at random.

:func:`mutant` draws a dialect, and a change of one node of a line of its step, of the lines, or of what is
around the step.  The label follows from the line and from the kind of change, before anything is scored.
:func:`broken` makes an Adam with one line in other words.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from blind_frame import Frame
from misframes import AROUND
from mutations import CALLS, changes
from register import Item
from steptexts import DIALECTS, Dialect, Line


def moved_lines(lines: tuple[Line, ...], rng: random.Random) -> tuple[tuple[Line, ...], str, str] | None:
    """Return the lines with one left out, made twice, or in another place."""
    k = rng.randrange(len(lines))
    areas, text = lines[k]
    name = text.split(" = ")[0]
    keeps = name in ("g", "m", "v", "p", "top", "mu")
    way = rng.choice(("lost", "twice", "late"))
    if way == "lost" and keeps:
        return (*lines[:k], *lines[k + 1 :]), f"without {text}", areas
    if way == "twice" and keeps and name != "top":
        same = "hyperparameters" if name == "v" else ""  # its b2 is squared, and all else is right
        return (*lines[: k + 1], lines[k], *lines[k + 1 :]), f"{text} twice", f"{areas} {same}"
    if way == "late" and keeps and k + 1 < len(lines):
        j = len(lines) if name in ("m", "v", "top") else rng.randrange(k + 2, len(lines) + 1)
        return (*lines[:k], *lines[k + 1 : j], lines[k], *lines[j:]), f"{text} after {lines[j - 1][1]}", areas
    return None


@dataclass(frozen=True)
class Mutant:
    """One wrong Adam: its class, what it does, and its label."""

    made: type[Frame]
    claim: str
    options: dict[str, str]
    about: str
    areas: tuple[str, ...]

    @property
    def item(self) -> Item:
        return Item(self.made, "wrong", "mutants.py", self.about, self.areas, "STEP.1", claim=self.claim,
                    options=self.options)  # fmt: skip


def stepping(lines: tuple[Line, ...]) -> Callable[..., None]:
    """Return the method that makes a step by these lines."""
    known = [f"{x} = s.{x}" for x in ("p", "m", "v", "top", "t", "mu")]
    known += [f"{x} = s.h.{x}" for x in ("lr", "b1", "b2", "eps", "eps_root")]
    known += ["wd = s.h.weight_decay", "md = s.h.momentum_decay"]
    first = (
        "last = s.extra.setdefault('last', dict(g=0 * g, m=m, v=v, p=p, lr=lr, b1=b1, b2=b2, wd=wd, eps=eps))"
    )
    before = "s.extra['last'] = dict(g=g.copy(), m=m, v=v, p=p, lr=lr, b1=b1, b2=b2, wd=wd, eps=eps)"
    after = [f"s.{x} = asarray({x}, s.p.dtype)" for x in ("m", "v", "top")] + ["s.mu = mu"]
    after += ["s.p = asarray(p, s.p.dtype)"]
    rows = [*known, first, before, *(text for _, text in lines), *after]
    space: dict[str, Any] = {**CALLS, "asarray": np.asarray, "dict": dict, "min": min, "max": max, "len": len}
    exec("def update(self, s, g):\n" + "".join(f"    {row}\n" for row in rows), space)
    update: Callable[..., None] = space["update"]
    return update


def made(
    dialect: Dialect,
    lines: tuple[Line, ...],
    name: str,
    about: str,
    areas: str,
    members: Mapping[str, Any] = MappingProxyType({}),
) -> Mutant:
    """Return an Adam of a dialect with these lines and members."""
    own = {
        "update": stepping(lines),
        "__doc__": about,
        "__module__": __name__,
        "complex": dialect.frame.complex,
    }
    claimed = {"hyper": dialect.hyper, "options": dialect.options, "dialect": dialect.claim}
    cls = type(name, (dialect.frame,), {**own, **claimed, **members})
    words = tuple(dict.fromkeys(areas.split()))
    return Mutant(
        cls, dialect.claim, dialect.options, f"{about} [{dialect.claim} {dialect.options or ''}]", words
    )


def broken(claim: str, text: str, areas: str, **options: str) -> Mutant:
    """Return an Adam of a dialect in which the first line that forms the same name has another text."""
    dialect = next(d for d in DIALECTS if (d.claim, d.options) == (claim, options))
    formed = [line.split(" = ")[0] for _, line in dialect.lines]
    k = formed.index(text.split(" = ")[0])
    lines = (*dialect.lines[:k], (areas, text), *dialect.lines[k + 1 :])
    return made(dialect, lines, "Broken", text, areas)


def mutant(seed: int) -> Mutant:
    """Return the mutant of a seed."""
    rng = random.Random(seed)
    while True:
        dialect = rng.choice(DIALECTS)
        draw = rng.choice((of_node,) * 7 + (of_lines, of_frame, of_frame))
        found = draw(dialect, rng, f"Mutant{seed}")
        if found is not None:
            return found


def of_node(dialect: Dialect, rng: random.Random, name: str) -> Mutant | None:
    """Return an Adam with one node changed; None if nothing can be done to the node that was drawn."""
    lines = dialect.lines
    k = rng.randrange(len(lines))
    areas, line = lines[k]
    statement = ast.parse(line).body[0]
    assert isinstance(statement, ast.Assign)
    node = rng.choice([x for x in ast.walk(statement.value) if isinstance(x, ast.expr)])
    if isinstance(node, ast.Name) and node.id in CALLS:
        return None
    options = list(changes(node, lines[k], rng))
    if not options:
        return None
    change = rng.choice(options)
    assert node.end_col_offset is not None
    text = f"{line[: node.col_offset]}({change.text}){line[node.end_col_offset :]}"
    ahead = "nesterov" if line.startswith("m = ") and looks_ahead(dialect) else ""
    lines = (*lines[:k], (areas, text), *lines[k + 1 :])
    return made(dialect, lines, name, f"{change.about}: {text}", f"{areas} {change.areas} {ahead}")


def looks_ahead(dialect: Dialect) -> bool:
    """True if a wrong m may look like a wrong look-ahead."""
    return any("nesterov" in areas for areas, _ in dialect.lines)


def of_lines(dialect: Dialect, rng: random.Random, name: str) -> Mutant | None:
    """Return an Adam with one line left out, made twice, or in another place."""
    other = moved_lines(dialect.lines, rng)
    if other is None:
        return None
    lines, about, areas = other
    return made(dialect, lines, name, about, f"{areas} nesterov" if looks_ahead(dialect) else areas)


def of_frame(dialect: Dialect, rng: random.Random, name: str) -> Mutant | None:
    """Return an Adam with a change around its step; None if its frame has a method of its own for that."""
    around = rng.choice(AROUND)
    if around.name in ("all", "missed", "tick") and dialect.frame is not Frame:
        return None
    return made(dialect, dialect.lines, name, around.about, around.areas, {around.name: around.made})
