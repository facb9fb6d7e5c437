"""Find the backend that an array belongs to.

No framework is imported for the search.  A framework whose arrays are in the caller's tree is in
``sys.modules``, so that only the backends of such frameworks are asked, in this order:

1. the built-in ones;
2. those that other packages announce under the entry point group ``adamcore.backends``;
3. the one for any library with an array-API namespace.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from adamcore.errors import BackendError, ParameterError
from adamcore.protocol import Backend
from adamcore.types import Tree

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "adamcore.backends"  #: of entry points; a name is the top-level module of an array library
#: the backends of this project, by the module that is loaded where such arrays are
BUILT_IN = {
    name: f"adamcore.backends.{name.partition('.')[0]}" for name in ("numpy", "torch", "jax", "dask.array")
}
GENERIC = "adamcore.backends.base"  #: for any array library with an array-API namespace

DEEPEST = 1000  #: containers inside each other; a tree that contains itself has no end
PLAIN = (dict, list, tuple)  # a tuple and no union, since torch.compile traces isinstance with it
_of_type: dict[type, Backend] = {}  #: the backends found so far, by the type of a leaf


@cache
def built_in(name: str) -> Backend:
    """Return the built-in backend of that name, which imports its framework; "generic" imports none."""
    backend: Backend = importlib.import_module(BUILT_IN.get(name, GENERIC)).backend
    return backend


@cache
def announced() -> tuple[EntryPoint, ...]:
    """Return the entry points of other packages."""
    from importlib.metadata import entry_points  # a third of the time of `import adamcore`, rarely needed

    return tuple(entry_points(group=GROUP))


@cache
def plugin(entry: EntryPoint) -> Backend:
    """Return the backend of an entry point, which names a backend or a callable that makes one."""
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
    """Yield the backends of the libraries that this process has imported, in order of precedence."""
    yield from (built_in(name) for name in BUILT_IN if name in sys.modules)
    yield from (plugin(e) for e in announced() if e.name not in BUILT_IN and e.name in sys.modules)
    yield built_in("generic")


def owner(leaf: object) -> Backend | None:
    """Return the backend of one array; None if ``leaf`` is no array."""
    backend = _of_type.get(type(leaf))
    if backend is not None:
        return backend
    for backend in in_use():
        if backend.owns(leaf):
            _of_type[type(leaf)] = backend
            return backend
    return None


def owns_all(backend: Backend, leaves: Sequence[object]) -> bool:
    """True if all leaves but those that are None are arrays of this backend; one of each type is asked."""
    examples = dict(zip(map(type, leaves), leaves, strict=True))
    examples.pop(type(None), None)
    return all(map(backend.owns, examples.values()))


def backend_for(tree: Tree, name: str = "params") -> Backend:
    """Return the backend of the arrays in a tree; of a tree without leaves, the one for any library.

    Args:
        tree: a tree of arrays.
        name: its name in messages.

    Raises:
        ParameterError: the tree has leaves, and none is an array.
    """
    found = owner(first(tree))
    if found is not None:
        return found
    leaves: list[Any] = []
    for backend in in_use():  # the leaves may be in a node that one library alone takes apart
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


def first(tree: Tree) -> Any:
    """Return the first leaf inside plain containers; a container where they are nested without end."""
    for _ in range(DEEPEST):
        if not isinstance(tree, PLAIN) or not tree:
            break
        tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
    return tree
