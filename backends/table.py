"""One call for a whole list of arrays: machine code over a table of addresses, in threads if it pays.

Whoever fills a table answers for its addresses: contiguous arrays of the kernel's dtype, of these
sizes, alive during the call, and no two of one array overlapping unless they are the same.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate, chain, count
from operator import itemgetter
from typing import Any

from adamcore.backends.machine import CODES, Kernel, Real, kernel
from adamcore.definition import Coefficients
from adamcore.program import Program

PARALLEL = 1 << 19  #: elements from which a second thread pays: one that is late costs up to 100 ms
PIECE = 1 << 18  #: elements that a thread takes at a time


class Table:
    """The addresses and sizes of a list of arrays, and the kernel that steps them."""

    def __init__(self, program: Program, dtype: Real, in_place: bool, sizes: Sequence[int]) -> None:
        self.kernel, self.length = kernel(program, dtype, in_place), len(sizes)
        self.used = itemgetter(*map(Coefficients._fields.index, program.coefficients))
        self.offsets = array("q", accumulate(sizes, initial=0))
        self.addresses = array("q")
        self.scalars = array(CODES[dtype], [0.0] * len(program.coefficients))
        self.total = self.offsets[-1]
        self.block = array("q", (self.length, self.offsets.buffer_info()[0], 0, 0, 0))
        self.at = self.block.buffer_info()[0]

    def point(self, addresses: array[int]) -> None:
        """The arrays: the addresses of all p, of all g, and so on."""
        self.addresses = addresses
        self.block[2] = addresses.buffer_info()[0]

    def run(self, each: Sequence[Coefficients], share: Share) -> None:
        """One step of all of them, with coefficients for each array or one for all."""
        code, used = self.scalars.typecode, self.used
        if len(each) == 1:  # rounded once, to the kernel's dtype
            self.scalars = array(code, used(each[0]))
            self.block[4] = 0
        else:
            self.scalars = array(code, chain.from_iterable(map(used, each)))
            self.block[4] = len(used(each[0]))
        self.block[3] = self.scalars.buffer_info()[0]
        share(self.kernel, self.total, self.at)


Share = Callable[[Kernel, int, int], None]
"""Runs a kernel over so many elements of the table at an address."""


def share(kernel: Kernel, total: int, at: int) -> None:
    """In threads of our own where a second one pays."""
    threads = processors() if total >= PARALLEL else 1
    spread(lambda lo, hi: kernel(lo, hi, at), total, PIECE, threads)


def spread(work: Callable[[int, int], None], total: int, piece: int, threads: int) -> None:
    """Work from 0 to ``total``, in pieces if in threads, the next one for whoever is free.

    So a thread that stalls holds up one piece, and one that never begins nothing.
    """
    threads = min(threads, -(-total // piece))
    if threads <= 1:
        work(0, total)
        return
    pieces = count(0, piece)

    def turn() -> None:
        for lo in pieces:
            if lo >= total:
                return
            work(lo, min(lo + piece, total))

    others = [pool(threads - 1).submit(turn) for _ in range(threads - 1)]
    turn()
    for other in others:
        if not other.cancel():  # it has not even begun: nothing is left for it
            other.result()


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
