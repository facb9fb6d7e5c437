"""The program run over arrays in the memory of the CPU, for NumPy and for PyTorch.

Both lay out an array in memory in the same way.  They differ in how they give an array's address, and
in which arrays may be read and written there: :class:`Memory` says it.  :class:`PointerTable` passes a
whole list of arrays to the machine code in one call.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, chain, pairwise, repeat
from math import prod
from operator import and_, lt, neg, sub
from typing import Any, Protocol

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.formats import LLVM, SIZES, Format, Storage
from adamcore.backends.kernels.llvm import CODES, Kernel, kernel
from adamcore.backends.kernels.threads import PARALLEL, PIECE, run_pieces, thread_count
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.protocol import (
    Columns,
    Job,
    Result,
    ResultColumns,
    Results,
    UniformJobs,
    columns_of,
    in_place_results,
)
from adamcore.tracing import Program
from adamcore.tracing import program as program_of
from adamcore.types import Array, DType

Run = Callable[[Kernel, int, int], None]  #: runs a kernel over so many elements of the table at an address


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

    def addresses(self, xs: Sequence[Array]) -> Sequence[int]:
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

    def guard(self, columns: Columns) -> Callable[[Columns], bool]:
        """Return a function: True if other columns are as these were, so that they are supported too."""


MANY = 16  #: jobs from which it pays to look at columns first
V_MAX, COEFFICIENTS, WHERE, FORMATS = map(Job._fields.index, ("v_max", "coefficients", "where", "formats"))

Implementation = Callable[[AdamConfig, Sequence[Job], bool, Memory], Sequence[Result]]
"""Carries out supported jobs: (adam, jobs, in_place, memory)."""


def unsupported(memory: Memory, job: Job) -> str | None:
    """Return why the kernel can't run a job, or None: it runs flat memory, on scalars of the host.

    Arrays that are dense with the same strides are the same vector in memory.  Complex arrays are vectors
    of their parts, unless v is of the modulus.  Without machine code all arrays have one dtype, that of the
    arithmetic.
    """
    if job.formats.storage is not None:
        return f"p_storage={job.formats.storage.policy!r}"
    if not job.formats.plain:
        return "moments in 8 bits"
    if any(x is not None and not isinstance(x, float) for x in job.coefficients):
        return "a clock or hyperparameters that only the program knows"
    arrays = arrays_of(job)
    reason = unsupported_dtypes(memory, job, arrays)
    if reason is not None:
        return reason
    shape, size = job.p.shape, memory.size(job.p)
    for x in arrays:
        reason = memory.unsupported(x)
        if reason is not None:
            return reason
        if x.shape != shape:
            return "arrays of different shapes"
        if memory.size(x) != size:
            return f"{job.p.dtype} beside {x.dtype}"
    if job.where is None:
        return unsupported_layout(memory, arrays)
    if not llvm.available():
        return "a mask, without machine code"
    if memory.size(job.p) != prod(shape) or job.where.shape != shape or not memory.booleans(job.where):
        return "a mask that does not have a byte for each number"
    return unsupported_layout(memory, (*arrays, job.where))


def unsupported_dtypes(memory: Memory, job: Job, arrays: Sequence[Array]) -> str | None:
    """Return why neither machine code nor blocks can compute with the dtypes of a job, or None."""
    dtype, work = job.p.dtype, job.formats.work
    part = memory.storage(work)
    if part not in LLVM or not llvm.available():
        for x in arrays:
            if x.dtype != dtype:
                return f"{dtype} beside {x.dtype}" + (", without machine code" if part in LLVM else "")
        if dtype != work if part is None else memory.storage(dtype) != part:
            return f"{dtype}, with arithmetic in {work}"
        return None
    for x in arrays:
        storage = memory.storage(x.dtype)
        if storage is None:
            return f"{x.dtype}, with arithmetic in {work}"
        if SIZES[storage] > SIZES[part] and x is not job.g:
            return f"arithmetic in {work} beside {x.dtype}"
    if job.v_max is not None and job.v_max.dtype != job.v.dtype:
        return f"{job.v.dtype} beside {job.v_max.dtype}"
    return None


def format_of(memory: Memory, job: Job) -> Format:
    """Return the dtypes of a supported job."""
    found: Any = map(memory.storage, (job.formats.work, job.p.dtype, job.g.dtype, job.m.dtype, job.v.dtype))
    return Format(*found)


def unsupported_layout(memory: Memory, arrays: Sequence[Array]) -> str | None:
    """Return why arrays of one shape are not vectors in memory with the same order of elements, or None."""
    if all(map(memory.contiguous, arrays)):
        return None
    shape = arrays[0].shape
    different = {tuple(s for s, n in zip(memory.strides(x), shape, strict=True) if n != 1) for x in arrays}
    if len(different) > 1:
        return "an array that is not contiguous, beside one with other strides"
    if not dense(shape, memory.strides(arrays[0])):
        return "an array that is not contiguous, nor a permutation of a contiguous one"
    return None


def dense(shape: Sequence[int], strides: Sequence[float]) -> bool:
    """True if elements lie in memory without gaps, the dimensions in any order.

    >>> dense((2, 3), (3, 1)), dense((2, 3), (1, 2)), dense((2, 3), (6, 2)), dense((2, 3), (0, 1))
    (True, True, False, False)
    """
    length = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size != 1:
            if stride != length:
                return False
            length *= size
    return True


def all_supported(memory: Memory, jobs: Sequence[Job]) -> bool:
    """True if :func:`unsupported` has nothing against any of the jobs, and they are of the same dtypes.

    It looks at columns instead of jobs, for lists of 100,000.
    """
    first, n = jobs[0], len(jobs)
    if unsupported(memory, first) is not None:
        return False
    if any(x is not None and not isinstance(x, float) for row in rows_of(jobs).values() for x in row):
        return False
    if isinstance(jobs, UniformJobs):
        return True
    wheres, maxima, formats = ([job[k] for job in jobs] for k in (WHERE, V_MAX, FORMATS))
    if len({*map(id, formats)}) > 1 or any(x is not None for x in wheres):
        return False
    if any((x is None) != (first.v_max is None) for x in maxima):
        return False
    columns = columns_of(jobs)
    shapes = [x.shape for x in columns.p]
    for xs in columns:
        if xs and ([x.dtype for x in xs].count(xs[0].dtype) < n or [x.shape for x in xs] != shapes):
            return False
    return all(memory.plain(xs) for xs in columns if xs) or all(
        unsupported(memory, job) is None for job in jobs
    )


def rows_of(jobs: Sequence[Job]) -> dict[int, Coefficients]:
    """Return the different rows of coefficients, each by its ``id``."""
    rows: Any = jobs.rows if isinstance(jobs, UniformJobs) else [job[COEFFICIENTS] for job in jobs]
    return dict(zip(map(id, rows), rows, strict=True))


def arrays_of(job: Job) -> tuple[Array, ...]:
    """Return a job's arrays in the order of a program's inputs."""
    if job.v_max is None:
        return job.p, job.g, job.m, job.v
    return job.p, job.g, job.m, job.v, job.v_max


def writable(memory: Memory, job: Job) -> bool:
    """True if a job may be done in place: nothing is read-only, and no two of its arrays overlap."""
    if any(memory.read_only(x) for x in (job.p, job.m, job.v, job.v_max) if x is not None):
        return False
    arrays = arrays_of(job) if job.where is None else (*arrays_of(job), job.where)
    spans = sorted((memory.address(x), x.nbytes) for x in arrays)
    return all(start + length <= after for (start, length), (after, _) in pairwise(spans))


def all_writable(memory: Memory, jobs: Sequence[Job]) -> bool:
    """True if :func:`writable` holds for each of the jobs, which are supported."""
    columns = columns_of(jobs)
    if any(memory.read_only(x) for name in ("p", "m", "v", "v_max") for x in getattr(columns, name)):
        return False
    spans = list(zip(map(memory.addresses, filter(None, columns)), lengths_of(jobs), strict=True))
    return not any(overlap(*a, *b) for i, a in enumerate(spans) for b in spans[:i])


def lengths_of(jobs: Sequence[Job]) -> list[list[int]]:
    """Return the bytes of each array by column, without those of an empty ``v_max``; equal lists are one."""
    columns = [column for column in columns_of(jobs) if column]
    if isinstance(jobs, UniformJobs):
        return [[x.nbytes for x in columns[0]]] * len(columns)
    found: list[list[int]] = []
    for column in columns:
        lengths = [x.nbytes for x in column]
        found.append(next((other for other in found if other == lengths), lengths))
    return found


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


def step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: Memory) -> Sequence[Result]:
    """Carry out supported jobs by machine code."""
    if len(jobs) == 1:
        return [_step_one(adam, jobs[0], in_place, memory)]
    programs = {key: program_of(adam, row) for key, row in rows_of(jobs).items()}
    if len({*programs.values()}) == 1 and alike(jobs):
        return _step_alike(programs.popitem()[1], jobs, in_place, memory)
    groups: dict[tuple[Program, DType, Format, bool], list[int]] = {}
    for i, job in enumerate(jobs):
        # complex numbers have the kernel of their parts, of which each counts for two
        key = programs[id(job.coefficients)], job.p.dtype, format_of(memory, job), job.where is None
        groups.setdefault(key, []).append(i)
    results: list[Any] = [None] * len(jobs)
    for (program, *_), indices in groups.items():
        new = _step_alike(program, [jobs[i] for i in indices], in_place, memory)
        for i, result in zip(indices, new, strict=True):
            results[i] = result
    return results


def _step_one(adam: AdamConfig, job: Job, in_place: bool, memory: Memory) -> Result:
    """Carry out one job, which may be so small that a list of it would take longer."""
    program, dtypes = program_of(adam, job.coefficients), format_of(memory, job)
    arrays: tuple[Array, ...] = arrays_of(job)
    if job.where is not None:
        arrays += (job.where,)
    result = Result(job.p, job.m, job.v, job.v_max) if in_place else new_arrays(job, memory)
    if not in_place:
        arrays += result[: 3 if job.v_max is None else 4]
    table = PointerTable(program, dtypes, in_place, [memory.size(job.p)], job.where is not None)
    table.point(array("q", memory.addresses(arrays)))
    table.run([job.coefficients], memory.run_parallel)
    if in_place:
        memory.mark_written([job.p])
    return result


def alike(jobs: Sequence[Job]) -> bool:
    """True if supported jobs are of the same dtypes and without masks."""
    if isinstance(jobs, UniformJobs):
        return True
    p, g, formats = jobs[0].p.dtype, jobs[0].g.dtype, jobs[0].formats
    return all(
        job.p.dtype == p and job.g.dtype == g and job.where is None and job.formats == formats for job in jobs
    )


def _step_alike(program: Program, jobs: Sequence[Job], in_place: bool, memory: Memory) -> Sequence[Result]:
    """Carry out jobs of one program and the same dtypes, all with a mask or all without."""
    columns = columns_of(jobs)
    arrays, masked = list(chain.from_iterable(columns)), jobs[0].where is not None
    if masked:
        arrays += [job.where for job in jobs]
    if in_place:
        results = in_place_results(jobs)
    else:
        new = memory.new_columns(columns, isinstance(jobs, UniformJobs))
        arrays += chain.from_iterable(new)
        results = Results(new) if isinstance(jobs, UniformJobs) else list_of(new)
    dtypes = format_of(memory, jobs[0])
    table = PointerTable(program, dtypes, in_place, memory.sizes(columns.p), masked)
    table.point(array("q", memory.addresses(arrays)))
    if isinstance(jobs, UniformJobs):
        rows = jobs.rows
    else:
        rows = [job.coefficients for job in (jobs if len(rows_of(jobs)) > 1 else jobs[:1])]
    table.run(rows, memory.run_parallel)
    if in_place:
        memory.mark_written(columns.p)
    return results


def list_of(new: ResultColumns) -> list[Result]:
    """Return a result for each job."""
    p, m, v, v_max = new
    return list(map(Result, p, m, v, v_max or repeat(None, len(p))))


def new_arrays(job: Job, memory: Memory) -> Result:
    """Return arrays for the results of a job that is not carried out in place."""
    empty_like, v_max = memory.empty_like, job.v_max
    return Result(
        empty_like(job.p), empty_like(job.m), empty_like(job.v), None if v_max is None else empty_like(v_max)
    )


class PointerTable:
    """The addresses and sizes of a list of arrays, and the kernel that steps them.

    Whoever fills the table answers for its addresses: contiguous arrays of the kernel's dtypes and of
    these sizes, alive during the call.  No two arrays of a job overlap unless they are the same.
    """

    def __init__(
        self, program: Program, dtypes: Format, in_place: bool, sizes: Sequence[int], masked: bool = False
    ) -> None:
        self.kernel, self.length = kernel(program, dtypes, in_place, masked), len(sizes)
        self.used = program.used
        self.offsets = array("q", accumulate(sizes, initial=0))
        self.addresses = array("q")
        self.scalars = array(CODES[dtypes.work], [0.0] * len(program.coefficients))
        self.total = self.offsets[-1]
        self.block = array("q", (self.length, self.offsets.buffer_info()[0], 0, 0, 0))
        self.at = self.block.buffer_info()[0]

    def point(self, addresses: array[int]) -> None:
        """Set the arrays: the addresses of all p, of all g, and so on."""
        self.addresses = addresses
        self.block[2] = addresses.buffer_info()[0]

    def run(self, coefficients: Sequence[Coefficients], run_parallel: Run) -> None:
        """Step all arrays once, with a row of coefficients for each or one row for all."""
        code, used = self.scalars.typecode, self.used
        if len(coefficients) == 1:  # rounded once, to the dtype of the arithmetic
            self.scalars = array(code, used(coefficients[0]))
            self.block[4] = 0
        else:
            self.scalars = array(code, chain.from_iterable(map(used, coefficients)))
            self.block[4] = len(used(coefficients[0]))
        self.block[3] = self.scalars.buffer_info()[0]
        run_parallel(self.kernel, self.total, self.at)


def run_parallel(kernel: Kernel, total: int, at: int) -> None:
    """Run a kernel over ``total`` elements of the table at ``at``, in threads where a second one pays."""
    if total < PARALLEL:
        kernel(0, total, at)
    else:
        run_pieces(lambda lo, hi: kernel(lo, hi, at), total, PIECE, thread_count())
