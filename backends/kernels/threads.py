"""A large step shared among threads.

:func:`run_pieces` shares work among threads of this module.  PyTorch and XLA have threads of their own; for
them :data:`PIECE_LOOP` is the same loop in LLVM's language.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from queue import SimpleQueue
from threading import Lock, Thread, local
from typing import Any

PARALLEL = 1 << 19  #: elements from which a second thread pays: a thread that is late costs up to 100 ms
PIECE = 1 << 18  #: elements that a thread takes at a time
SWITCH_INTERVAL = 5e-5  #: seconds, see :func:`short_switch_interval`


class _Here(local):
    alone = False  #: see :func:`one_thread`


_here = _Here()


@contextmanager
def one_thread() -> Iterator[None]:
    """Have the calling thread share no work inside this context: somebody else keeps all processors busy."""
    before, _here.alone = _here.alone, True
    try:
        yield
    finally:
        _here.alone = before


def run_pieces(work: Callable[[int, int], None], total: int, piece: int, threads: int) -> None:
    """Call ``work(lo, hi)`` for the numbers from 0 to ``total``.

    With one thread it is one call.  With several, each thread takes the next piece when it is free.  So a
    thread that stalls delays one piece, and a thread that never starts delays none.  The first error is
    raised once all pieces are done.
    """
    pieces = -(-total // piece)
    if min(threads, pieces) <= 1 or _here.alone:
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

    waiting = task_queue(threads - 1)
    for _ in range(min(threads, pieces) - 1):
        waiting.put(turn)
    turn()
    errors = [done.get() for _ in range(pieces)]
    for error in errors:
        if error is not None:
            raise error


@cache
def task_queue(number: int) -> SimpleQueue[Callable[[], None]]:
    """Return a queue from which so many threads take functions and call them."""
    waiting = SimpleQueue[Callable[[], None]]()

    def serve() -> None:
        while True:
            waiting.get()()

    for _ in range(number):
        Thread(target=serve, name="adamcore", daemon=True).start()
    return waiting


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=task_queue.cache_clear)  # threads don't survive a fork


@cache
def thread_count() -> int:
    """Return how many threads to use: the processors of this process, at most 8, as memory is the limit."""
    here: Any = os
    return min(len(here.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)


_depth, _lock, _before = 0, Lock(), 0.0


@contextmanager
def short_switch_interval() -> Iterator[None]:
    """Shorten the interpreter's switch interval inside this context.

    A thread takes longer to wake up than NumPy takes for a block.  So the thread that has the interpreter
    gets it back again and again, until the switch interval is over (5 ms by default), and the others wait.
    """
    global _depth, _before
    with _lock:
        _depth += 1
        if _depth == 1:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(SWITCH_INTERVAL, _before))
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                sys.setswitchinterval(_before)


#: The loop of a thread, which takes the next piece until there is none.  Its argument is the address of six
#: words: the first element that no thread has taken, the number of elements, the length of a piece, the
#: kernel, the kernel's table, and the number of elements that are done.
PIECE_LOOP = """
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
