"""A tree of parameters as a list of leaves, and other trees matched with it leaf by leaf."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from operator import is_
from typing import Any, NoReturn

from adamcore.errors import AdamcoreError, BackendError, ParameterError, TreeError
from adamcore.protocol import Backend
from adamcore.registry import backend_for, first, owner, owns_all
from adamcore.types import Array, Tree

LARGE = 256  #: leaves of a tree that is taken apart here if it has plain containers alone
KEYED, ORDERED = (dict, OrderedDict), (list, tuple)
PLAIN_KINDS = KEYED + ORDERED  #: of containers that every library takes apart
Shape = Any  #: of a tree of plain containers: (kinds, kind, keys or length, shapes, order); None for a leaf
OTHER: Shape = ((), None, 0, None, None)  #: of a tree that has other containers: no tree fits it


def endless(name: str) -> TreeError:
    """Return the error of a tree called ``name`` that can't be taken apart, since it contains itself."""
    return TreeError(
        f"{name} contains itself, or is nested too deeply to be taken apart: expected nested containers of "
        "arrays; take the container out of itself"
    )


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the garbage collector still inside this context.

    A step makes some ten objects for each leaf and no cycle of objects.  Of a large tree these are so many
    that the collector would look at every object of the process more than once.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class ParamTree:
    """A tree of parameters: its leaves and its structure.

    A leaf of None is a place without a parameter; the leaves that belong to it in other trees are
    None too.

    Args:
        tree: the tree.
        name: its name in messages.
        backend: the backend of its arrays; None has it looked up.
    """

    def __init__(self, tree: Tree, name: str = "params", backend: Backend | None = None) -> None:
        self.tree, self.name = tree, name
        self.shape: Shape = OTHER  #: of a large tree, which the library itself would be slow to take apart
        try:
            self.backend: Backend = backend_for(tree, name) if backend is None else backend
            leaves = self.plain_leaves() if type(tree) in PLAIN_KINDS and len(tree) >= LARGE else None
            if leaves is None:
                leaves, self.structure = self.backend.flatten(tree)
            self.leaves: list[Any] = leaves
        except RecursionError as reason:
            raise endless(name) from reason
        #: True if to go through the leaves takes noticeable time, and no compiler looks on
        self.large = len(self.leaves) >= LARGE and self.backend.identity(self.leaves[0]) is not None
        if self.large and self.shape == OTHER:
            self.shape = plain_shape(tree, self.leaves)

    def plain_leaves(self) -> list[Any] | None:
        """Return the leaves of a long container, as the library lists them; None if it has to be asked."""
        tree, by_key = self.tree, self.backend.sorts_keys
        if by_key is None or self.backend.identity(first(tree)) is None:
            return None
        try:
            shape = shape_of(tree, by_key)
        except TypeError:  # keys that can't be sorted
            return None
        leaves = leaves_of(shape, tree)
        if not leaves or not owns_all(self.backend, leaves):
            return None
        self.shape = shape
        return leaves

    @cached_property
    def structure(self) -> Any:
        """What the library calls the structure of the tree."""
        return self.backend.flatten(self.tree)[1]

    def numbers(self) -> Sequence[int]:
        """Return each leaf's number in the order of sorted keys, whichever order the library has."""
        if self.backend.sorts_keys:
            return range(len(self.leaves))
        numbers = list(range(len(self.leaves)))
        for number, i in enumerate(listed_by_key(self.like(numbers), self.backend)):
            numbers[i] = number
        return numbers

    def path(self, i: int, name: str | None = None) -> str:
        """Return the path of leaf ``i``, such as ``params['layer']['w']``, for a message."""
        return (self.name if name is None else name) + self.backend.paths(self.tree)[i]

    def like(self, leaves: Sequence[Any]) -> Tree:
        """Return a tree of the same structure with these leaves."""
        if self.shape != OTHER:
            return tree_of(self.shape, iter(leaves))
        return self.backend.unflatten(self.structure, leaves)

    def match(self, tree: Tree, name: str, error: type[AdamcoreError] = TreeError) -> list[Any]:
        """Return the leaves of another tree in the order of this one's.

        The paths of the leaves must agree.  A list may stand for a tuple, and the keys of a
        dictionary may come in any order.

        Args:
            tree: the other tree.
            name: its name in messages.
            error: the class of the exception to raise if the trees differ.
        """
        if self.shape != OTHER:
            quick = leaves_of(self.shape, tree)
            if quick is not None and owns_all(self.backend, quick):
                return quick
        try:
            leaves, structure = self.backend.flatten(tree)
        except RecursionError as reason:
            raise endless(name) from reason
        if structure == self.structure:
            return leaves
        ours, theirs = self.backend.paths(self.tree), self.backend.paths(tree)
        if ours == theirs:
            return leaves
        found = dict(zip(theirs, leaves, strict=True))
        if len(ours) == len(theirs) and all(path in found for path in ours):
            return [found[path] for path in ours]
        for path in ours:
            if path not in found:
                raise error(
                    f"{name} has no leaf {name}{path}, which stands in {self.name}: expected a tree like "
                    f"{self.name}; give every leaf its place"
                )
        path = next(path for path in theirs if path not in set(ours))
        raise error(
            f"{name}{path} has no counterpart in {self.name}: expected a tree like {self.name}; leave it out"
        )

    def first_parameter(self) -> Array | None:
        """Return the first parameter, or None if there is none.

        It is a loop for the sake of torch.compile: PyTorch 2.7 does not trace `next` with a default.
        """
        for p in self.leaves:
            if p is not None:
                return p
        return None

    def check_parameters(self) -> None:
        """Raise unless each leaf is an array of this backend that can be optimized, and is there once.

        Raises:
            ParameterError: a leaf is no array, has integers or booleans, or can't be optimized.
            BackendError: a leaf is an array of another library.
            TreeError: one array is in two leaves.
        """
        if self.large and self.are_parameters([leaf for leaf in self.leaves if leaf is not None]):
            return
        seen: set[int] = set()
        for i, leaf in enumerate(self.leaves):
            if leaf is None:
                continue
            if not self.backend.owns(leaf):
                self.raise_foreign(i, leaf)
            if self.backend.kind(leaf.dtype) == "other":
                raise ParameterError(
                    f"{self.path(i)} has dtype {leaf.dtype}: expected a floating or complex one; "
                    "convert it, or put None in its place if it is not to be optimized"
                )
            reason = self.backend.refuse(leaf)
            if reason is not None:
                raise ParameterError(f"{self.path(i)} is {reason}")
            identity = self.backend.identity(leaf)
            if identity in seen:
                j = next(j for j, other in enumerate(self.leaves) if other is leaf)
                raise TreeError(
                    f"{self.path(i)} and {self.path(j)} are the same array: expected each once; "
                    "keep a shared parameter in one place, with the sum of its gradients"
                )
            if identity is not None:
                seen.add(identity)

    def are_parameters(self, given: list[Array]) -> bool:
        """True if nothing is wrong with these leaves, looked at all at once: a tree may have 100,000."""
        backend = self.backend
        identities = backend.identities(given)
        if None in identities or len(identities) < len(given):
            return False
        if not owns_all(backend, given) or any(map(backend.refuse, given)):
            return False
        return all(backend.kind(dtype) != "other" for dtype in {leaf.dtype for leaf in given})

    def raise_foreign(self, i: int, leaf: object) -> NoReturn:
        """Raise for leaf ``i``, which is no array of this backend."""
        other = owner(leaf)
        if other is None:
            raise ParameterError(
                f"{self.path(i)} is {type(leaf).__name__}: expected an array of {self.backend.name}; "
                "convert it, or put None in its place if it is not to be optimized"
            )
        raise BackendError(
            f"{self.path(i)} is an array of {other.name} in a tree of {self.backend.name}: expected "
            "arrays of one library; convert it, or step the two trees apart"
        )


