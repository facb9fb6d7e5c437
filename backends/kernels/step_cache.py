"""Cached steps of arrays in plain memory: the same jobs in place again, on the arrays of before.

A :class:`KernelStep` keeps the kernel's table of addresses, in which only those of gradients change; a
:class:`FallbackStep` carries out new jobs without machine code.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Protocol

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.cpu import Implementation
from adamcore.backends.kernels.memory import Memory, all_writable, lengths_of, touching
from adamcore.backends.kernels.support import all_supported, format_of, rows_of
from adamcore.backends.kernels.table import PointerTable, Run
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.jobs import Columns, Job, columns_of
from adamcore.protocol import ColumnStep
from adamcore.tracing import program as program_of
from adamcore.types import Array


class KernelTable(Protocol):
    """The addresses of a list of arrays, and the kernel that steps them."""

    addresses: array[int]  #: of all p, of all g, and so on

    def point(self, addresses: array[int]) -> None: ...
    def run(
        self, coefficients: Sequence[Coefficients], run_parallel: Run, clocks: Sequence[int] = ()
    ) -> None: ...


class KernelStep:
    """A cached step by a kernel; ``beside`` are arrays that no job has, and that have to be as they are."""

    def __init__(
        self, table: KernelTable, jobs: Sequence[Job], memory: Memory, beside: Sequence[Array] = ()
    ) -> None:
        self.table, self.memory = table, memory
        columns = columns_of(jobs)
        self.look = memory.watch(columns, beside)
        self.gradients = memory.addresses(columns.g)
        written = memory.addresses([*columns.p, *chain.from_iterable(columns[2:])])
        p, g, *others = lengths_of(jobs)
        #: True if gradients share memory with what is written to
        self.touch = touching(array("q", g), written, array("q", chain(p, *others)))
        table.point(memory.addresses([*chain.from_iterable(columns)]))

    def bind(
        self, columns: Columns, coefficients: Sequence[Coefficients], clocks: Sequence[int] = ()
    ) -> Callable[[], None] | None:
        gradients = self.look(columns)
        if gradients is None:
            return None
        if gradients != self.gradients:
            if self.touch(gradients):
                return None
            n, self.gradients = len(gradients), gradients[:]
            self.table.addresses[n : 2 * n] = gradients
        return partial(self.run, columns.p, coefficients, clocks)

    def run(
        self, params: Sequence[Array], coefficients: Sequence[Coefficients], clocks: Sequence[int]
    ) -> None:
        """Step the arrays of the table."""
        self.table.run(coefficients, self.memory.run_parallel, clocks)
        self.memory.mark_written(params)


class FallbackStep:
    """A cached step without machine code: the checks are saved, the jobs are new."""

    def __init__(
        self,
        adam: AdamConfig,
        jobs: Sequence[Job],
        memory: Memory,
        implementation: Implementation,
        beside: Sequence[Array] = (),
    ) -> None:
        self.adam, self.memory, self.implementation = adam, memory, implementation
        self.look = memory.watch(columns_of(jobs), beside)
        self.formats = jobs[0].formats

    def bind(
        self, columns: Columns, coefficients: Sequence[Coefficients], clocks: Sequence[int] = ()
    ) -> Callable[[], None] | None:
        if self.look(columns) is None:
            return None
        if self.memory.movable and not all_writable(self.memory, self.jobs(columns, coefficients)):
            return None
        return partial(self.run, columns, coefficients)

    def jobs(self, columns: Columns, coefficients: Sequence[Coefficients]) -> list[Job]:
        """Return jobs of these arrays, by a row of coefficients for each or one for all."""
        n = len(columns.p)
        rows = coefficients if len(coefficients) > 1 else [coefficients[0]] * n
        p, g, m, v, v_max = columns[:5]
        rest = repeat(None, n), repeat(self.formats, n)
        return list(map(Job, p, g, m, v, v_max or repeat(None, n), rows, *rest))

    def run(self, columns: Columns, coefficients: Sequence[Coefficients]) -> None:
        """Carry out the jobs."""
        self.implementation(self.adam, self.jobs(columns, coefficients), True, self.memory)


def column_step(
    adam: AdamConfig,
    jobs: Sequence[Job],
    memory: Memory,
    implementation: Implementation,
    beside: Sequence[Array] = (),
) -> ColumnStep | None:
    """Return a cached step of jobs that were carried out in place; None if they are not all alike.

    Args:
        adam: whose step it is.
        jobs: the jobs, at least one.
        memory: of their arrays.
        implementation: carries them out where there is no machine code.
        beside: arrays that no job has, and that have to be as they are.
    """
    programs = {program_of(adam, row) for row in rows_of(jobs).values()}
    if memory.storage(jobs[0].p.dtype) is None or len(programs) > 1:
        return None
    if not all_supported(memory, jobs) or not all_writable(memory, jobs):
        return None
    if not llvm.available():
        return FallbackStep(adam, jobs, memory, implementation, beside)
    sizes = memory.sizes(columns_of(jobs).p)
    table = PointerTable(programs.pop(), format_of(memory, jobs[0]), True, sizes)
    table.draw([job.key for job in jobs if job.key is not None])
    return KernelStep(table, jobs, memory, beside)
