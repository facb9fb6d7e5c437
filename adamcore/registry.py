"""Which backend an array belongs to.

Nothing is imported that the caller does not already use: a framework whose arrays are in the tree
is in ``sys.modules``, so only the backends of such frameworks are looked at, first the built-in
ones, then those other packages announce under the entry point group ``adamcore.backends``, then
whatever has an array-API namespace.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from adamcore.errors import BackendError, ParameterError
from adamcore.protocol import Backend

GROUP = "adamcore.backends"  #: entry points: the top-level module of an array library = its backend
BUILT_IN = {name: f"adamcore.backends.{name}" for name in ("numpy", "torch", "jax")}
GENERIC = "adamcore.backends.base"  #: for any array library with an array-API namespace

PLAIN = (dict, list, tuple)  # tuples, not unions: torch.compile traces isinstance with these
_of_type: dict[type, Backend] = {}  #: what was found before, by the type of a leaf


@cache
def built_in(name: str) -> Backend:
    """Return the built-in backend of that name, which imports its framework; "generic" imports none."""
    backend: Backend = importlib.import_module(BUILT_IN.get(name, GENERIC)).backend
    return backend


@cache
def announced() -> tuple[EntryPoint, ...]:
    """The entry points of other packages."""
    return tuple(entry_points(group=GROUP))


@cache
def plugin(entry: EntryPoint) -> Backend:
    """What an entry point stands for: a backend, or a class or function that makes one."""
    try:
        found = entry.load()
    except Exception as error:
        raise BackendError(
            f"entry point {entry.name} = {entry.value} of group {GROUP} can't be loaded: {error}; "
            "update or uninstall the package that announces it"
        ) from error
    backend: Backend = found() if callable(found) else found
    return backend


def in_use() -> Iterator[Backend]:
    """The backends of libraries that this process has imported, in order of precedence."""
    yield from (built_in(name) for name in BUILT_IN if name in sys.modules)
    yield from (plugin(e) for e in announced() if e.name not in BUILT_IN and e.name in sys.modules)
    yield built_in("generic")


def owner(leaf: object) -> Backend | None:
    """The backend of one array, or None if it is no array."""
    backend = _of_type.get(type(leaf))
    if backend is not None:
        return backend
    for backend in in_use():
        if backend.owns(leaf):
            _of_type[type(leaf)] = backend
            return backend
    return None


def backend_for(tree: Any, name: str = "params") -> Backend:
    """The backend of the arrays in a tree (any, for a tree without leaves).

    Raises:
        ParameterError: there are leaves and none is an array.
    """
    found = owner(first(tree))
    if found is not None:
        return found
    leaves: list[Any] = []
    for backend in in_use():  # a node of a kind that only one library's trees know
        leaves = [leaf for leaf in backend.flatten(tree)[0] if leaf is not None]
        for leaf in leaves:
            found = owner(leaf)
            if found is not None:
                return found
    if leaves:
        path = backend.paths(tree)[0]
        raise ParameterError(
            f"{name}{path} is {type(leaves[0]).__name__}: expected arrays of a library with an array-API "
            "namespace, or nested containers of them; convert it to an array"
        )
    return built_in("generic")


def first(tree: Any) -> Any:
    """The first leaf as far as plain containers go."""
    while isinstance(tree, PLAIN) and tree:
        tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
    return tree
