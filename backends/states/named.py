"""The canonical state: what Adam remembers of each parameter, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from adamcore.adam import Adam
from adamcore.coefficients import MAX_CLOCK, Host
from adamcore.definition import coefficients
from adamcore.errors import CheckpointError, ClockError
from adamcore.state import AdamState
from adamcore.trees import ParamTree
from adamcore.types import Tree

Array = npt.NDArray[Any]
EDITION = "2026.1"  #: of docs/spec.md, in every file


@dataclass(frozen=True, eq=False)
class Moments:
    """One parameter's state: the number of updates made, and arrays of the parameter's shape.

    Raises:
        ClockError: ``t`` is no whole number from 0 to 2**31 - 1.
        CheckpointError: arrays of different shapes.
    """

    t: int
    m: Array
    v: Array
    v_max: Array | None = None
    mu_product: float | None = None

    def __post_init__(self) -> None:
        if type(self.t) is not int or not 0 <= self.t <= MAX_CLOCK:
            raise ClockError(f"t={self.t!r}: expected a whole number from 0 to {MAX_CLOCK}")
        for name in ("v", "v_max"):
            x = getattr(self, name)
            if x is not None and x.shape != self.m.shape:
                raise CheckpointError(f"{name} has shape {x.shape} and m {self.m.shape}: expected the same")

    def arranged(self, axes: Iterable[int] | None) -> Moments:
        """With the axes of the arrays permuted, as :func:`numpy.transpose`."""
        if axes is None:
            return self
        order = tuple(axes)
        m, v, v_max = (None if x is None else np.transpose(x, order) for x in (self.m, self.v, self.v_max))
        assert m is not None
        assert v is not None
        return replace(self, m=m, v=v, v_max=v_max)


@dataclass(frozen=True, eq=False)
class NamedState:
    """The state of a model's parameters, by their names.

    Attributes:
        adam: the Adam that made it: hyperparameters and axes.
        leaves: for each parameter's name its moments.
        special: hyperparameters of single parameters (of their group), where they differ.
        dialect: the row of the table that it came from, if known.

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
        """The parameters that ``names`` lists, under the names it gives them.

        Args:
            names: new name -> old name, or {"from": old name, "axes": [1, 0]} to permute the axes
                of the arrays besides (PyTorch's Linear.weight is the transpose of a kernel).

        Raises:
            CheckpointError: an old name that is not there, or a parameter that no entry takes.
        """
        leaves: dict[str, Moments] = {}
        special: dict[str, Mapping[str, Any]] = {}
        taken = set()
        for new, entry in names.items():
            old, axes = (entry, None) if isinstance(entry, str) else (entry["from"], entry.get("axes"))
            if old not in self.leaves:
                raise CheckpointError(
                    f"{new} is to come from {old!r}, which is not there: {listed(self.leaves)}"
                )
            leaves[new] = self.leaves[old].arranged(axes)
            special |= {new: self.special[old]} if old in self.special else {}
            taken.add(old)
        left = [name for name in self.leaves if name not in taken]
        if left:
            raise CheckpointError(f"no name is given for {listed(left)}: expected one for every parameter")
        return replace(self, leaves=leaves, special=special)

    def match(self, names: Iterable[str]) -> list[Moments]:
        """The moments under these names, in their order.

        Raises:
            CheckpointError: the names are not those of the state.
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
        """The Adam of one parameter."""
        return replace(self.adam, **self.special.get(name, {}))

    def one_clock(self) -> int | None:
        """The clock that all share; None if they differ."""
        clocks = {leaf.t for leaf in self.leaves.values()}
        return clocks.pop() if len(clocks) == 1 else None if clocks else 0


def listed(names: Iterable[str], most: int = 4) -> str:
    """The first of some names.

    >>> listed("abcdef")
    "'a', 'b', 'c', 'd' and 2 more"
    """
    found = [repr(name) for name in names]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return (", ".join(found[:most]) or "none") + more


def dotted(path: str) -> str:
    """A path as libraries write it, in dots.

    >>> dotted("['layers'][0]['w']"), dotted(".layers[0].weight"), dotted("")
    ('layers.0.w', 'layers.0.weight', '')
    """
    parts = re.findall(r"\[(?:'([^']*)'|\"([^\"]*)\"|<flat index (\d+)>|(\w+))\]|\.?(\w+)", path)
    return ".".join(next(p for p in part if p) for part in parts)


def unique(names: list[str]) -> list[str]:
    """The names, if each is there once."""
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CheckpointError(f"two parameters are called {twice!r}: expected a name for each")
    return names


def product_of(adam: Adam, t: int) -> float:
    """The product of Dozat's momentum schedule after ``t`` updates."""
    mu: Any = 1.0
    for k in range(1, t + 1):
        mu = coefficients(Host(), adam, k, 1.0, mu).mu_product
    return float(mu)