# Trees of plain containers ---------------------------------------------------------------------------


def plain_shape(tree: Tree, leaves: Sequence[Any], orders: Sequence[bool] = (False, True)) -> Shape:
    """Return the containers of a tree with the order in which a library lists its leaves.

    Libraries list a dictionary in its own order or by its sorted keys; ``orders`` says which are tried
    (see ``by_key`` of :func:`shape_of`).  The result is :data:`OTHER` if no order is that of ``leaves``,
    or if the tree has containers that are not plain.
    """
    for by_key in orders:
        try:
            shape = shape_of(tree, by_key)
        except (TypeError, RecursionError):  # keys that can't be sorted, or a tree without an end
            return OTHER
        found = leaves_of(shape, tree)
        if found is not None and len(found) == len(leaves) and all(map(is_, found, leaves)):
            return shape
    return OTHER


def shape_of(tree: Tree, by_key: bool = False) -> Shape:
    """Return the containers of a tree, whose leaves come in the order of the trees or ``by_key``."""
    kind: Any = type(tree)
    if kind in KEYED:
        keys = list(tree)
        order = sorted(keys) if by_key and kind is dict else keys
        children = shapes_of([tree[key] for key in order], by_key)
        return KEYED, kind, keys, children, None if order == keys else order
    if kind in ORDERED:
        return ORDERED, kind, len(tree), shapes_of(tree, by_key), None
    return None


