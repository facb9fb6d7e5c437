"""What is known of a run so far, as it goes into the file: see "The file" in docs/audit.md."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from adamcore.backends.io.safetensors import Tensor
from adamcore.config import MOMENT_DTYPES
from adamcore.conformance.audit.arrays import COMPLEX, as_real

SCHEMA = "adamcore-recording/2"
STORED = (*MOMENT_DTYPES, "p_storage")  #: the fields of Adam that say how arrays are kept
FAULTS = 20  #: faults of a recorder that are told one by one

Json = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What a parameter group says of itself in one step."""

    hyper: Mapping[str, float]  #: lr, b1, b2, ...
    options: Mapping[str, str] = field(default_factory=dict)  #: those of the dialect, as --set takes them
    axes: Mapping[str, Any] | None = None  #: its value on every axis, where the group says so
    dialect: str | None = None
    note: str = ""  #: why that dialect, where the class alone does not say it
    storage: Mapping[str, str] = field(default_factory=dict)  #: those of STORED that are given

    def changes(self, before: Settings) -> Json:
        """Return what is other than it was; the learning rate is kept apart."""
        pairs = (
            ("hyper", self.hyper, before.hyper),
            ("settings", self.options, before.options),
            ("axes", self.axes or {}, before.axes or {}),
        )
        found = {
            name: {k: v for k, v in new.items() if k != "lr" and (k not in old or old[k] != v)}
            for name, new, old in pairs
        }
        return {name: values for name, values in found.items() if values}


@dataclass(frozen=True)
class State:
    """The state of a parameter that was found before a step; zeros where there is no array."""

    t: int = 0
    mu_product: float = 1.0
    arrays: Mapping[str, Tensor] = field(default_factory=dict)  #: "m", "v", "v_max"


@dataclass(frozen=True)
class ParamStep:
    """What one parameter was given in one step, and what came out."""

    group: int  #: the parameter group that it was in
    before: Tensor
    grad: Tensor | None
    after: Tensor
    frozen: bool = False  #: stands still whatever its gradient
    mask: Tensor | None = None  #: the elements that a sparse gradient lists; the others stand still
    state: State | None = None  #: where it is not the one that the step before left


