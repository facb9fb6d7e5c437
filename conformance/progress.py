"""How far a long piece of work is, told to whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Watcher = Callable[[str, float], None]  #: called with what is done now, and the share of it that is done
WATCHER: ContextVar[Watcher | None] = ContextVar("WATCHER", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Have ``watcher`` called by all that :func:`followed` goes through in this context."""
    token = WATCHER.set(watcher)
    try:
        yield
    finally:
        WATCHER.reset(token)


def followed(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield the items; before each, tell the watcher which share of them is done.

    >>> with watched(lambda what, share: print(what, share)):
    ...     for _ in followed("ab", "letters"):
    ...         pass
    letters 0.0
    letters 0.5
    """
    watcher = WATCHER.get()
    for number, item in enumerate(items):
        if watcher is not None:
            watcher(what, number / len(items))
        yield item
