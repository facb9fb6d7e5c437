"""The canonical form of a state: the moments and the clock of each parameter, by the parameter's name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adamcore.adam import Adam
from adamcore.backends.states.maps import Change, changes
from adamcore.coefficients import MAX_CLOCK, Host
from adamcore.definition import coefficients
from adamcore.errors import CheckpointError, ClockError, ConversionError

Array = npt.NDArray[Any]
EDITION = "2026.1"  #: of docs/spec.md, in every file


class Coded(NamedTuple):
    """A moment in 8 bits as it was kept (STORE.9)."""

    policy: str  #: a value of ``m_storage`` and ``v_storage``
    codes: Array  #: of the parameter's shape
    scales: Array  #: a vector


@dataclass(frozen=True, eq=False)
class Moments:
    """The state of one parameter.

    Attributes:
        t: the number of updates made.
        m, v: the first and the second moment, arrays of the parameter's shape.
        v_max: AMSGrad's maximum, of the same shape; None without AMSGrad.
        mu_product: the product of Dozat's momentum schedule; None without that schedule.
        p_rest: what ``p_storage`` keeps of the parameter (STORE.1), of the same shape; None if nothing.
        coded: the codes and scales of which ``m``, ``v`` or ``v_max`` are the numbers, by these names; empty
            without moments in 8 bits.

    Raises:
        ClockError: ``t`` is no whole number from 0 to 2**31 - 1.
        CheckpointError: the arrays have different shapes, or no numbers.
    """

    t: int
    m: Array
    v: Array
    v_max: Array | None = None
    mu_product: float | None = None
    p_rest: Array | None = None
    coded: Mapping[str, Coded] = field(default_factory=dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({"coded": {}} | state)  # pickles of version 0.1 have none

    def __post_init__(self) -> None:
        if type(self.t) is not int or not 0 <= self.t <= MAX_CLOCK:
            raise ClockError(f"t={self.t!r}: expected a whole number from 0 to {MAX_CLOCK}")
        for name in ("m", "v", "v_max", "p_rest"):
            x = getattr(self, name)
            if x is not None and (x.dtype.kind not in "biufcV" or x.dtype.name.startswith("void")):
                raise CheckpointError(f"{name} has dtype {x.dtype}: expected numbers")
            if x is not None and x.shape != self.m.shape:
                raise CheckpointError(f"{name} has shape {x.shape} and m {self.m.shape}: expected the same")


@dataclass(frozen=True, eq=False)
class NamedState:
    """The state of a model's parameters, by their names.

    Attributes:
        adam: the Adam that made the state: hyperparameters and axes.
        leaves: the moments of each parameter, by its name.
        special: by a parameter's name, the hyperparameters that differ from those of ``adam``.
        dialect: the row of :mod:`adamcore.dialects` that made the state; "" if it is not known.

    Example:
        >>> one = Moments(3, np.zeros(2), np.ones(2))
        >>> state = NamedState(Adam(), {"layer.weight": one})
        >>> list(state.renamed({"dense/kernel": "layer.weight"}).leaves)
        ['dense/kernel']
    """

    adam: Adam
    leaves: Mapping[str, Moments]
    special: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dialect: str = ""

    def renamed(self, names: Mapping[str, Any]) -> NamedState:
        """Return the state under other names, and in other shapes.

        Args:
            names: new name -> old name, for every parameter; or -> {"from": old name, ...} with steps that
                permute the axes of the arrays, reshape, squeeze, join or divide them (docs/moving.md).
                {"from": "weight", "axes": [1, 0]} makes a kernel of PyTorch's Linear.weight.

        Raises:
            CheckpointError: the state has no such old name, ``names`` leaves out a parameter or has another
                form, a step is none for the shapes, or arrays with different clocks are joined.
        """
        leaves: dict[str, Moments] = {}
        special: dict[str, Mapping[str, Any]] = {}
        taken = set()
        for change in changes(names, self.leaves):
            new = self.changed(change)
            unique([*leaves, *new])
            leaves |= new
            first = change.sources[0]
            special |= dict.fromkeys(new, self.special[first]) if first in self.special else {}
            taken |= set(change.sources)
        left = [name for name in self.leaves if name not in taken]
        if left:
            raise CheckpointError(f"no name is given for {listed(left)}: expected one for every parameter")
        return replace(self, leaves=leaves, special=special)

    def changed(self, change: Change) -> dict[str, Moments]:
        """Return the new leaves that a change makes of its sources.

        Raises:
            CheckpointError: their clocks or hyperparameters differ, or only some have a maximum.
        """
        first, *others = change.sources
        one = self.leaves[first]
        for name in others:
            other = self.leaves[name]
            if other.t != one.t:
                differ = f"the clocks of {first!r} and {name!r} differ ({one.t}, {other.t})"
            elif (other.v_max is None) != (one.v_max is None):
                differ = "some parameters have a maximum of v and others don't"
            elif (other.p_rest is None) != (one.p_rest is None):
                differ = "the state keeps a part of some parameters and not of others"
            elif self.special.get(name) != self.special.get(first) or other.mu_product != one.mu_product:
                differ = f"the hyperparameters of {first!r} and {name!r} differ"
            else:
                continue
            raise CheckpointError(f"{change.target!r}: {differ}: expected the same of arrays that are joined")
        found = [self.leaves[name] for name in change.sources]
        m, v = (change.apply([getattr(leaf, part) for leaf in found]) for part in ("m", "v"))
        v_max, p_rest = (
            change.apply([getattr(leaf, part) for leaf in found]) if getattr(one, part) is not None else {}
            for part in ("v_max", "p_rest")
        )
        coded = one.coded if change.renames else {}  # other shapes have other blocks
        return {
            name: replace(
                one, m=m[name], v=v[name], v_max=v_max.get(name), p_rest=p_rest.get(name), coded=coded
            )
            for name in m
        }

    def refuse_rests(self, target: str) -> None:
        """Raise ConversionError if the state has a part of parameters, for which ``target`` has no place."""
        kept = [name for name, leaf in self.leaves.items() if leaf.p_rest is not None]
        if kept:
            raise ConversionError(
                f"{target} has no place for what p_storage={self.adam.p_storage!r} keeps "
                f"of {listed(kept)} beside the moments: fit the state to a plain one first (fit(..., "
                "accept=['p_storage']), on the command line --as NAME --accept p_storage); parameters then "
                "lose those bits"
            )

    def warn_of_own(self, target: str, there: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> None:
        """Warn of hyperparameters that single parameters have, and which ``target`` has no place for.

        Args:
            target: what the state is converted to.
            there: those that it has, by the names of parameters.
        """
        left = {
            name: [k for k, x in each.items() if there.get(name, {}).get(k, getattr(self.adam, k)) != x]
            for name, each in self.special.items()
        }
        names = [name for name, keys in left.items() if keys]
        if names:
            keys = dict.fromkeys(k for each in left.values() for k in each)
            warnings.warn(
                f"left out: {', '.join(keys)} of {listed(names)}, which is another than that of all: "
                f"{target} has no place for it; the program that goes on has to give it, such as by a mask",
                stacklevel=3,
            )

    def match(self, names: Iterable[str]) -> list[Moments]:
        """Return the moments of these parameters, in the order of ``names``.

        Raises:
            CheckpointError: the state has other names.
        """
        wanted = list(names)
        lacking = [name for name in wanted if name not in self.leaves]
        extra = [name for name in self.leaves if name not in set(wanted)]
        if lacking or extra:
            raise CheckpointError(
                "the names differ: "
                + "; ".join(
                    [f"no state for {listed(lacking)}"] * bool(lacking)
                    + [f"no parameter for {listed(extra)}"] * bool(extra)
                )
                + "; expected the same on both sides, give a mapping of names (`renamed`)"
            )
        return [self.leaves[name] for name in wanted]

    def adam_of(self, name: str) -> Adam:
        """Return the Adam of one parameter."""
        return replace(self.adam, **self.special.get(name, {}))

    def one_clock(self) -> int | None:
        """Return the clock that all parameters share, or None if their clocks differ."""
        clocks = {leaf.t for leaf in self.leaves.values()}
        return clocks.pop() if len(clocks) == 1 else None if clocks else 0


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return the first names, for a message.

    >>> listed("abcdef")
    "'a', 'b', 'c', 'd' and 2 more"
    """
    found = [repr(name) for name in names]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return (", ".join(found[:most]) or "none") + more