def listed_by_key(tree: Tree, backend: Backend) -> list[Any]:
    """Return the numbers that are a tree's leaves, those of a dictionary in the order of its sorted keys."""
    if isinstance(tree, int):
        return [tree]
    if isinstance(tree, dict):
        tree = [tree[key] for key in sorted_keys(tree)]
    if isinstance(tree, (list, tuple)):
        return [number for child in tree for number in listed_by_key(child, backend)]
    return list(backend.flatten(tree)[0])


def sorted_keys(tree: dict[Any, Any]) -> list[Any]:
    """Return the sorted keys; as they are, those of an ``OrderedDict`` and those that can't be sorted."""
    if isinstance(tree, OrderedDict):
        return list(tree)
    try:
        return sorted(tree)
    except TypeError:
        return list(tree)


def shapes_of(trees: Sequence[Tree], by_key: bool) -> list[Shape] | None:
    """Return the shape of each tree; None if all are leaves."""
    if {*map(type, trees)}.isdisjoint(PLAIN_KINDS):
        return None
    return [shape_of(tree, by_key) for tree in trees]


def leaves_of(shape: Shape, tree: Tree) -> list[Any] | None:
    """Return the leaves of a tree of these containers, in their order; None if it has others."""
    if shape is None:
        return [tree]
    kinds, _, size, children, order = shape
    if type(tree) not in kinds:
        return None
    if kinds is KEYED:
        if list(tree) != size:
            return None
        values: Any = tree.values() if order is None else map(tree.__getitem__, order)
    elif len(tree) != size:
        return None
    else:
        values = tree
    if children is None:
        return list(values)
    found: list[Any] = []
    for child, value in zip(children, values, strict=True):
        leaves = leaves_of(child, value)
        if leaves is None:
            return None
        found += leaves
    return found


def tree_of(shape: Shape, leaves: Any) -> Tree:
    """Return a tree of these containers with the next leaves of an iterator."""
    if shape is None:
        return next(leaves)
    kinds, kind, size, children, order = shape
    count = len(size) if kinds is KEYED else size
    values: Any = islice(leaves, count)
    if children is not None:
        values = [tree_of(child, leaves) for child in children]
    if kinds is not KEYED:
        return kind(values)
    made = kind(zip(order or size, values, strict=True))
    return made if order is None else {key: made[key] for key in size}
