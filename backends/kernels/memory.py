"""The memory of arrays: what a library says of it, and whether a step may write there."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import and_, lt, neg, sub
from typing import Protocol

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.formats import Storage
from adamcore.backends.kernels.loop import Kernel
from adamcore.backends.kernels.objects import FEW, function
from adamcore.jobs import PARTS_OF, Columns, Job, ResultColumns, UniformJobs, columns_of
from adamcore.types import Array, DType


class Memory(Protocol):
    """What a library says of its arrays as memory."""

    movable: bool  #: True if an array may get other memory, another shape or another dtype

    def storage(self, dtype: DType) -> Storage | None:
        """Return the name of a dtype, or of the parts of a complex one, that a kernel can read; else None."""

    def unsupported(self, x: Array) -> str | None:
        """Return why the memory of an array can't be read, or None; its strides are not looked at."""

    def contiguous(self, x: Array) -> bool:
        """True if the elements of an array lie in memory in the order of its indices, without gaps."""

    def strides(self, x: Array) -> Sequence[float]:
        """Return the strides of an array, counted in elements."""

    def plain(self, xs: Sequence[Array]) -> bool:
        """True if arrays of one dtype, which one of them may stand for, are all supported and contiguous."""

    def booleans(self, x: Array) -> bool:
        """True if an array has a byte for each element, and its memory can be read."""

    def read_only(self, x: Array) -> bool:
        """True if an array may not be written to."""

    def address(self, x: Array) -> int:
        """Return the address of an array's first element."""

    def addresses(self, xs: Sequence[Array]) -> array[int]:
        """Return the address of each array."""

    def size(self, x: Array) -> int:
        """Return the number of an array's elements; a complex one counts as two."""

    def sizes(self, xs: Sequence[Array]) -> list[int]:
        """Return :meth:`size` of each array; they are of one dtype."""

    def empty_like(self, x: Array) -> Array:
        """Return a new array of the same shape and dtype, its values not set."""

    def new_columns(self, columns: Columns, alike: bool) -> ResultColumns:
        """Return new arrays for p, m, v and v_max of every job, their values not set.

        Args:
            columns: the arrays of the jobs.
            alike: True if :meth:`adamcore.protocol.Backend.uniform` holds for them.
        """

    def threads(self) -> int:
        """Return how many threads a step may use."""

    def run_parallel(self, kernel: Kernel, total: int, at: int) -> None:
        """Run a kernel over ``total`` elements of the table at ``at``, in threads where they pay."""

    def mark_written(self, xs: Sequence[Array]) -> None:
        """Tell the library that these arrays have been written to."""

    def watch(self, columns: Columns, beside: Sequence[Array] = ()) -> Callable[[Columns], array[int] | None]:
        """Return a function that looks at columns in which only the gradients may be other objects.

        It returns the addresses of the gradients; None if the arrays are not as those of ``columns`` were:
        of the same layout and dtype, and at the same addresses but for the gradients.  ``beside`` are arrays
        that no job has, and that have to be as they are.
        """


def arrays_of(job: Job) -> tuple[Array, ...]:
    """Return a job's arrays in the order of a kernel's inputs."""
    return job.p, job.g, job.m, job.v, *(x for x in PARTS_OF(job) if x is not None)


def vectors_of(job: Job) -> tuple[Array, ...]:
    """Return those of a job's arrays that have as many elements as its parameter: all but the scales."""
    scales = [id(x) for x in (job.m_scale, job.v_scale, job.v_max_scale) if x is not None]
    return tuple(x for x in arrays_of(job) if id(x) not in scales) if scales else arrays_of(job)


def writable(memory: Memory, job: Job) -> bool:
    """True if a job may be done in place: nothing is read-only, and no two of its arrays overlap."""
    if any(memory.read_only(x) for x in arrays_of(job) if x is not job.g):
        return False
    arrays = arrays_of(job) if job.where is None else (*arrays_of(job), job.where)
    spans = sorted((memory.address(x), x.nbytes) for x in arrays)
    return all(start + length <= after for (start, length), (after, _) in pairwise(spans))


def all_writable(memory: Memory, jobs: Sequence[Job]) -> bool:
    """True if :func:`writable` holds for each of the jobs, which are supported."""
    columns = columns_of(jobs)
    if any(memory.read_only(x) for column in columns._replace(g=()) for x in column):
        return False
    spans = list(zip(map(memory.addresses, filter(None, columns)), lengths_of(jobs), strict=True))
    return not any(overlap(*a, *b) for i, a in enumerate(spans) for b in spans[:i])


def lengths_of(jobs: Sequence[Job]) -> list[list[int]]:
    """Return the bytes of each array by column, without those of an empty column; equal lists are one."""
    columns = [column for column in columns_of(jobs) if column]
    if isinstance(jobs, UniformJobs):
        return [[x.nbytes for x in columns[0]]] * len(columns)
    found: list[list[int]] = []
    for column in columns:
        lengths = [x.nbytes for x in column]
        found.append(next((other for other in found if other == lengths), lengths))
    return found


def touching(
    lengths: array[int], columns: array[int], their_lengths: array[int]
) -> Callable[[array[int]], bool]:
    """Return a function of addresses: True if an array there shares memory with one that has its place.

    Args:
        lengths: the bytes of the arrays at these addresses.
        columns, their_lengths: the addresses and the bytes of the other arrays, column after column.
    """
    n = len(lengths)
    if n >= FEW and llvm.available():
        known = lengths, columns, their_lengths
        at = [vector.buffer_info()[0] for vector in known]
        run, count = function("overlap"), len(columns) // n

        def touch(xs: array[int], _alive: object = known) -> bool:
            return bool(run(xs.buffer_info()[0], *at, n, count))

        return touch
    spans = [
        (k % n, start - lengths[k % n], start + length)
        for k, (start, length) in enumerate(zip(columns, their_lengths, strict=True))
    ]

    def touch_few(xs: array[int]) -> bool:
        for i, low, high in spans:  # noqa: SIM110  a generator's code would come into the caches as well
            if low < xs[i] < high:
                return True
        return False

    return touch_few


def overlap(a: Sequence[int], a_lengths: Sequence[int], b: Sequence[int], b_lengths: Sequence[int]) -> bool:
    """True if an array at one of the addresses ``a`` shares memory with that at the same place of ``b``.

    >>> overlap([100], [8], [108], [16]), overlap([108], [16], [100], [8]), overlap([100], [9], [108], [16])
    (False, False, True)
    """
    apart = map(sub, a, b)
    if a_lengths is b_lengths:
        return any(map(lt, map(abs, apart), a_lengths))
    distances = list(apart)
    return any(map(and_, map(lt, distances, b_lengths), map(lt, map(neg, distances), a_lengths)))
