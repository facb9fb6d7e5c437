"""One call for a whole list of arrays: machine code over a table of addresses, in threads if it pays.

Whoever fills a table answers for its addresses: contiguous arrays of the kernel's dtype, of these
sizes, alive during the call, and no two of one array overlapping unless they are the same.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate, chain, count
from typing import Any

from adamcore.backends.machine import CODES, Kernel, Real
from adamcore.definition import Coefficients
from adamcore.program import Program

PARALLEL = 1 << 19  #: elements from which a second thread pays: one that is late costs up to 100 ms
PIECE = 1 << 18  #: elements that a thread takes at a time


class Table:
    """The addresses and sizes of a list of arrays, and the kernel that steps them."""

    def __init__(self, kernel: Kernel, sizes: Sequence[int], columns: Iterable[Iterable[int]]) -> None:
        self.kernel, self.length = kernel, len(sizes)
        self.offsets = array("q", accumulate(sizes, initial=0))
        self.addresses = array("q", chain.from_iterable(columns))
        self.total = self.offsets[-1]
        self.where = self.offsets.buffer_info()[0], self.addresses.buffer_info()[0]

    def column(self, number: int) -> array[int]:
        return self.addresses[number * self.length : (number + 1) * self.length]

    def replace(self, column: int, addresses: array[int]) -> None:
        """Other arrays in one column: the gradients of the next step."""
        start = column * self.length
        self.addresses[start : start + self.length] = addresses

    def run(self, scalars: array[float], stride: int, threads: int) -> None:
        """One step of all of them."""
        tail = self.length, *self.where, scalars.buffer_info()[0], stride
        if threads == 1 or self.total < PARALLEL:
            self.kernel(0, self.total, *tail)
            return
        pieces = count(0, PIECE)

        def work() -> None:
            for lo in pieces:
                if lo >= self.total:
                    return
                self.kernel(lo, min(lo + PIECE, self.total), *tail)

        threads = min(threads, -(-self.total // PIECE))
        others = [pool(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            if not other.cancel():  # it has not even begun: nothing is left for it
                other.result()


def scalars(program: Program, dtype: Real, each: Sequence[Coefficients]) -> tuple[array[float], int]:
    """The coefficients of each array, rounded once to ``dtype``, and the length of a row (0: one for all)."""
    first = each[0]
    if len(each) == 1 or all(c is first for c in each):
        return array(CODES[dtype], program.used(first)), 0
    return array(CODES[dtype], chain.from_iterable(map(program.used, each))), len(program.coefficients)


@cache
def pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="adamcore")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.cache_clear)  # threads don't survive a fork


@cache
def processors() -> int:
    """How many threads this process may use for memory-bound work: beyond some eight nothing is won."""
    here: Any = os
    return min(len(here.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