def dotted(path: str) -> str:
    """Return a path of any library with dots between its parts.

    >>> dotted("['layers'][0]['w']"), dotted(".layers[0].weight"), dotted("['layers']['']"), dotted("")
    ('layers.0.w', 'layers.0.weight', 'layers.', '')
    """
    parts = re.findall(r"\[(?:'([^']*)'|\"([^\"]*)\"|<flat index (\d+)>|(\w+))\]|\.?(\w+)", path)
    return ".".join(max(part, key=len) for part in parts)  # of the groups, only one has matched


def unique(names: list[str]) -> list[str]:
    """Return the names.

    Raises:
        CheckpointError: two names are equal.
    """
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CheckpointError(f"two parameters are called {twice!r}: expected a name for each")
    return names


def product_of(adam: Adam, t: int) -> float:
    """Return the product of Dozat's momentum schedule after ``t`` updates."""
    mu: Any = 1.0
    for k in range(1, t + 1):
        mu = coefficients(Host(), adam, k, 1.0, mu).mu_product
    return float(mu)


def numpy_of(x: Any) -> Array:
    """Return a copy of an array of any library in NumPy.

    PyTorch's bfloat16 becomes that of ml_dtypes, or float32 without ml_dtypes.
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        if str(x.dtype) == "torch.bfloat16":
            try:
                import ml_dtypes
            except ImportError:
                return np.array(x.float().numpy())
            return np.array(x.float().numpy()).astype(ml_dtypes.bfloat16)
        x = x.resolve_conj().numpy()
    return np.array(x)


def whole_number(value: Any, where: str) -> int:
    """Return a clock that is stored as a number of any kind; ``where`` names it in messages.

    Raises:
        ClockError: it is no whole number.
    """
    try:
        array = numpy_of(value)
        number = float(array.reshape(-1)[0]) if array.size == 1 else float("nan")
    except (TypeError, ValueError, RuntimeError):
        number = float("nan")
    if not number.is_integer():
        raise ClockError(f"{where} is {value}: expected a whole number, the updates made so far")
    return int(number)
