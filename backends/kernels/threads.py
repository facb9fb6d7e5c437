"""Who does the next piece of a large step: threads of our own, in NumPy and where a library lends none.

:data:`TURN` is what each of them does in LLVM's language, for the threads that a library lends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

PARALLEL = 1 << 19  #: elements from which a second thread pays: one that is late costs up to 100 ms
PIECE = 1 << 18  #: elements that a thread takes at a time
SOON = 5e-5  #: seconds after which a thread that waits for the interpreter gets it, within :func:`hasty`


def spread(work: Callable[[int, int], None], total: int, piece: int, threads: int) -> None:
    """Work from 0 to ``total``, in pieces if in threads, the next one for whoever is free.

    So a thread that stalls holds up one piece, and one that never begins nothing.
    """
    pieces = -(-total // piece)
    if min(threads, pieces) <= 1:
        work(0, total)
        return
    starts, done = count(0, piece), SimpleQueue[BaseException | None]()

    def turn() -> None:
        for lo in starts:
            if lo >= total:
                return
            try:
                work(lo, min(lo + piece, total))
                done.put(None)
            except BaseException as error:
                done.put(error)

    waiting = workers(threads - 1)
    for _ in range(min(threads, pieces) - 1):
        waiting.put(turn)
    turn()
    errors = [done.get() for _ in range(pieces)]
    for error in errors:
        if error is not None:
            raise error


@cache
def workers(number: int) -> SimpleQueue[Callable[[], None]]:
    """Where that many threads wait for something to do."""
    waiting = SimpleQueue[Callable[[], None]]()

    def serve() -> None:
        while True:
            waiting.get()()

    for _ in range(number):
        Thread(target=serve, name="adamcore", daemon=True).start()
    return waiting


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=workers.cache_clear)  # threads don't survive a fork


@cache
def processors() -> int:
    """How many threads this process may use for memory-bound work: beyond some eight nothing is won."""
    here: Any = os
    return min(len(here.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)


_hasty, _lock, _before = 0, Lock(), 0.0


@contextmanager
def hasty() -> Iterator[None]:
    """Within, threads that take turns at the interpreter get it soon.

    It takes a thread longer to wake up than another to carry out an operation of NumPy on a block: that
    one is back first, again and again, until the interpreter's switch interval (5 ms, unless the
    program has set another) is over.  So it is shorter here, for as long as such a step takes.
    """
    global _hasty, _before
    with _lock:
        _hasty += 1
        if _hasty == 1:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(SOON, _before))
    try:
        yield
    finally:
        with _lock:
            _hasty -= 1
            if not _hasty:
                sys.setswitchinterval(_before)


#: What a thread does: the next piece, until there is none.  It reads five words: the first element
#: that nobody has taken, how many there are, those of a piece, the kernel, and its table; in a sixth it
#: counts the elements that are done.
TURN = """
define void @turn(ptr %work) {
entry:
  %total.slot = getelementptr i64, ptr %work, i64 1
  %total = load i64, ptr %total.slot
  %piece.slot = getelementptr i64, ptr %work, i64 2
  %piece = load i64, ptr %piece.slot
  %kernel.slot = getelementptr i64, ptr %work, i64 3
  %kernel = load ptr, ptr %kernel.slot
  %table.slot = getelementptr i64, ptr %work, i64 4
  %table = load ptr, ptr %table.slot
  %done.slot = getelementptr i64, ptr %work, i64 5
  br label %next
next:
  %lo = atomicrmw add ptr %work, i64 %piece monotonic
  %more = icmp slt i64 %lo, %total
  br i1 %more, label %take, label %return
take:
  %end = add i64 %lo, %piece
  %early = icmp slt i64 %end, %total
  %hi = select i1 %early, i64 %end, i64 %total
  call void %kernel(i64 %lo, i64 %hi, ptr %table)
  %count = sub i64 %hi, %lo
  %before = atomicrmw add ptr %done.slot, i64 %count release
  br label %next
return:
  ret void
}
"""
