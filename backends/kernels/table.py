"""One call for a whole list of arrays: machine code over a table of addresses, in threads if it pays.

Whoever fills a table answers for its addresses: contiguous arrays of the kernel's dtype, of these
sizes, alive during the call, and no two of one array overlapping unless they are the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, chain

from adamcore.backends.kernels.llvm import CODES, Kernel, Real, kernel
from adamcore.backends.kernels.threads import PARALLEL, PIECE, processors, spread
from adamcore.definition import Coefficients
from adamcore.tracing import Program


class Table:
    """The addresses and sizes of a list of arrays, and the kernel that steps them."""

    def __init__(self, program: Program, dtype: Real, in_place: bool, sizes: Sequence[int]) -> None:
        self.kernel, self.length = kernel(program, dtype, in_place), len(sizes)
        self.used = program.used
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
