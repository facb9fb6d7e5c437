"""A step's jobs carried out by machine code where it can be, for NumPy and for PyTorch on the CPU.

Both lay arrays out in memory in the same way, so what differs is how a library tells an array's
address and whether it is one that machine code may touch: :class:`Memory`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from operator import lt, sub
from typing import Any, Protocol

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.llvm import CODES, Kernel, Real, kernel
from adamcore.backends.kernels.threads import PARALLEL, PIECE, processors, spread
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.protocol import Job, Result
from adamcore.tracing import Program, program
from adamcore.types import Array

Columns = Sequence[Sequence[Array]]  #: the p of all jobs, the g of all jobs, ..., as in a program's inputs


class Memory(Protocol):
    """What a library says of its arrays."""

    def real(self, dtype: Any) -> Real | None: ...  # a dtype that has a kernel
    def unsupported(self, x: Array) -> str | None: ...  # why its memory can't be read as a plain vector
    def fixed(self, x: Array) -> bool: ...  # whether it may not be written to
    def address(self, x: Array) -> int: ...
    def size(self, x: Array) -> int: ...  # the number of elements
    def like(self, x: Array) -> Array: ...  # a new array, its values not set
    def threads(self) -> int: ...
    def run_parallel(self, kernel: Kernel, total: int, at: int) -> None: ...  # see Share
    def written(self, xs: Sequence[Array]) -> None: ...  # parameters have been written to

    # of steps on the same arrays again
    movable: bool  #: an array may get other memory, another shape or dtype

    def likeness(self, columns: Columns) -> Callable[[Columns], bool]:
        ...
        # whether others, a list each of p, g, m, ..., are of the same shapes and dtypes, without obstacle


def unsupported(memory: Memory, job: Job) -> str | None:
    """Why flat memory of one dtype is not all there is to a job; None if it is.

    What is not served here is carried out by the definition itself, one operation after the other.
    """
    if job.formats.is_complex:
        return "complex numbers"
    if job.where is not None:
        return "a mask, or a flag that only the program knows"
    if any(x is not None and not isinstance(x, float) for x in job.coefficients):
        return "a clock or hyperparameters that only the program knows"
    dtype = job.p.dtype
    for x in (job.g, job.m, job.v) if job.v_max is None else (job.g, job.m, job.v, job.v_max):
        if x.dtype != dtype:
            return f"{dtype} beside {x.dtype}"
    if job.formats.work != dtype:
        return f"{dtype}, with arithmetic in {job.formats.work}"
    shape = job.p.shape
    for x in arrays_of(job):
        reason = memory.unsupported(x)
        if reason is not None:
            return reason
        if x.shape != shape:
            return "arrays of different shapes"
    return None


def arrays_of(job: Job) -> tuple[Array, ...]:
    """Its arrays in the order of a program's inputs."""
    return job[:4] if job.v_max is None else job[:5]


def widest(job: Job) -> int:
    """The most bytes that an element of one of its arrays takes."""
    return max(int(x.dtype.itemsize) for x in arrays_of(job))


def writable(memory: Memory, job: Job) -> bool:
    """Whether a job may be done in place: nothing read-only, and the gradient is nobody else."""
    if any(memory.fixed(x) for x in (job.p, job.m, job.v, job.v_max) if x is not None):
        return False
    size = memory.size(job.p) * widest(job)
    starts = [memory.address(x) for x in arrays_of(job)]
    return all(abs(a - b) >= size for i, a in enumerate(starts) for b in starts[:i])


def step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: Memory) -> list[Result]:
    """The jobs, all without an obstacle, by machine code."""
    groups: dict[tuple[Program, Real], list[int]] = {}
    for i, job in enumerate(jobs):
        real = memory.real(job.p.dtype)
        assert real is not None
        groups.setdefault((program(adam, job.coefficients), real), []).append(i)
    results: list[Any] = [None] * len(jobs)
    for (made, real), places in groups.items():
        some = [jobs[i] for i in places]
        for i, result in zip(places, _group(made, real, some, in_place, memory), strict=True):
            results[i] = result
    return results


def _group(made: Program, real: Real, jobs: list[Job], in_place: bool, memory: Memory) -> list[Result]:
    """Jobs of one program and dtype."""
    columns = list(zip(*map(arrays_of, jobs), strict=True))
    if in_place:
        results = [Result(job.p, job.m, job.v, job.v_max) for job in jobs]
    else:
        like, has_max = memory.like, jobs[0].v_max is not None
        results = [
            Result(like(job.p), like(job.m), like(job.v), like(job.v_max) if has_max else None)
            for job in jobs
        ]
        columns += list(zip(*results, strict=True))[: 4 if has_max else 3]
    table = PointerTable(made, real, in_place, list(map(memory.size, columns[0])))
    table.point(array("q", map(memory.address, chain.from_iterable(columns))))
    first = jobs[0].coefficients
    same = all(job.coefficients is first for job in jobs)
    table.run([first] if same else [job.coefficients for job in jobs], memory.run_parallel)
    if in_place:
        memory.written(columns[0])
    return results


