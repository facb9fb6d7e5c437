"""A step's jobs carried out by machine code where it can be, for NumPy and for PyTorch on the CPU.

Both lay arrays out in memory in the same way, so what differs is how a library tells an array's
address and whether it is one that machine code may touch: :class:`Memory`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from adamcore.backends import machine
from adamcore.backends.machine import Real
from adamcore.backends.table import Table, scalars
from adamcore.definition import Array, Coefficients
from adamcore.program import Program, program
from adamcore.protocol import Job, Result

if TYPE_CHECKING:
    from adamcore.adam import Adam


class Memory(Protocol):
    """What a library says of its arrays."""

    def real(self, dtype: Any) -> Real | None: ...  # a dtype that has a kernel
    def obstacle(self, x: Array) -> str | None: ...  # why its memory can't be read as a plain vector
    def fixed(self, x: Array) -> bool: ...  # whether it may not be written to
    def address(self, x: Array) -> int: ...
    def size(self, x: Array) -> int: ...  # the number of elements
    def like(self, x: Array) -> Array: ...  # a new array, its values not set
    def threads(self) -> int: ...
    def written(self, xs: Sequence[Array]) -> None: ...  # parameters have been written to

    # of steps on the same arrays again
    movable: bool  #: an array may get another address

    def plain(self, xs: Sequence[Array], shapes: Sequence[Any], dtype: Any) -> bool: ...  # no obstacle


def obstacle(memory: Memory, job: Job) -> str | None:
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
    for x in arrays_of(job):
        reason = memory.obstacle(x)
        if reason is not None:
            return reason
    return None


def arrays_of(job: Job) -> tuple[Array, ...]:
    """Its arrays in the order of a program's inputs."""
    return job[:4] if job.v_max is None else job[:5]


def writable(memory: Memory, job: Job) -> bool:
    """Whether a job may be done in place: nothing read-only, and the gradient is nobody else."""
    if any(memory.fixed(x) for x in (job.p, job.m, job.v, job.v_max) if x is not None):
        return False
    size = memory.size(job.p) * job.p.dtype.itemsize
    starts = [memory.address(x) for x in arrays_of(job)]
    return all(abs(a - b) >= size for i, a in enumerate(starts) for b in starts[:i])


def step(adam: Adam, jobs: Sequence[Job], in_place: bool, memory: Memory) -> list[Result]:
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
    table = Table(
        machine.kernel(made, real, in_place),
        list(map(memory.size, columns[0])),
        [map(memory.address, column) for column in columns],
    )
    table.run(*scalars(made, real, [job.coefficients for job in jobs]), memory.threads())
    if in_place:
        memory.written(columns[0])
    return results


class Steady:
    """Jobs in place on the same arrays, step after step: only the addresses of gradients change."""

    def __init__(self, made: Program, real: Real, jobs: Sequence[Job], memory: Memory) -> None:
        self.program, self.real, self.memory = made, real, memory
        columns = list(zip(*map(arrays_of, jobs), strict=True))
        self.shapes, self.dtype = [job.p.shape for job in jobs], jobs[0].p.dtype
        self.sizes = list(map(memory.size, columns[0]))
        self.bytes = [size * jobs[0].p.dtype.itemsize for size in self.sizes]
        self.kept = [list(map(memory.address, column)) for column in columns]
        self.kept[1] = []
        self.table = Table(
            machine.kernel(made, real, True), self.sizes, [map(memory.address, column) for column in columns]
        )

    def fits(self, columns: Sequence[Sequence[Array]]) -> bool:
        gs = columns[1]
        if not self.memory.plain(gs, self.shapes, self.dtype):
            return False
        if self.memory.movable:
            for column, kept in zip(columns, self.kept, strict=True):
                if kept and list(map(self.memory.address, column)) != kept:
                    return False
        self.owners = columns[0]
        addresses = array("q", map(self.memory.address, gs))
        if addresses != self.table.column(1):
            if self.overlaps(addresses):
                return False
            self.table.replace(1, addresses)
        return True

    def overlaps(self, addresses: Iterable[int]) -> bool:
        """Whether a gradient shares memory with what its step writes."""
        for i, (a, size) in enumerate(zip(addresses, self.bytes, strict=True)):
            for kept in self.kept:
                if kept and -size < a - kept[i] < size:
                    return True
        return False

    def run(self, each: Sequence[Coefficients]) -> None:
        self.table.run(*scalars(self.program, self.real, each), self.memory.threads())
        self.memory.written(self.owners)


def prepare(adam: Adam, jobs: Sequence[Job], memory: Memory) -> Steady | None:
    """The same jobs for further steps, if they are all of one kind and have no obstacle."""
    if not machine.available():
        return None
    kinds = {(program(adam, job.coefficients), memory.real(job.p.dtype)) for job in jobs}
    made, real = kinds.pop()
    if kinds or real is None or any(obstacle(memory, job) or not writable(memory, job) for job in jobs):
        return None
    return Steady(made, real, jobs, memory)
