"""The fast path of NumPy: machine code where llvmlite is installed, blocks elsewhere."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np

from adamcore.backends.base import Fallback
from adamcore.backends.kernels import cpu, llvm, support, table, threads
from adamcore.backends.kernels.formats import LLVM, Storage
from adamcore.backends.kernels.memory import Memory, all_writable, arrays_of, writable
from adamcore.backends.kernels.objects import FEW
from adamcore.backends.kernels.step_cache import column_step
from adamcore.backends.numpy import addresses, uniform
from adamcore.backends.numpy.addresses import HEAD, word
from adamcore.backends.numpy.blocks import SMALL, Blocks
from adamcore.config import AdamConfig
from adamcore.jobs import Columns, Job, Result, ResultColumns, in_place_results
from adamcore.protocol import CachedStep, StepRecord
from adamcore.state import AdamState
from adamcore.step_cache import in_place_step, stepped_in_place
from adamcore.tracing import Program
from adamcore.tracing import program as program_of
from adamcore.types import Array, Clock, DType

STORAGE: dict[DType, Storage] = {
    np.dtype("float16"): "float16", np.dtype("float32"): "float32", np.dtype("float64"): "float64",
    np.dtype("complex64"): "float32", np.dtype("complex128"): "float64",
}  # fmt: skip


def flat(flags: Any) -> bool:
    """True if an array with these flags is a vector in memory."""
    return flags.c_contiguous and flags.aligned  # type: ignore[no-any-return]


class NumPyMemory:
    """NumPy's arrays as memory: see :class:`adamcore.backends.kernels.memory.Memory`."""

    movable = False

    def storage(self, dtype: DType) -> Storage | None:
        found = STORAGE.get(dtype)
        if found is None and dtype.name == "bfloat16":  # of ml_dtypes, which may not be installed
            return "bfloat16"
        return found

    def unsupported(self, x: Array) -> str | None:
        if type(x) is not np.ndarray:
            return f"a {type(x).__name__}"
        if x.flags.aligned and x.dtype.isnative:
            return None
        return "an array that is not aligned or of this byte order"

    def contiguous(self, x: Array) -> bool:
        return x.flags.c_contiguous  # type: ignore[no-any-return]

    def strides(self, x: Array) -> Sequence[float]:
        return [stride / x.itemsize for stride in x.strides]

    def plain(self, xs: Sequence[Array]) -> bool:
        return {*map(type, xs)} == {np.ndarray} and all(
            map(flat, {x.flags.num: x.flags for x in xs}.values())
        )

    def booleans(self, x: Array) -> bool:
        return type(x) is np.ndarray and x.dtype == np.bool_

    def read_only(self, x: Array) -> bool:
        return not x.flags.writeable

    address = staticmethod(addresses.address)
    addresses = staticmethod(addresses.addresses)

    def size(self, x: Array) -> int:
        return x.size * (1 + (x.dtype.kind == "c"))  # type: ignore[no-any-return]

    def sizes(self, xs: Sequence[Array]) -> list[int]:
        parts = 1 + (xs[0].dtype.kind == "c")
        return [parts * x.size for x in xs]

    def empty_like(self, x: Array) -> Array:
        return np.empty_like(x)

    def new_columns(self, columns: Columns, alike: bool) -> ResultColumns:
        p, _, *others = columns
        if not alike:
            return ResultColumns(*(list(map(np.empty_like, column)) for column in (p, *others)))
        shapes, dtype = [x.shape for x in p], p[0].dtype  # alike: there are no rests
        return ResultColumns(*(list(map(np.empty, shapes, repeat(dtype))) if x else () for x in (p, *others)))

    def threads(self) -> int:
        return threads.thread_count()

    run_parallel = staticmethod(table.run_parallel)

    def mark_written(self, xs: Sequence[Array]) -> None:
        pass

    def watch(self, columns: Columns, beside: Sequence[Array] = ()) -> Callable[[Columns], array[int] | None]:
        dtype, n = columns.g[0].dtype, len(columns.g)
        facts = [(x.shape, None if x.flags.c_contiguous else x.strides) for x in columns.p]
        plain, known = uniform.ALIGNED | uniform.CONTIGUOUS, addresses.known()
        shape = facts[0][0]

        def look_at_one(others: Columns) -> array[int] | None:
            x = others.g[0]
            if type(x) is not np.ndarray or x.shape != shape:
                return None
            if x.dtype is not dtype and x.dtype != dtype:  # most dtypes are one object
                return None
            if x.flags.num & plain != plain:
                return None
            return array("q", (word(id(x) + HEAD).value,))

        def look(others: Columns) -> array[int] | None:  # an array of NumPy stays what it is
            found = uniform.uniform_addresses([others.p, others.g]) if n >= FEW else None
            if found is not None and others.g[0].dtype == dtype:
                return found[n:]
            for x, (shape, strides) in zip(others.g, facts, strict=True):
                if type(x) is not np.ndarray or x.shape != shape or x.dtype != dtype:
                    return None
                flags = x.flags.num
                if not flags & uniform.ALIGNED:
                    return None
                if not (flags & uniform.CONTIGUOUS if strides is None else x.strides == strides):
                    return None
            return addresses.addresses(others.g)

        return look_at_one if n == 1 and known and facts[0][1] is None else look


