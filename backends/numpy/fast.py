"""The fast paths of NumPy: machine code with the extra [fast], blocks without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import addressof, c_char
from functools import lru_cache
from typing import Any

import numpy as np

from adamcore.backends.kernels import cpu, llvm, threads
from adamcore.backends.numpy.blocks import SMALL, Blocks
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.protocol import Job, Prepared, Result
from adamcore.tracing import Program, program
from adamcore.types import Array

REALS: dict[Any, llvm.Real] = {np.dtype("float32"): "float32", np.dtype("float64"): "float64"}


class NumPyMemory:
    """NumPy's arrays as memory."""

    def real(self, dtype: Any) -> llvm.Real | None:
        return REALS.get(dtype)

    def unsupported(self, x: Array) -> str | None:
        if type(x) is not np.ndarray:
            return f"a {type(x).__name__}"
        flags = x.flags
        if not flags.c_contiguous:
            return "an array that is not contiguous"
        return (
            None
            if flags.aligned and x.dtype.isnative
            else "an array that is not aligned or of this byte order"
        )

    def fixed(self, x: Array) -> bool:
        return not x.flags.writeable

    def address(self, x: Array) -> int:
        try:
            return addressof(c_char.from_buffer(x))
        except (TypeError, ValueError):  # read-only, or without elements
            return x.__array_interface__["data"][0]  # type: ignore[no-any-return]

    def size(self, x: Array) -> int:
        return x.size  # type: ignore[no-any-return]

    def like(self, x: Array) -> Array:
        return np.empty_like(x)

    def threads(self) -> int:
        return threads.processors()

    run_parallel = staticmethod(cpu.run_parallel)

    def written(self, xs: Sequence[Array]) -> None:
        pass

    movable = False

    def likeness(self, columns: cpu.Columns) -> Callable[[cpu.Columns], bool]:
        shapes, dtype = [x.shape for x in columns[0]], columns[0][0].dtype

        def alike(others: cpu.Columns) -> bool:
            for x, shape in zip(others[1], shapes, strict=True):  # the gradients: the rest stays
                if type(x) is not np.ndarray or x.shape != shape or x.dtype != dtype:
                    return False
                flags = x.flags
                if not (flags.c_contiguous and flags.aligned):
                    return False
            return True

        return alike


MEMORY = NumPyMemory()
Slow = Callable[[AdamConfig, Job, bool], Result]


def apply(adam: AdamConfig, jobs: Sequence[Job], donate: bool, slow: Slow) -> list[Result]:
    """The jobs: in machine code, in blocks, or by ``slow`` where neither serves."""
    results: list[Any] = [None] * len(jobs)
    chosen: dict[tuple[bool, bool], list[int]] = {}
    for i, job in enumerate(jobs):
        if cpu.unsupported(MEMORY, job) is not None:
            results[i] = slow(adam, job, donate)
        else:
            compiled = llvm.available() and job.p.dtype in REALS
            chosen.setdefault((compiled, donate and cpu.writable(MEMORY, job)), []).append(i)
    for (compiled, in_place), places in chosen.items():
        some = [jobs[i] for i in places]
        way = cpu.step if compiled else in_blocks
        new = way(adam, some, in_place, MEMORY)
        for i, result in zip(places, new, strict=True):
            results[i] = result
    return results


def in_blocks(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: cpu.Memory) -> list[Result]:
    """The jobs, all without an obstacle, by planned operations."""
    team = memory.threads()
    results: list[Any] = [None] * len(jobs)
    small: dict[tuple[int, Any], list[int]] = {}
    for i, job in enumerate(jobs):
        arrays = job.p, job.m, job.v, job.v_max
        results[i] = Result(*(x if in_place or x is None else np.empty_like(x) for x in arrays))
        if job.p.size < SMALL and len(jobs) > 1:
            small.setdefault((id(job.coefficients), job.p.dtype), []).append(i)
            continue
        made = program(adam, job.coefficients)
        flat = [x.reshape(-1) for x in cpu.arrays_of(job)]
        targets = () if in_place else [x.reshape(-1) for x in results[i] if x is not None]
        blocks(made, job.p.dtype, in_place).run(flat, targets, made.used(job.coefficients), team)
    for (_, dtype), places in small.items():
        c: Coefficients = jobs[places[0]].coefficients
        made = program(adam, c)
        inputs = list(zip(*(cpu.arrays_of(jobs[i]) for i in places), strict=True))
        targets = (
            () if in_place else list(zip(*(results[i] for i in places), strict=True))[: len(made.outputs)]
        )
        blocks(made, dtype, in_place).run_small(inputs, targets, made.used(c))
    return results


@lru_cache(maxsize=8)
def blocks(made: Program, dtype: Any, in_place: bool) -> Blocks:
    """The scratch of a program: a fraction of a megabyte, kept from step to step."""
    return Blocks(made, dtype, in_place)


def prepare(adam: AdamConfig, jobs: Sequence[Job]) -> Prepared | None:
    """Jobs that were done in place, ready to be done again."""
    return cpu.prepare(adam, jobs, MEMORY, in_blocks)


def unsupported(job: Job) -> str | None:
    """Why neither machine code nor blocks can do a job; None if one can."""
    return cpu.unsupported(MEMORY, job)