def numpy_of(x: Any) -> Array:
    """An array of any library in NumPy; PyTorch's bfloat16 by ml_dtypes, or widened to float32."""
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


def whole(value: Any, where: str) -> int:
    """A clock, stored as a number of any kind.

    Raises:
        ClockError: no whole number.
    """
    array = numpy_of(value)
    number = float(array.reshape(-1)[0]) if array.size == 1 else float("nan")
    if not number.is_integer():
        raise ClockError(f"{where} is {value}: expected a whole number, the updates made so far")
    return int(number)


def from_adam(adam: Adam, state: AdamState, *, dialect: str = "") -> NamedState:
    """The canonical form of an :class:`adamcore.AdamState`, under the dotted paths of its leaves."""
    tree = ParamTree(state.m, "state.m")
    one = adam.clock == "global"
    n = len(tree.leaves)

    def each(part: Tree) -> list[Any]:
        return [None] * n if part is None else tree.match(part, "state")

    ts = [state.t] * n if one else each(state.t)
    products = [state.mu_product] * n if one else each(state.mu_product)
    leaves = {}
    rows = zip(
        tree.backend.paths(state.m), tree.leaves, each(state.v), each(state.v_max), ts, products, strict=True
    )
    unique([dotted(path) for path in tree.backend.paths(state.m)])
    for path, m, v, v_max, t, mu in rows:
        if m is not None:
            leaves[dotted(path)] = Moments(
                whole(t, f"state.t{path}"), numpy_of(m), numpy_of(v),
                None if v_max is None else numpy_of(v_max), None if mu is None else float(mu),
            )  # fmt: skip
    return NamedState(adam, leaves, dialect=dialect)


def to_adam(state: NamedState, adam: Adam, params: Tree) -> AdamState:
    """The :class:`adamcore.AdamState` with which ``adam`` goes on with ``params``.

    Raises:
        CheckpointError: other names or shapes than those of ``params``.
        ConversionError: ``adam`` can't take this state over exactly (see :func:`fit`, which can).
    """
    from adamcore.backends.states.fitting import fit

    state = fit(state, adam)
    start, tree = adam.init(params), ParamTree(params)
    names = [dotted(path) for path in tree.backend.paths(params)]
    present = [name for name, p in zip(names, tree.leaves, strict=True) if p is not None]
    found = dict(zip(present, state.match(unique(present)), strict=True))

    def fill(part: Tree, what: str) -> Tree:
        if part is None:
            return None
        old = tree.match(part, f"state.{what}")
        return tree.like([None if x is None else placed(x, getattr(found[name], what), name)
                          for name, x in zip(names, old, strict=True)])  # fmt: skip

    def placed(old: Any, value: Any, name: str) -> Any:
        if np.shape(value) != tuple(old.shape):
            raise CheckpointError(f"{name} has shape {np.shape(value)}: expected {tuple(old.shape)}")
        return array_like(tree, value, old)

    if adam.clock == "global":
        any_leaf = next(iter(found.values()), Moments(0, np.zeros(()), np.zeros(())))
        t = array_like(tree, np.asarray(any_leaf.t), start.t)
        mu = None if start.mu_product is None else array_like(tree, any_leaf.mu_product, start.mu_product)
    else:
        t, mu = fill(start.t, "t"), fill(start.mu_product, "mu_product")
    return AdamState(t, fill(start.m, "m"), fill(start.v, "v"), fill(start.v_max, "v_max"), mu)


def array_like(tree: ParamTree, value: Any, like: Any) -> Any:
    """A NumPy array in the library, dtype and device of another."""
    if not hasattr(like, "dtype"):
        return type(like)(value)
    b = tree.backend
    if b.name == "numpy":
        return np.asarray(value, dtype=like.dtype)
    if b.name == "torch":
        import torch

        wide = np.asarray(value)
        wide = wide.astype(np.float32) if wide.dtype.kind == "V" else wide
        return torch.as_tensor(np.array(wide)).to(device=like.device, dtype=like.dtype)
    return b.namespace(like).asarray(np.asarray(value), dtype=like.dtype)