MEMORY = NumPyMemory()


def unsupported(job: Job) -> str | None:
    """Return why neither machine code nor blocks can run a job, or None."""
    return support.unsupported(MEMORY, job)


def apply(adam: AdamConfig, jobs: Sequence[Job], donate: bool, fallback: Fallback) -> Sequence[Result]:
    """Carry out a step by machine code or in blocks; see :class:`adamcore.backends.base.FastPath`."""
    if (
        len(jobs) >= cpu.MANY
        and support.all_supported(MEMORY, jobs)
        and (not donate or all_writable(MEMORY, jobs))
    ):
        return implementation_of(jobs[0])(adam, jobs, donate, MEMORY)
    results: list[Any] = [None] * len(jobs)
    groups: dict[tuple[cpu.Implementation, bool], list[int]] = {}
    for i, job in enumerate(jobs):
        if unsupported(job) is not None:
            results[i] = fallback(adam, job, donate)
        else:
            in_place = donate and writable(MEMORY, job)
            groups.setdefault((implementation_of(job), in_place), []).append(i)
    for (implementation, in_place), indices in groups.items():
        new = implementation(adam, [jobs[i] for i in indices], in_place, MEMORY)
        for i, result in zip(indices, new, strict=True):
            results[i] = result
    return results


def implementation_of(job: Job) -> cpu.Implementation:
    """Return the function that carries out a supported job: machine code if there is any, else blocks."""
    return cpu.step if llvm.available() and MEMORY.storage(job.formats.work) in LLVM else in_blocks


def in_blocks(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: Memory) -> list[Result]:
    """Carry out supported jobs block by block: see :mod:`adamcore.backends.numpy.blocks`."""
    llvm.warn_if_missing(sum(job.p.size for job in jobs))
    results = list(in_place_results(jobs)) if in_place else [cpu.new_arrays(job, MEMORY) for job in jobs]
    small: dict[tuple[int, DType], list[int]] = {}
    vectors = [[vector(x) for x in arrays_of(job)] for job in jobs]
    targets = [[] if in_place else [vector(x) for x in result if x is not None] for result in results]
    for i, job in enumerate(jobs):
        dtype = vectors[i][0].dtype
        if job.p.size < SMALL and len(jobs) > 1:
            small.setdefault((id(job.coefficients), dtype), []).append(i)
            continue
        program = program_of(adam, job.coefficients)
        coefficients = program.used(job.coefficients)
        blocks(program, dtype, in_place).run(vectors[i], targets[i], coefficients, memory.threads())
    for (_, dtype), indices in small.items():
        program = program_of(adam, jobs[indices[0]].coefficients)
        coefficients = program.used(jobs[indices[0]].coefficients)
        columns = list(zip(*(vectors[i] for i in indices), strict=True))
        new = list(zip(*(targets[i] for i in indices), strict=True))
        blocks(program, dtype, in_place).run_small(columns, new, coefficients)
    return results


def vector(x: Array) -> Array:
    """Return the real numbers of a dense array in the order of its memory, and in that memory."""
    if x.ndim == 1 and x.dtype.kind == "f":
        return x
    if not x.flags.c_contiguous:
        x = x.transpose(sorted(range(x.ndim), key=x.strides.__getitem__, reverse=True))
    flat = x.reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


@lru_cache(maxsize=8)
def blocks(program: Program, dtype: DType, in_place: bool) -> Blocks:
    """Return the blocks of a program; their memory, a few megabytes at most, is kept from step to step."""
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
