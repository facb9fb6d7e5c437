"""The state of :class:`adamcore.Adam` itself, an :class:`adamcore.AdamState`."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.states.fitting import fit, refuse_rounded
from adamcore.backends.states.named import Coded, Moments, NamedState, dotted, numpy_of, unique, whole_number
from adamcore.backends.states.quantized import codes_of, numbers_of
from adamcore.dtypes import SCALES, named_by
from adamcore.errors import CheckpointError, ConversionError
from adamcore.state import AdamState, check_state
from adamcore.trees import ParamTree
from adamcore.types import Tree

MOMENTS = {"m": "m_dtype", "v": "v_dtype", "v_max": "v_dtype"}  #: and the field that names the dtype of each


def from_adam(adam: Adam, state: AdamState, *, dialect: str = "") -> NamedState:
    """Return the canonical form of an :class:`adamcore.AdamState`.

    Args:
        adam: the Adam that made the state.
        state: what :meth:`adamcore.Adam.init` or :meth:`adamcore.Adam.step` returned.
        dialect: the dialect's name, if it is known.

    A parameter's name is its path in the tree, with dots.

    Raises:
        CheckpointError: two parameters have the same name.
        StateError: the state is packed.
        ClockError: a clock is no whole number in its range.

    Example:
        >>> adam = Adam()
        >>> named = from_adam(adam, adam.init({"layer": {"w": np.zeros(2)}}))
        >>> list(named.leaves), named.one_clock()
        (['layer.w'], 0)
    """
    check_state(state)
    tree = ParamTree(state.m, "state.m")
    one = adam.clock == "global"
    n = len(tree.leaves)

    def each(part: Tree) -> list[Any]:
        return [None] * n if part is None else tree.match(part, "state")

    ts = [state.t] * n if one else each(state.t)
    products = [state.mu_product] * n if one else each(state.mu_product)
    leaves = {}
    columns = {name: each(getattr(state, name)) for name in (*MOMENTS, *SCALES, "p_rest")}
    unique([dotted(path) for path in tree.backend.paths(state.m)])
    for i, path in enumerate(tree.backend.paths(state.m)):
        arrays = {name: numpy_of(part[i]) for name, part in columns.items() if part[i] is not None}
        if "m" not in arrays:
            continue
        coded = {
            name: Coded(getattr(adam, f"{name[0]}_storage"), arrays[name], arrays.pop(scale))
            for scale, name in SCALES.items()
            if scale in arrays
        }
        arrays |= {name: numbers_of(x, name, f"{name} of {dotted(path)}") for name, x in coded.items()}
        mu = products[i]
        leaves[dotted(path)] = Moments(
            whole_number(ts[i], f"state.t{path}"),
            mu_product=None if mu is None else float(mu),
            coded=coded,
            **arrays,
        )
    return NamedState(adam, leaves, dialect=dialect)


def to_adam(state: NamedState, adam: Adam, params: Tree, *, narrow: bool = False) -> AdamState:
    """Return the :class:`adamcore.AdamState` with which ``adam`` continues.

    Args:
        state: the state.
        adam: the Adam that continues.
        params: the parameters, a tree of arrays; the state gets their structure, library and device.
        narrow: True if moments may be rounded to the dtype in which ``adam`` keeps them.  Those whose dtype
            it names (``moment_dtype``, ``m_dtype``, ``v_dtype``) may be rounded anyway, and so may those that
            it keeps in 8 bits.

    Raises:
        CheckpointError: the names or the shapes of ``params`` are not those of the state.
        ConversionError: ``adam`` cannot take the state over exactly; :func:`fit` can, where that has a
            meaning; or moments would be rounded (MOM.4).  Or a parameter has another dtype than that of which
            the state keeps a part.

    Example:
        >>> named = NamedState(Adam(), {"w": Moments(3, np.ones(2), np.ones(2))})
        >>> state = to_adam(named, Adam(), {"w": np.zeros(2)})
        >>> int(state.t["w"]), state.m["w"].tolist()
        (3, [1.0, 1.0])
    """
    state = fit(state, adam)
    state.warn_of_own("an Adam")
    start, tree = adam.init(params), ParamTree(params)
    names = [dotted(path) for path in tree.backend.paths(params)]
    present = [name for name, p in zip(names, tree.leaves, strict=True) if p is not None]
    found = dict(zip(present, state.match(unique(present)), strict=True))

    def value(name: str, what: str, old: Any) -> Any:
        leaf, moment = found[name], SCALES.get(what, what)
        if what not in SCALES and not (what in MOMENTS and tree.backend.integer(old.dtype)):
            return getattr(leaf, what)
        policy = getattr(adam, f"{moment[0]}_storage")
        if (name, moment) not in coded:
            coded[name, moment] = leaf.coded.get(moment) or codes_of(getattr(leaf, moment), moment, policy)
        return coded[name, moment].scales if what in SCALES else coded[name, moment].codes

    coded: dict[tuple[str, str], Coded] = {}

    def fill(part: Tree, what: str) -> Tree:
        if part is None:
            return None
        old = tree.match(part, f"state.{what}")
        new = [
            None if x is None else placed(x, value(name, what, x), name, what)
            for name, x in zip(names, old, strict=True)
        ]
        return tree.like(new)

    def placed(old: Any, value: Any, name: str, what: str) -> Any:
        if np.shape(value) != tuple(old.shape):
            raise CheckpointError(f"{name} has shape {np.shape(value)}: expected {tuple(old.shape)}")
        new = array_like(tree, value, old)
        plain = what in MOMENTS and not tree.backend.integer(old.dtype)
        if plain and not narrow and named_by(adam, MOMENTS[what])[1] is None:
            refuse_rounded(value, new, f"{what} of {name}")
        return new

    if adam.clock == "global":
        any_leaf = next(iter(found.values()), Moments(0, np.zeros(()), np.zeros(())))
        t = array_like(tree, np.asarray(any_leaf.t), start.t)
        mu = None if start.mu_product is None else array_like(tree, any_leaf.mu_product, start.mu_product)
    else:
        t, mu = fill(start.t, "t"), fill(start.mu_product, "mu_product")
    rest = start.p_rest  # what a parameter starts with, where the state was of a plain Adam
    if any(leaf.p_rest is not None for leaf in found.values()):
        for name, x in zip(names, [None] * len(names) if rest is None else tree.match(rest, ""), strict=True):
            if name in found and (x is None) != (found[name].p_rest is None):
                came, expected = ("none", "one") if x is not None else ("one", "none")
                raise ConversionError(
                    f"{name} has {came} of the parts of parameters that p_storage={adam.p_storage!r} keeps: "
                    f"expected {expected}, by the parameter's dtype; give the parameters in the dtype that "
                    "they had"
                )
        rest = fill(rest, "p_rest")
    moments = {name: fill(getattr(start, name), name) for name in (*MOMENTS, *SCALES)}
    return AdamState(t, mu_product=mu, p_rest=rest, **moments)


def array_like(tree: ParamTree, value: Any, like: Any) -> Any:
    """Return a NumPy array in the library, the dtype and the device of another array."""
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