class Addressed(Protocol):
    """A list of arrays by their addresses, and what steps them."""

    addresses: array[int]

    def point(self, addresses: array[int]) -> None: ...
    def run(self, each: Sequence[Coefficients], share: Share) -> None: ...


class Steady:
    """Jobs in place on the same arrays, step after step: only the addresses of gradients change."""

    def __init__(self, table: Addressed, jobs: Sequence[Job], memory: Memory) -> None:
        self.memory, self.table = memory, table
        columns = list(zip(*map(arrays_of, jobs), strict=True))
        self.alike = memory.likeness(columns)
        self.bytes = [memory.size(job.p) * widest(job) for job in jobs]
        self.gradients, self.others = self.addresses(columns)
        self.table.point(array("q", map(memory.address, chain.from_iterable(columns))))
        self.parameters: Sequence[Array] = ()

    def addresses(self, columns: Columns) -> tuple[list[int], list[int]]:
        """Of the gradients, and of all the others."""
        address = self.memory.address
        return list(map(address, columns[1])), list(map(address, chain(columns[0], *columns[2:])))

    def fits(self, columns: Columns) -> bool:
        if not self.alike(columns):
            return False
        if self.memory.movable:
            gradients, others = self.addresses(columns)
            if others != self.others:
                return False
        else:
            gradients = list(map(self.memory.address, columns[1]))
        if gradients != self.gradients:
            if self.overlap(gradients):
                return False
            n, self.gradients = len(gradients), gradients
            self.table.addresses[n : 2 * n] = array("q", gradients)
        self.parameters = columns[0]
        return True

    def overlap(self, gradients: list[int]) -> bool:
        """Whether a gradient shares memory with what its step writes."""
        n = len(gradients)
        for start in range(0, len(self.others), n):
            distances = map(abs, map(sub, gradients, self.others[start : start + n]))
            if any(map(lt, distances, self.bytes)):
                return True
        return False

    def run(self, each: Sequence[Coefficients]) -> None:
        self.table.run(each, self.memory.run_parallel)
        self.memory.written(self.parameters)
        self.parameters = ()


class Again:
    """Jobs in place on the same arrays, step after step, without machine code."""

    def __init__(self, adam: AdamConfig, jobs: Sequence[Job], memory: Memory, way: Way) -> None:
        self.adam, self.memory, self.way = adam, memory, way
        self.alike = memory.likeness(list(zip(*map(arrays_of, jobs), strict=True)))
        self.formats, self.has_max = jobs[0].formats, jobs[0].v_max is not None
        self.jobs: list[Job] = []

    def fits(self, columns: Columns) -> bool:
        if not self.alike(columns):
            return False
        empty = Coefficients(*[None] * len(Coefficients._fields))
        self.jobs = [
            Job(row[0], row[1], row[2], row[3], row[4] if self.has_max else None, empty, None, self.formats)
            for row in zip(*columns, strict=True)
        ]
        return not self.memory.movable or all(writable(self.memory, job) for job in self.jobs)

    def run(self, each: Sequence[Coefficients]) -> None:
        given = each if len(each) > 1 else [each[0]] * len(self.jobs)
        jobs = [job._replace(coefficients=c) for job, c in zip(self.jobs, given, strict=True)]
        self.jobs = []
        self.way(self.adam, jobs, True, self.memory)


Way = Callable[[AdamConfig, Sequence[Job], bool, Memory], list[Result]]


def prepare(adam: AdamConfig, jobs: Sequence[Job], memory: Memory, way: Way) -> Steady | Again | None:
    """The same jobs for further steps, if they are all of one kind and have no obstacle."""
    kinds = {(program(adam, job.coefficients), memory.real(job.p.dtype)) for job in jobs}
    made, real = kinds.pop()
    if kinds or real is None or any(unsupported(memory, job) or not writable(memory, job) for job in jobs):
        return None
    if not llvm.available():
        return Again(adam, jobs, memory, way)
    return Steady(PointerTable(made, real, True, [memory.size(job.p) for job in jobs]), jobs, memory)


class PointerTable:
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


def run_parallel(kernel: Kernel, total: int, at: int) -> None:
    """Run a kernel over ``total`` elements of the table at ``at``, in threads where a second one pays."""
    threads = processors() if total >= PARALLEL else 1
    spread(lambda lo, hi: kernel(lo, hi, at), total, PIECE, threads)
