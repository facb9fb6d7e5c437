"""Packed trees: the arrays of a tree one behind the other in a vector, and a state made of such trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from adamcore.backends.jax.backend import backend
from adamcore.errors import BackendError, StateError
from adamcore.state import AdamState, PackedTree, check_is_state
from adamcore.types import Array, Tree

Known = Any  #: a vector of NumPy, or None


class Layout:
    """Where the arrays of a tree lie in its vectors.

    Args:
        structure: what JAX calls the structure of the tree, in which None is a leaf.
        shapes, dtypes: of each array; None for a leaf of None.
    """

    def __init__(
        self, structure: Any, shapes: Sequence[tuple[int, ...] | None], dtypes: Sequence[str | None]
    ) -> None:
        self.key = structure, tuple(shapes), tuple(dtypes)
        self.structure, self.shapes, self.dtypes = self.key
        self.hash = hash(self.key)
        self.whole = None not in self.shapes  #: True if no leaf is None
        self.sizes: dict[str, int] = {}  #: of the vectors, by dtype
        self.starts: list[int] = []  #: the element with which each leaf begins in the vector of its dtype
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            start = 0 if dtype is None else self.sizes.get(dtype, 0)
            self.starts.append(start)
            if dtype is not None and shape is not None:
                self.sizes[dtype] = start + prod(shape)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Layout) and self.key == other.key)

    def __hash__(self) -> int:
        return self.hash

    def __reduce__(self) -> tuple[Any, ...]:
        return layout_of, self.key


@lru_cache(maxsize=1024)
def layout_of(
    structure: Any, shapes: tuple[tuple[int, ...] | None, ...], dtypes: tuple[str | None, ...]
) -> Layout:
    """Return the layout of a tree, the same object for trees that are alike."""
    return Layout(structure, shapes, dtypes)


@jax.tree_util.register_pytree_with_keys_class
class Packed(PackedTree):
    """A tree of arrays, those of one dtype as one vector; to JAX, a node with these vectors.

    ``packed["w"]`` is what the tree has there, cut out of the vector when it is asked for.

    Attributes:
        vectors: a vector for each dtype, in the order of ``layout.sizes``.
        layout: where which array lies.
        known: the values of the one vector, a vector of NumPy, if the host knows them; it is no part of what
            JAX sees.
    """

    unpacking: ClassVar[str] = "adamcore.backends.jax.unpack(state)"

    def __init__(self, vectors: Sequence[Array], layout: Layout, known: Known = None) -> None:
        self.vectors, self.layout, self.known = tuple(vectors), layout, known

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Array], ...], Layout]:
        pairs = zip(self.layout.sizes, self.vectors, strict=True)
        return tuple((jax.tree_util.DictKey(dtype), x) for dtype, x in pairs), self.layout

    def tree_flatten(self) -> tuple[tuple[Array, ...], Layout]:
        return self.vectors, self.layout

    @classmethod
    def tree_unflatten(cls, layout: Layout, vectors: Sequence[Array]) -> Packed:
        return cls(vectors, layout)

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed, (self.vectors, self.layout)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{size} elements of {dtype}" for dtype, size in self.layout.sizes.items())
        return f"Packed({len(self.layout.shapes)} leaves: {sizes})"

    def __getitem__(self, key: Any) -> Tree:
        numbers = self.layout.structure.unflatten(range(len(self.layout.shapes)))
        return jax.tree.map(lambda i: self.leaves([i])[0], numbers[key])

    def __iter__(self) -> Any:
        raise TypeError(f"a packed tree has no order: expected a tree of arrays; {self.unpacking} returns it")

    def leaves(self, indices: Sequence[int] | None = None) -> list[Any]:
        """Return the arrays at these places of the tree's list of leaves; None for all."""
        layout = self.layout
        cut = cutter(dict(zip(layout.sizes, self.vectors, strict=True)))
        found: list[Any] = []
        for i in range(len(layout.shapes)) if indices is None else indices:
            shape, dtype, start = layout.shapes[i], layout.dtypes[i], layout.starts[i]
            found.append(None if shape is None or dtype is None else cut(dtype, start, shape))
        return found

    def step(
        self, adam: Any, params: Tree, grads: Tree, state: AdamState, *rest: Any
    ) -> tuple[Tree, AdamState]:
        from adamcore.backends.jax.packed.step import step

        return step(adam, params, grads, state, *rest)


def cutter(vectors: dict[str, Array]) -> Callable[[str, int, tuple[int, ...]], Array]:
    """Return a function that cuts an array out of the vector of a dtype, given its begin and its shape."""
    if not all(map(is_here, vectors.values())):
        traced = any(isinstance(x, jax.core.Tracer) for x in vectors.values())

        def taken(dtype: str, start: int, shape: tuple[int, ...]) -> Array:
            x, size = vectors[dtype], prod(shape)
            if traced:
                return jax.lax.slice(x, (start,), (start + size,)).reshape(shape)
            return jax.lax.dynamic_slice(x, (start,), (size,)).reshape(shape)  # a program a shape

        return taken
    here = {dtype: np.asarray(x) for dtype, x in vectors.items()}
    places = {dtype: x.sharding if x.committed else None for dtype, x in vectors.items()}

    def cut(dtype: str, start: int, shape: tuple[int, ...]) -> Array:
        part = here[dtype][start : start + prod(shape)].reshape(shape)
        return jax.device_put(part.copy(), places[dtype])  # memory of its own, as a step takes the vector's

    return cut


