"""Cached steps of jobs on several CUDA devices: one for each device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adamcore.definition import Coefficients
from adamcore.jobs import Columns, Job
from adamcore.protocol import ColumnStep, DeviceClockColumnStep
from adamcore.types import Array, Clock, Device

Indices = Sequence[int]


def by_device(jobs: Sequence[Job]) -> dict[Device, list[int]]:
    """Return the positions of the jobs on each device."""
    found: dict[Device, list[int]] = {}
    for i, job in enumerate(jobs):
        found.setdefault(job.p.device, []).append(i)
    return found


def columns_at(columns: Columns, indices: Indices) -> Columns:
    """Return the arrays of these jobs; a column that is empty stays empty."""
    return Columns(*([column[i] for i in indices] if column else column for column in columns))


def rows_at(rows: Sequence[Any], indices: Indices) -> Sequence[Any]:
    """Return what belongs to these jobs, of a row for each job or one row for all."""
    return [rows[i] for i in indices] if len(rows) > 1 else rows


class DeviceSteps:
    """A column step that is one for each of several devices.

    Args:
        parts: the positions of a device's jobs among all, and their column step.
    """

    def __init__(self, parts: Sequence[tuple[Indices, ColumnStep]]) -> None:
        self.parts = parts

    def bind(
        self, columns: Columns, coefficients: Sequence[Coefficients], clocks: Sequence[int] = ()
    ) -> Callable[[], None] | None:
        bound: list[tuple[Indices, Any, Callable[[], None]]] = []
        for indices, step in self.parts:
            rows = [*rows_at(coefficients, indices)]
            run = step.bind(columns_at(columns, indices), rows, rows_at(clocks, indices))
            if run is None:
                return None
            bound.append((indices, rows, run))

        def run_all() -> None:
            for indices, rows, run in bound:
                rows[:] = rows_at(coefficients, indices)  # others may have been put in since
                run()

        return run_all


class DeviceClockSteps(DeviceSteps):
    """The same with a clock for each job, which the job's device ticks."""

    def __init__(self, parts: Sequence[tuple[Indices, DeviceClockColumnStep]]) -> None:
        super().__init__(parts)
        self.clock_parts = parts

    def bind_clocks(
        self,
        columns: Columns,
        clocks: Sequence[Clock],
        products: Sequence[Array],
        lr: Any,
        skip: Any = None,
    ) -> Callable[[], None] | None:
        if len(clocks) != len(columns.p):
            return None  # one device ticks a clock of all
        runs = []
        for indices, step in self.clock_parts:
            mine = [clocks[i] for i in indices], [products[i] for i in indices] if products else products
            run = step.bind_clocks(columns_at(columns, indices), *mine, lr, skip)
            if run is None:
                return None
            runs.append(run)

        def run_all() -> None:
            for run in runs:
                run()

        return run_all
