"""Maps from the names and shapes of one model to those of another (docs/moving.md).

A map is a dictionary, new name -> where it comes from: an old name, or a dictionary with "from" and with
the steps that are made of the old array, in the order in which they are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adamcore.errors import CheckpointError

Array = npt.NDArray[Any]

JOINS = ("stack", "concat")  #: several arrays become one, along a new axis or along one that is there
DIVISIONS = ("unstack", "split")  #: one array becomes several, in the same two ways
SHAPES = ("axes", "reshape", "squeeze", "unsqueeze")
FORM = (
    'expected an old name, or {"from": old name or names} with steps among '
    + ", ".join((*SHAPES, *JOINS, *DIVISIONS))
    + ' (docs/moving.md), such as {"from": "dense.weight", "axes": [1, 0]}'
)


class Step(NamedTuple):
    """One thing that is done with arrays."""

    name: str  #: in :data:`SHAPES`, :data:`JOINS` or :data:`DIVISIONS`
    argument: Any  #: an axis, or a list of axes or lengths
    sizes: list[int] | None = None  #: of the parts of a split, None if they are equal


class Entry(NamedTuple):
    """One entry of a map."""

    target: str  #: the new name; ``{}`` in it stands for several
    sources: list[str]  #: the old names, in which ``{}`` stands for a number
    steps: list[Step]
    names: list[str] | None  #: what takes the place of ``{}`` in the new names

    @property
    def join(self) -> str:
        """The step that makes one array of several, "" if there is none."""
        return next((step.name for step in self.steps if step.name in JOINS), "")


def parse(names: Mapping[str, Any]) -> list[Entry]:
    """Return the entries of a map.

    Raises:
        CheckpointError: an entry has another form.

    Example:
        >>> parse({"kernel": {"from": "weight", "axes": [1, 0]}})[0].steps
        [Step(name='axes', argument=[1, 0], sizes=None)]
    """
    return [parse_entry(new, entry) for new, entry in names.items()]


def parse_entry(new: str, entry: Any) -> Entry:
    """Return one entry."""
    if isinstance(entry, str):
        return Entry(new, [entry], [], None)
    steps = steps_of(entry) if isinstance(entry, Mapping) else None
    if steps is None:
        raise CheckpointError(f"{new!r} is given {shown(entry)}: {FORM}")
    sources, labels = entry.get("from"), entry.get("names")
    listing = [sources] if isinstance(sources, str) else sources
    if not is_list(listing, str) or not (labels is None or is_list(labels, str)):
        raise CheckpointError(f"{new!r} is given {shown(entry)}: {FORM}")
    result = Entry(new, list(listing), steps, labels)
    many = len(listing) > 1 or ("{}" in listing[0] and "{}" not in new)
    if many and not result.join:
        raise CheckpointError(f"{new!r} comes from several arrays: expected stack or concat among its steps")
    if result.join and not many:
        raise CheckpointError(
            f"{new!r}: {result.join} needs several arrays: expected several names in from, or one with {{}}"
        )
    divided = [step for step in steps if step.name in DIVISIONS]
    if len(divided) > 1 or sum(step.name in JOINS for step in steps) > 1:
        raise CheckpointError(f"{new!r}: expected at most one join and one division; make two maps of it")
    if divided and "{}" not in new:
        raise CheckpointError(
            f"{new!r}: {divided[0].name} makes several arrays: expected a new name with {{}}"
        )
    if divided and divided[0].name == "split" and divided[0].sizes is None and labels is None:
        raise CheckpointError(f"{new!r}: split needs the sizes of the parts, or names for equal parts")
    return result


def steps_of(entry: Mapping[str, Any]) -> list[Step] | None:
    """Return the steps of an entry in their order, or None if they have another form."""
    groups = [{k: x for k, x in entry.items() if k not in ("from", "names", "steps")}]
    more = entry.get("steps", [])
    if not isinstance(more, list) or not all(isinstance(each, Mapping) for each in more):
        return None
    steps = []
    for group in [*groups, *more]:
        sizes = group.get("sizes")
        if sizes is not None and (not is_list(sizes, int) or "split" not in group):
            return None
        for name, argument in group.items():
            if name == "sizes" or argument is None:
                continue
            wanted = is_list(argument, int) if name in ("axes", "reshape") else is_axis(argument)
            if name in ("squeeze", "unsqueeze"):
                wanted = is_axis(argument) or is_list(argument, int)
            if name not in (*SHAPES, *JOINS, *DIVISIONS) or not wanted:
                return None
            steps.append(Step(name, argument, sizes if name == "split" else None))
    return steps


def is_axis(x: object) -> bool:
    """True for a whole number."""
    return type(x) is int


def is_list(x: object, kind: type) -> bool:
    """True for a list with at least one element, all of this type."""
    return isinstance(x, list | tuple) and bool(x) and all(type(each) is kind for each in x)


def shown(entry: object) -> str:
    """Return an entry for a message."""
    try:
        return json.dumps(entry)[:200]
    except (TypeError, ValueError):
        return repr(entry)[:200]


class Change(NamedTuple):
    """What makes new arrays of old ones; all of them have one clock."""

    entry: Entry
    target: str
    sources: list[str]

    @property
    def renames(self) -> bool:
        """True if an array only gets another name."""
        return not self.entry.steps and len(self.sources) == 1 and "{}" not in self.target

    def apply(self, arrays: Sequence[Array]) -> dict[str, Array]:
        """Return the new arrays by their names.

        Raises:
            CheckpointError: a step is none for the shapes of the arrays.
        """
        made = list(arrays)
        for step in self.entry.steps:
            try:
                made = STEPS[step.name](made, step, self.entry)
            except (ValueError, IndexError, TypeError) as error:
                shapes = ", ".join(map(str, dict.fromkeys(x.shape for x in made)))
                raise CheckpointError(
                    f"{self.target!r}, from {', '.join(map(repr, self.sources[:3]))}: "
                    f"{step.name}={step.argument} can't be made of shape {shapes} ({error})"
                ) from error
        if "{}" not in self.target:
            return {self.target: made[0]}
        labels = self.entry.names or [str(k) for k in range(len(made))]
        if len(labels) != len(made):
            raise CheckpointError(
                f"{self.target!r}: {len(labels)} names for {len(made)} arrays: expected as many"
            )
        return {self.target.replace("{}", label, 1): x for label, x in zip(labels, made, strict=True)}


def changes(names: Mapping[str, Any], old: Iterable[str]) -> list[Change]:
    """Return what a map changes, one change for each clock.

    Args:
        names: the map.
        old: the names that there are.

    Raises:
        CheckpointError: the map has another form, or names what is not there.
    """
    there = list(old)
    return [change for entry in parse(names) for change in changes_of(entry, there)]


def changes_of(entry: Entry, there: list[str]) -> list[Change]:
    """Return the changes of one entry."""
    patterns = [source for source in entry.sources if "{}" in source and source not in there]
    if not patterns:
        for source in entry.sources:
            if source not in there:
                near = ", ".join(map(repr, there[:4])) + (
                    f" and {len(there) - 4} more" if len(there) > 4 else ""
                )
                raise CheckpointError(
                    f"{entry.target} is to come from {source!r}, which is not there: {near or 'none'}"
                )
        return [Change(entry, entry.target, entry.sources)]
    numbers = numbers_in(patterns[0], there)
    if not numbers:
        raise CheckpointError(
            f"{entry.target}: no name is {patterns[0]!r} with a number: {', '.join(there[:4])}"
        )
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise CheckpointError(
            f"{entry.target}: the numbers in {patterns[0]!r} are {', '.join(map(str, numbers[:8]))}, ...: "
            "expected them without gaps"
        )
    if "{}" in entry.target and not (entry.join and len(entry.sources) == 1):
        each = [
            (entry.target.replace("{}", str(n), 1), [s.replace("{}", str(n), 1) for s in entry.sources])
            for n in numbers
        ]
    elif len(entry.sources) > 1:
        raise CheckpointError(f"{entry.target}: expected one name with {{}} to join; make two maps of it")
    else:
        each = [(entry.target, [patterns[0].replace("{}", str(n), 1) for n in numbers])]
    lacking = [source for _, sources in each for source in sources if source not in there]
    if lacking:
        raise CheckpointError(f"{entry.target} is to come from {lacking[0]!r}, which is not there")
    return [Change(entry, target, sources) for target, sources in each]


def numbers_in(pattern: str, there: Iterable[str]) -> list[int]:
    """Return the numbers that stand for ``{}`` in the names that there are, in their order.

    >>> numbers_in("h.{}.w", ["h.10.w", "h.9.w", "h.9.b"])
    [9, 10]
    """
    before, _, after = pattern.partition("{}")
    match = re.compile(re.escape(before) + r"(0|[1-9]\d*)" + re.escape(after)).fullmatch
    return sorted(int(found[1]) for name in there if (found := match(name)))


def transposed(arrays: list[Array], step: Step, entry: Entry) -> list[Array]:
    """Return the arrays with their axes permuted."""
    for x in arrays:
        if sorted(step.argument) != list(range(x.ndim)):
            raise ValueError("expected each of its axes once")
    return [np.transpose(x, step.argument) for x in arrays]


def divided(arrays: list[Array], step: Step, entry: Entry) -> list[Array]:
    """Return the parts of an array along an axis."""
    (x,) = arrays
    length = x.shape[step.argument]
    parts = len(entry.names or [])
    if step.sizes is None and length % parts:
        raise ValueError(f"{parts} equal parts of a length of {length}")
    sizes = step.sizes if step.sizes is not None else [length // parts] * parts
    if sum(sizes) != length or min(sizes) < 0:
        raise ValueError(f"the sizes {sizes} make {sum(sizes)}: expected {length}")
    return list(np.split(x, np.cumsum(sizes)[:-1], axis=step.argument))


def unstacked(arrays: list[Array], step: Step, entry: Entry) -> list[Array]:
    """Return the parts of an array along an axis, which they lose."""
    (x,) = arrays
    return [np.take(x, k, axis=step.argument) for k in range(x.shape[step.argument])]


def alike(arrays: list[Array]) -> list[Array]:
    """Return the arrays, which have one dtype."""
    if len({x.dtype for x in arrays}) > 1:
        raise ValueError("expected arrays of one dtype")
    return arrays


def axes_of(step: Step) -> tuple[int, ...]:
    """Return one axis or several as a tuple."""
    return (step.argument,) if is_axis(step.argument) else tuple(step.argument)


STEPS: dict[str, Callable[[list[Array], Step, Entry], list[Array]]] = {
    "axes": transposed,
    "reshape": lambda arrays, step, _: [np.reshape(x, step.argument) for x in arrays],
    "squeeze": lambda arrays, step, _: [np.squeeze(x, axes_of(step)) for x in arrays],
    "unsqueeze": lambda arrays, step, _: [np.expand_dims(x, axes_of(step)) for x in arrays],
    "stack": lambda arrays, step, _: [np.stack(alike(arrays), step.argument)],
    "concat": lambda arrays, step, _: [np.concatenate(alike(arrays), step.argument)],
    "split": divided,
    "unstack": unstacked,
}