def is_here(x: Any) -> bool:
    """True if an array lies in the memory of this process as NumPy's do."""
    return not isinstance(x, jax.core.Tracer) and [device.platform for device in x.devices()] == ["cpu"]


def packed_tree(tree: Tree, name: str) -> Packed:
    """Return a tree of arrays, packed.

    Args:
        tree: the tree, in which None is a leaf.
        name: its name in messages.

    Raises:
        StateError: a leaf is no array of JAX.
        BackendError: an array lies on several devices.
    """
    if isinstance(tree, Packed):
        return tree
    leaves, structure = backend.flatten(tree)
    groups: dict[str, list[Array]] = {}
    for i, x in enumerate(leaves):
        if x is None:
            continue
        if not backend.owns(x):
            raise StateError(
                f"{name}{backend.paths(tree)[i]} is {type(x).__name__}: expected an array of JAX; pack a "
                "state that init or step returned, or convert it first"
            )
        if not isinstance(x, jax.core.Tracer) and len(x.devices()) > 1:
            raise BackendError(
                f"{name}{backend.paths(tree)[i]} lies on {len(x.devices())} devices: expected arrays of one; "
                "keep a state of a mesh as it is"
            )
        groups.setdefault(str(x.dtype), []).append(x)
    shapes = tuple(None if x is None else tuple(x.shape) for x in leaves)
    dtypes = tuple(None if x is None else str(x.dtype) for x in leaves)
    return Packed([joined(xs) for xs in groups.values()], layout_of(structure, shapes, dtypes))


def joined(xs: Sequence[Array]) -> Array:
    """Return arrays of one dtype as one new vector."""
    if not all(map(is_here, xs)):
        return jnp.concatenate([x.reshape(-1) for x in xs])
    whole = np.concatenate([np.asarray(x).reshape(-1) for x in xs])
    return jax.device_put(whole, next((x.sharding for x in xs if x.committed), None))


def pack(state: AdamState) -> AdamState:
    """Return a state of which each tree is one vector, for trees of many small arrays.

    :meth:`adamcore.Adam.step` takes it as it takes any state, inside of ``jit`` and outside, and returns one
    that is packed too.  Machine code (``donate=True`` on the CPU, or inside of ``jit`` under :func:`native`)
    reads and writes the moments where they lie in the vectors.  So their arrays and the clocks need not be
    handed over one by one, which takes most of the time of such a step.  Any other step unpacks the state,
    and packs it again.  A part, such as ``state.m["w"]``, can be read.  Other functions ask for an unpacked
    state.

    Args:
        state: an :class:`adamcore.AdamState` of JAX's arrays, from :meth:`adamcore.Adam.init` or
            :meth:`~adamcore.Adam.step`; it stays as it is.

    Returns:
        A state whose fields are packed trees.  To JAX each is a node with a vector for each dtype in it.

    Raises:
        StateError: it is no such state.
        BackendError: an array lies on several devices.

    Example:
        >>> import jax.numpy as jnp
        >>> from adamcore import Adam
        >>> adam, params = Adam(lr=0.5), {"b": jnp.ones(2), "w": jnp.ones((2, 3))}
        >>> state = pack(adam.init(params))
        >>> params, state = adam.step(params, {"b": jnp.ones(2), "w": jnp.ones((2, 3))}, state, donate=True)
        >>> state.m, params["b"], unpack(state).t
        (Packed(2 leaves: 8 elements of float32), Array([0.5, 0.5], dtype=float32), \
{'b': Array(1, dtype=int32), 'w': Array(1, dtype=int32)})
    """
    check_is_state(state)
    names = type(state)._fields
    trees = zip(names, state, strict=True)
    return type(state)(*(None if x is None else packed_tree(x, f"state.{name}") for name, x in trees))


def unpack(state: AdamState) -> AdamState:
    """Return a packed state as one of trees of arrays, in memory of their own.

    Args:
        state: what :func:`pack` returned, or a step of it; any other state stays as it is.

    Raises:
        StateError: it is no :class:`adamcore.AdamState`.

    Example:
        >>> import jax.numpy as jnp
        >>> from adamcore import Adam
        >>> state = Adam().init({"w": jnp.ones(2)})
        >>> unpack(pack(state)).m
        {'w': Array([0., 0.], dtype=float32)}
    """
    check_is_state(state)
    return type(state)(*map(unpacked_tree, state))


def unpacked_tree(tree: Tree) -> Tree:
    """Return a packed tree as a tree of arrays; any other tree as it is."""
    return tree.layout.structure.unflatten(tree.leaves()) if isinstance(tree, Packed) else tree
