"""The program run over arrays in the memory of the CPU, for NumPy and for PyTorch.

Both lay out an array in memory in the same way.  They differ in how they give an array's address, and
in which arrays may be read and written there: :class:`adamcore.backends.kernels.memory.Memory` says it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from adamcore.backends.kernels.formats import Format
from adamcore.backends.kernels.memory import Memory, arrays_of
from adamcore.backends.kernels.support import format_of, rows_of
from adamcore.backends.kernels.table import PointerTable
from adamcore.config import AdamConfig
from adamcore.jobs import (
    PARTS_OF,
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

MANY = 16  #: jobs from which it pays to look at columns first

Implementation = Callable[[AdamConfig, Sequence[Job], bool, Memory], Sequence[Result]]
"""Carries out supported jobs: (adam, jobs, in_place, memory)."""


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
    result = in_place_results([job])[0] if in_place else new_arrays(job, memory)
    if not in_place:
        arrays += tuple(x for x in result if x is not None)
    table = PointerTable(program, dtypes, in_place, [memory.size(job.p)], job.where is not None)
    table.point(array("q", memory.addresses(arrays)))
    if job.key is not None:
        table.draw([job.key])
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
        table.draw([job.key for job in jobs if job.key is not None])
        rows = [job.coefficients for job in (jobs if len(rows_of(jobs)) > 1 else jobs[:1])]
    table.run(rows, memory.run_parallel)
    if in_place:
        memory.mark_written(columns.p)
    return results


def list_of(new: ResultColumns) -> list[Result]:
    """Return a result for each job."""
    none = [None] * len(new.p)
    return list(map(Result, *(column or none for column in new)))


def new_arrays(job: Job, memory: Memory) -> Result:
    """Return arrays for the results of a job that is not carried out in place."""
    old = job.p, job.m, job.v, *PARTS_OF(job)
    return Result._make([None if x is None else memory.empty_like(x) for x in old])