class Log:
    """The steps of a run."""

    def __init__(self) -> None:
        self.steps = 0
        self.tensors: dict[str, Tensor] = {}
        self.faults: list[str] = []
        self._untold = 0
        self._settings: list[list[tuple[int, Settings]]] = []  # of each group, from which step on
        self._members: dict[str, list[tuple[int, int | None]]] = {}  # of each parameter: from when in which
        self._frozen: dict[str, list[int]] = {}
        self._states: dict[str, dict[int, State]] = {}
        self._complex: set[str] = set()

    def enter(self, params: Mapping[str, ParamStep], settings: Sequence[Settings]) -> None:
        """Enter one step; a parameter that is not among ``params`` is not in the optimizer now."""
        k = self.steps + 1
        for i, now in enumerate(settings):
            if i == len(self._settings):
                self._settings.append([])
            if not self._settings[i] or self._settings[i][-1][1] != now:
                self._settings[i].append((k, now))
        for name in self._members.keys() - params.keys():
            self._join(name, k, None)
        for name, entry in params.items():
            self._join(name, k, entry.group)
            arrays = {"grad": entry.grad, "after": entry.after, "mask": entry.mask}
            if entry.before != self.tensors.get(f"after/{k - 1}/{name}"):  # the first step, or changed since
                arrays["before"] = entry.before
            if entry.state is not None:
                arrays |= entry.state.arrays
                self._states.setdefault(name, {})[k] = entry.state
            if entry.frozen:
                self._frozen.setdefault(name, []).append(k)
            if entry.after.dtype in COMPLEX:
                self._complex.add(name)
            self.tensors |= {f"{kind}/{k}/{name}": x for kind, x in arrays.items() if x is not None}
        self.steps = k

    def _join(self, name: str, k: int, group: int | None) -> None:
        history = self._members.setdefault(name, [])
        if not history or history[-1][1] != group:
            history.append((k, group))

    def fault(self, text: str) -> None:
        """Keep what went wrong in the recorder, and warn of the first."""
        if len(self.faults) < FAULTS:
            self.faults.append(f"step {self.steps + 1}: {text}")
        else:
            self._untold += 1
        if len(self.faults) == 1 and not self._untold:
            warn(f"adamcore's recorder: {self.faults[0]}; the training goes on, and the recording says so")

    def run(self, by: str) -> Json:
        """Return the metadata of the file."""
        faults = [*self.faults, f"and {self._untold} more"] if self._untold else self.faults
        return {
            "schema": SCHEMA, "steps": self.steps, "by": by, "faults": faults,
            "groups": self._groups(),
        }  # fmt: skip

    def arrays(self) -> dict[str, Tensor]:
        """Return the arrays of the file."""
        return {name: as_real(x) for name, x in self.tensors.items()}

    def _groups(self) -> list[Json]:
        """Return the parameters that were in the same groups at every step, with the settings of those."""
        alike: dict[tuple[tuple[int, int | None], ...], list[str]] = {}
        for name, history in self._members.items():
            alike.setdefault(tuple(history), []).append(name)
        return [self._group(history, names) for history, names in alike.items()]

    def _group(self, history: Sequence[tuple[int, int | None]], names: Sequence[str]) -> Json:
        ends = [*history, (self.steps + 1, None)]
        found: list[tuple[int, Settings]] = []
        away = [[1, history[0][0] - 1]] if history[0][0] > 1 else []
        for (first, group), (end, _) in pairwise(ends):
            if group is None:
                away.append([first, end - 1])
                continue
            started = [s for k, s in self._settings[group] if k <= first][-1:]
            found += [(first, s) for s in started]
            found += [(k, s) for k, s in self._settings[group] if first < k < end]
        start = found[0][1]
        made: Json = {
            "params": list(names), "dialect": start.dialect, "settings": dict(start.options),
            "hyper": dict(start.hyper), "lr": [],
        }  # fmt: skip
        changes = {str(k): new.changes(old) for (_, old), (k, new) in pairwise(found)}
        rates = [start.hyper["lr"]] * (found[0][0] - 1) if "lr" in start.hyper else []
        for (k, s), (end, _) in pairwise([*found, (self.steps + 1, start)]):
            rates += [s.hyper["lr"]] * (end - k) if "lr" in s.hyper else []
        made["lr"] = rates
        extra: Json = {
            "changes": {k: change for k, change in changes.items() if change},
            "axes": None if start.axes is None else dict(start.axes),
            "note": start.note,
            **start.storage,
            "away": away,
            "frozen": {n: ranges(self._frozen[n]) for n in names if n in self._frozen},
            "states": {
                n: {str(k): {"t": s.t, "mu_product": s.mu_product} for k, s in self._states[n].items()}
                for n in names
                if n in self._states
            },
            "complex": [n for n in names if n in self._complex],
        }
        return made | {name: value for name, value in extra.items() if value}


def ranges(steps: Iterable[int]) -> list[list[int]]:
    """Return ascending numbers as ranges with both ends.

    >>> ranges([1, 2, 3, 7])
    [[1, 3], [7, 7]]
    """
    found: list[list[int]] = []
    for k in steps:
        if found and found[-1][1] == k - 1:
            found[-1][1] = k
        else:
            found.append([k, k])
    return found


def warn(text: str) -> None:
    """Warn, and go on also where warnings are made errors: no recorder ends a training."""
    with contextlib.suppress(RuntimeWarning):
        warnings.warn(text, RuntimeWarning, stacklevel=2)


def as_json(run: Json) -> str:
    """Return the metadata as text."""
    return json.dumps(run)
