"""Porting: the lines of Python with which another framework has the same Adam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from adamcore import Adam
from adamcore.config import HYPERPARAMETERS
from adamcore.conformance.compare.compare import (
    FREEZE,
    STEPS,
    Match,
    adam_of_row,
    arguments_of,
    nearest_match,
)
from adamcore.dialects import DIALECTS, Dialect, dialect
from adamcore.errors import DialectError

ORDER = ("identical", "exact", "approximate", "different")

#: The first argument of a constructor.
FIRST = {"torch": "model.parameters(), ", "timm": "model.parameters(), ", "apex": "model.parameters(), "}


class OwnOptimizer(NamedTuple):
    """The optimizer of adamcore for a framework: its import, its call, and its names of hyperparameters.

    A hyperparameter that ``names`` does not have keeps adamcore's name.
    """

    import_line: str
    call: str
    names: Mapping[str, str]


KERAS_NAMES = {"lr": "learning_rate", "b1": "beta_1", "b2": "beta_2", "eps": "epsilon"}
OWN_OPTIMIZERS = {
    "optax": OwnOptimizer(
        "from adamcore.backends.jax import adam", "optimizer = adam({})", {"lr": "learning_rate"}
    ),
    "torch": OwnOptimizer(
        "from adamcore.backends.torch import Adam", "optimizer = Adam(model.parameters(), {})", {}
    ),
    "keras": OwnOptimizer("from adamcore.backends.keras import Adam", "optimizer = Adam({})", KERAS_NAMES),
}


@dataclass(frozen=True)
class Port:
    """The row to use, how near it comes, and the lines to write."""

    row: Dialect
    match: Match
    text: str


def port(source: str, target: str, *, steps: int = STEPS, **given: Any) -> Port:
    """Return the row of a framework that is nearest to a dialect, as lines of Python.

    Args:
        source: a row of the table of dialects.
        target: a row, or a framework: the part of a row's name before the dot.
        steps: the length of the run that proves it.
        given: hyperparameters that differ from the source's defaults.

    Raises:
        DialectError: no such row or framework, or none of its constructors has the arguments.

    Example:
        >>> port("torch.AdamW", "optax", steps=3, lr=3e-4).text.splitlines()[0]
        'import optax'
    """
    a = adam_of_row(dialect(source), **given)
    rows = [dialect(target)] if target in DIALECTS else family(target)
    found: list[tuple[tuple[int, float, int, int], Dialect, Match, dict[str, Any]]] = []
    for number, row in enumerate(rows):
        m = nearest_match(a, row, steps)
        try:
            arguments = arguments_of(m.adam, row)
        except DialectError:
            continue
        key = (ORDER.index(m.verdict), max(m.gaps), len(arguments), number)
        found.append((key, row, m, arguments))
    if not found:
        raise DialectError(f"no constructor of {target} can be written for {source}")
    _, row, m, arguments = min(found, key=lambda each: each[0])
    return Port(row, m, port_text(source, a, row, m, arguments))


def family(name: str) -> list[Dialect]:
    """Return the rows of a framework.

    Raises:
        DialectError: there is no such framework.
    """
    rows = [
        row
        for key, row in DIALECTS.items()
        if key.split(".")[0] == name and row.targets and "sparse gradients only" not in row.outside
    ]
    if not rows:
        known = sorted({key.split(".")[0] for key, row in DIALECTS.items() if row.targets})
        raise DialectError(
            f"no framework {name!r}: expected one of {', '.join(known)}, or a dialect's full name"
        )
    return rows


def port_text(source: str, a: Adam, row: Dialect, m: Match, arguments: dict[str, Any]) -> str:
    """Return the lines, with comments on how near they come."""
    module, _, attribute = row.targets[0].partition(":")
    written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    lines = [
        f"import {module}",
        f"optimizer = {module}.{attribute}({FIRST.get(module.split('.')[0], '')}{written})",
    ]
    if m.verdict == "identical":
        lines.append(f"# {source}, the same trajectory in the real numbers")
    elif m.verdict == "exact":
        lines.append(f"# {source}, the same trajectory up to the rounding of these numbers")
    else:
        word = "nearly" if m.verdict == "approximate" else "not"
        lines.append(f"# {word} {source}: up to {max(m.gaps):.2g} lr away in {len(m.gaps)} steps")
        lines.append(f"# it differs in {', '.join(m.lacking)}")
    lines += [f"# {change}" for change in m.changes]
    if m.scheduled:
        lines.append("# (the learning rate here is the one that the schedule multiplies)")
    quiet = [x for x in FREEZE if getattr(a, x) != getattr(m.adam, x)]
    if quiet:
        lines.append(f"# where gradients are absent it does otherwise ({', '.join(quiet)})")
    own = OWN_OPTIMIZERS.get(row.name.split(".")[0])
    if own is not None and m.verdict in ("approximate", "different"):
        default = adam_of_row(dialect(source))
        changed = [n for n in HYPERPARAMETERS if n == "lr" or getattr(a, n) != getattr(default, n)]
        arguments = {own.names.get(name, name): getattr(a, name) for name in changed} | {"dialect": source}
        call = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        lines += ["", "# exactly:", own.import_line, own.call.format(call)]
    return "\n".join(lines) + "\n"
