"""The table of addresses that a kernel takes: a whole list of arrays is stepped in one call."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, chain
from time import perf_counter

from adamcore.backends.kernels.formats import CODES, Format
from adamcore.backends.kernels.loop import DISTANCES, Kernel, kernel
from adamcore.backends.kernels.threads import PARALLEL, PIECE, run_pieces, thread_count
from adamcore.definition import Coefficients
from adamcore.storage.random_bits import Key
from adamcore.tracing import Program

Run = Callable[[Kernel, int, int], None]  #: runs a kernel over so many elements of the table at an address


class Distance:
    """How far ahead large steps prefetch: what is fastest here, once the steps of one table have shown it.

    The processor's own prefetcher stops at the end of a page, and a core waits for a limited number of lines
    at a time.  The best distance depends on both.  On an AMD EPYC 512 bytes take a tenth less time than 2048;
    on a Xeon 2048 take less time than no prefetching.
    """

    def __init__(self) -> None:
        self.best: int | None = None  #: None as long as it is not known

    def choose(self, times: dict[int, list[float]]) -> None:
        """Choose by the shortest time with each distance, once there are enough."""
        if min(map(len, times.values())) >= TRIALS:
            self.best = min(times, key=lambda distance: min(times[distance]))


LARGE = 1 << 19  #: elements from which memory sets the pace
TRIALS = 4  #: steps with each distance, of which the first finds memory that is not there yet
DISTANCE = Distance()


class PointerTable:
    """The addresses and sizes of a list of arrays, and the kernel that steps them.

    Whoever fills the table answers for its addresses: contiguous arrays of the kernel's dtypes and of
    these sizes, alive during the call.  No two arrays of a job overlap unless they are the same.
    """

    def __init__(
        self, program: Program, dtypes: Format, in_place: bool, sizes: Sequence[int], masked: bool = False
    ) -> None:
        self.kernel_ahead = partial(kernel, program, dtypes, in_place, masked)
        self.kernel, self.length = self.kernel_ahead(DISTANCE.best or DISTANCES[0]), len(sizes)
        self.used = program.used
        self.offsets = array("q", accumulate(sizes, initial=0))
        self.addresses = array("q")
        self.scalars = array(CODES[dtypes.work], [0.0] * len(program.coefficients))
        self.total = self.offsets[-1]
        #: of steps by the distance of prefetching, as long as the best is not known
        self.times: dict[int, list[float]] = {}
        if DISTANCE.best is None and self.total >= LARGE:
            self.times = {distance: [] for distance in DISTANCES}
        self.keys = array("I")  #: four words for each array, as the kernel takes them
        self.block = array("q", (self.length, self.offsets.buffer_info()[0], 0, 0, 0, 0))
        self.at = self.block.buffer_info()[0]

    def point(self, addresses: array[int]) -> None:
        """Set the arrays: the addresses of all p, of all g, and so on."""
        self.addresses = addresses
        self.block[2] = addresses.buffer_info()[0]

    def draw(self, keys: Sequence[Key]) -> None:
        """Set what the random bits of each array are made of, or nothing; the clocks are Python's numbers."""
        self.keys = array("I", chain.from_iterable((*key.of_leaf, key.t) for key in keys))
        self.block[5] = self.keys.buffer_info()[0]

    def run(
        self, coefficients: Sequence[Coefficients], run_parallel: Run, clocks: Sequence[int] = ()
    ) -> None:
        """Step all arrays once.

        Args:
            coefficients: a row for each array, or one row for all.
            run_parallel: runs the kernel.
            clocks: of the keys that :meth:`draw` has set, one for each array or one for all; () leaves them.
        """
        if clocks and self.keys:
            self.keys[3::4] = array("I", clocks) * (self.length // len(clocks))
        code, used = self.scalars.typecode, self.used
        if len(coefficients) == 1:  # rounded once, to the dtype of the arithmetic
            self.scalars = array(code, used(coefficients[0]))
            self.block[4] = 0
        else:
            self.scalars = array(code, chain.from_iterable(map(used, coefficients)))
            self.block[4] = len(used(coefficients[0]))
        self.block[3] = self.scalars.buffer_info()[0]
        if self.times:
            self.run_timed(run_parallel)
        else:
            run_parallel(self.kernel, self.total, self.at)

    def run_timed(self, run_parallel: Run) -> None:
        """Run the kernel with the distance that was tried least often; keep the best once it is known."""
        distance = DISTANCE.best or min(self.times, key=lambda each: len(self.times[each]))
        self.kernel = self.kernel_ahead(distance)
        start = perf_counter()
        run_parallel(self.kernel, self.total, self.at)
        self.times[distance].append(perf_counter() - start)
        DISTANCE.choose(self.times)
        if DISTANCE.best is not None:
            self.kernel, self.times = self.kernel_ahead(DISTANCE.best), {}


def run_parallel(kernel: Kernel, total: int, at: int) -> None:
    """Run a kernel over ``total`` elements of the table at ``at``, in threads where a second one pays."""
    if total < PARALLEL:
        kernel(0, total, at)
    else:
        run_pieces(lambda lo, hi: kernel(lo, hi, at), total, PIECE, thread_count())
