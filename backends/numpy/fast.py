"""The fast path of NumPy: machine code with the extra [fast], blocks without it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from adamcore.backends.base import Fallback
from adamcore.backends.kernels import cpu, llvm, threads
from adamcore.backends.kernels.step_cache import column_step
from adamcore.backends.numpy import addresses
from adamcore.backends.numpy.blocks import SMALL, Blocks
from adamcore.config import AdamConfig
from adamcore.protocol import CachedStep, Columns, Job, Result, StepRecord
from adamcore.state import AdamState
from adamcore.step_cache import in_place_step, stepped_in_place
from adamcore.tracing import Program
from adamcore.tracing import program as program_of
from adamcore.types import Array, Clock, DType

REALS: dict[DType, llvm.Real] = {np.dtype("float32"): "float32", np.dtype("float64"): "float64"}


def flat(flags: Any) -> bool:
    """True if an array with these flags is a vector in memory."""
    return flags.c_contiguous and flags.aligned  # type: ignore[no-any-return]


class NumPyMemory:
    """What the kernels have to know of NumPy's arrays: see :class:`adamcore.backends.kernels.cpu.Memory`."""

    movable = False

    def real(self, dtype: DType) -> llvm.Real | None:
        return REALS.get(dtype)

    def unsupported(self, x: Array) -> str | None:
        if type(x) is not np.ndarray:
            return f"a {type(x).__name__}"
        flags = x.flags
        if not flags.c_contiguous:
            return "an array that is not contiguous"
        if flags.aligned and x.dtype.isnative:
            return None
        return "an array that is not aligned or of this byte order"

    def plain(self, xs: Sequence[Array]) -> bool:
        return {*map(type, xs)} == {np.ndarray} and all(
            map(flat, {x.flags.num: x.flags for x in xs}.values())
        )

    def read_only(self, x: Array) -> bool:
        return not x.flags.writeable

    address = staticmethod(addresses.address)
    addresses = staticmethod(addresses.addresses)

    def size(self, x: Array) -> int:
        return x.size  # type: ignore[no-any-return]

    def empty_like(self, x: Array) -> Array:
        return np.empty_like(x)

    def threads(self) -> int:
        return threads.thread_count()

    run_parallel = staticmethod(cpu.run_parallel)

    def mark_written(self, xs: Sequence[Array]) -> None:
        pass

    def guard(self, columns: Columns) -> Callable[[Columns], bool]:
        shapes, dtype = [x.shape for x in columns.p], columns.p[0].dtype

        def same_gradients(others: Columns) -> bool:
            for x, shape in zip(others.g, shapes, strict=True):  # an array of NumPy stays what it is
                if type(x) is not np.ndarray or x.shape != shape or x.dtype != dtype:
                    return False
                flags = x.flags
                if not (flags.c_contiguous and flags.aligned):
                    return False
            return True

        return same_gradients


MEMORY = NumPyMemory()


def unsupported(job: Job) -> str | None:
    """Return why neither machine code nor blocks can run a job, or None."""
    return cpu.unsupported(MEMORY, job)


def apply(adam: AdamConfig, jobs: Sequence[Job], donate: bool, fallback: Fallback) -> list[Result]:
    """Carry out a step by machine code or in blocks; see :class:`adamcore.backends.base.FastPath`."""
    if jobs and cpu.all_supported(MEMORY, jobs) and (not donate or cpu.all_writable(MEMORY, jobs)):
        return implementation_of(jobs[0])(adam, jobs, donate, MEMORY)
    results: list[Any] = [None] * len(jobs)
    groups: dict[tuple[cpu.Implementation, bool], list[int]] = {}
    for i, job in enumerate(jobs):
        if unsupported(job) is not None:
            results[i] = fallback(adam, job, donate)
        else:
            in_place = donate and cpu.writable(MEMORY, job)
            groups.setdefault((implementation_of(job), in_place), []).append(i)
    for (implementation, in_place), indices in groups.items():
        new = implementation(adam, [jobs[i] for i in indices], in_place, MEMORY)
        for i, result in zip(indices, new, strict=True):
            results[i] = result
    return results


def implementation_of(job: Job) -> cpu.Implementation:
    """Return the function that carries out a supported job: machine code if there is any, else blocks."""
    return cpu.step if llvm.available() and job.p.dtype in REALS else in_blocks


def in_blocks(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: cpu.Memory) -> list[Result]:
    """Carry out supported jobs block by block: see :mod:`adamcore.backends.numpy.blocks`."""
    results = cpu.in_place_results(jobs) if in_place else [cpu.new_arrays(job, MEMORY) for job in jobs]
    small: dict[tuple[int, DType], list[int]] = {}
    for i, job in enumerate(jobs):
        if job.p.size < SMALL and len(jobs) > 1:
            small.setdefault((id(job.coefficients), job.p.dtype), []).append(i)
            continue
        program = program_of(adam, job.coefficients)
        flat = [x.reshape(-1) for x in cpu.arrays_of(job)]
        targets = () if in_place else [x.reshape(-1) for x in results[i] if x is not None]
        coefficients = program.used(job.coefficients)
        blocks(program, job.p.dtype, in_place).run(flat, targets, coefficients, memory.threads())
    for (_, dtype), indices in small.items():
        program = program_of(adam, jobs[indices[0]].coefficients)
        coefficients = program.used(jobs[indices[0]].coefficients)
        columns = [column for column in cpu.columns_of([jobs[i] for i in indices]) if column]
        new = zip(*(results[i] for i in indices), strict=True)
        targets = () if in_place else list(new)[: len(program.outputs)]
        blocks(program, dtype, in_place).run_small(columns, targets, coefficients)
    return results


@lru_cache(maxsize=8)
def blocks(program: Program, dtype: DType, in_place: bool) -> Blocks:
    """Return the blocks of a program; their memory, a fraction of a megabyte, is kept from step to step."""
    return Blocks(program, dtype, in_place)


def cached_step(
    adam: AdamConfig, record: StepRecord, fallback: Fallback
) -> tuple[CachedStep, AdamState] | None:
    """Return a cached step and the state if the jobs were carried out in place, else None."""
    columns = column_step(adam, record.jobs, MEMORY, in_blocks) if stepped_in_place(record) else None
    return None if columns is None else in_place_step(adam, record, columns, clock_arrays)


def clock_arrays(now: array[int]) -> list[Clock]:
    """Return a 0-d int32 array for each number of a vector, in the vector's own memory."""
    vector = np.frombuffer(now, dtype=np.int32)
    return [vector[i : i + 1].reshape(()) for i in range(len(now))]
