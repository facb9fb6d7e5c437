"""A tree of parameters as a list of leaves, and other trees matched with it leaf by leaf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from adamcore.errors import AdamcoreError, BackendError, ParameterError, TreeError
from adamcore.protocol import Backend
from adamcore.registry import backend_for, owner
from adamcore.types import Tree


@contextmanager
def refuse_endless(name: str) -> Iterator[None]:
    """Raise TreeError where the tree called ``name`` can't be taken apart, since it contains itself."""
    try:
        yield
    except RecursionError as error:
        raise TreeError(
            f"{name} contains itself, or is nested too deeply to be taken apart: expected nested containers "
            "of arrays; take the container out of itself"
        ) from error


class ParamTree:
    """A tree of parameters: its leaves and its structure.

    A leaf of None is a place without a parameter; the leaves that belong to it in other trees are
    None too.
    """

    def __init__(self, tree: Tree, name: str = "params") -> None:
        self.tree, self.name = tree, name
        with refuse_endless(name):
            self.backend: Backend = backend_for(tree, name)
            self.leaves, self.structure = self.backend.flatten(tree)

    def path(self, i: int, name: str | None = None) -> str:
        """Return the path of leaf ``i``, such as ``params['layer']['w']``, for a message."""
        return (self.name if name is None else name) + self.backend.paths(self.tree)[i]

    def like(self, leaves: Sequence[Any]) -> Tree:
        """Return a tree of the same structure with these leaves."""
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
        with refuse_endless(name):
            leaves, structure = self.backend.flatten(tree)
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

    def check_parameters(self) -> None:
        """Raise unless each leaf is an array of this backend that can be optimized, and is there once.

        Raises:
            ParameterError: a leaf is no array, has integers or booleans, or can't be optimized.
            BackendError: a leaf is an array of another library.
            TreeError: one array is in two leaves.
        """
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
