"""Read ahead, write behind: pieces that are read, stepped and written by three threads at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Buffer = TypeVar("Buffer")


def stream(
    items: Sequence[Item],
    buffers: Sequence[Buffer],
    read: Callable[[Item, Buffer], Loaded],
    work: Callable[[Loaded], None],
    write: Callable[[Loaded], None],
) -> None:
    """Read, work on and write each item, in this order; the items too are written in their order.

    While an item is worked on, in the calling thread, the next one is read and the one before is written.
    The first error ends it: what has been worked on is written, and nothing is written after what was not.

    Args:
        items: the items.
        buffers: as many as may be in use at one time, at least two for several items; three have all
            threads busy.
        read: reads an item into a buffer, and returns what the others get.
        work: called in the calling thread.
        write: called with what has been worked on.

    >>> stream([1, 2, 3], ["a", "b", "c"], lambda i, b: f"{b}{i}", lambda x: None, print)
    a1
    b2
    c3
    """
    written: list[Future[None] | None] = [None] * len(buffers)
    failed = False

    def store(loaded: Loaded) -> None:
        nonlocal failed
        if failed:  # what comes after a hole would count as written
            return
        failed = True
        write(loaded)
        failed = False

    def load(number: int) -> Future[Loaded]:
        return reader.submit(read, items[number], buffers[number % len(buffers)])

    with ThreadPoolExecutor(1, "adamcore-read") as reader, ThreadPoolExecutor(1, "adamcore-write") as writer:
        try:
            ahead = load(0) if items else None
            for number in range(len(items)):
                assert ahead is not None
                loaded = ahead.result()
                after = number + 1
                if after < len(items):
                    behind = written[after % len(buffers)]
                    if behind is not None:
                        behind.result()
                    ahead = load(after)
                work(loaded)
                written[number % len(buffers)] = writer.submit(store, loaded)
            for behind in written:
                if behind is not None:
                    behind.result()
        except BaseException:
            reader.shutdown(wait=False, cancel_futures=True)
            raise
