"""The jobs and results of a large tree as columns: an object for each leaf takes longer than its step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, overload

from adamcore.definition import Coefficients
from adamcore.protocol import Columns, Job, LeafDtypes, Result
from adamcore.types import Array


class UniformJobs(Sequence[Job]):
    """Jobs of leaves that are alike, without masks: what :meth:`Backend.uniform` is true of.

    Args:
        columns: their arrays.
        rows: a row of coefficients for each job, or one row for all.
        formats: the dtypes of every leaf.
    """

    def __init__(self, columns: Columns, rows: Sequence[Coefficients], formats: LeafDtypes) -> None:
        self.columns, self.rows, self.formats = columns, rows, formats

    def __len__(self) -> int:
        return len(self.columns.p)

    @overload
    def __getitem__(self, i: int) -> Job: ...
    @overload
    def __getitem__(self, i: slice) -> list[Job]: ...
    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        p, g, m, v = (column[i] for column in self.columns[:4])
        v_max = self.columns.v_max[i] if self.columns.v_max else None
        row = self.rows[i if len(self.rows) > 1 else 0]
        return Job(p, g, m, v, v_max, row, None, self.formats)


class ResultColumns(NamedTuple):
    """The arrays of a :class:`Results`; ``v_max`` is empty without AMSGrad."""

    p: Sequence[Array]
    m: Sequence[Array]
    v: Sequence[Array]
    v_max: Sequence[Array] = ()


class Results(Sequence[Result]):
    """The results of :class:`UniformJobs`, by column."""

    def __init__(self, columns: ResultColumns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns.p)

    @overload
    def __getitem__(self, i: int) -> Result: ...
    @overload
    def __getitem__(self, i: slice) -> list[Result]: ...
    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        p, m, v, v_max = self.columns
        return Result(p[i], m[i], v[i], v_max[i] if v_max else None)


def columns_of(jobs: Sequence[Job]) -> Columns:
    """Return the arrays of a list of jobs: a ``v_max`` in each or in none."""
    if isinstance(jobs, UniformJobs):
        return jobs.columns
    p, g, m, v = ([job[k] for job in jobs] for k in range(4))  # zip(*jobs) has the collector look often
    return Columns(p, g, m, v, [job.v_max for job in jobs] if jobs and jobs[0].v_max is not None else ())


def in_place_results(jobs: Sequence[Job]) -> Sequence[Result]:
    """Return the results of jobs that were carried out in their own arrays."""
    if isinstance(jobs, UniformJobs):
        p, _, m, v, v_max = jobs.columns
        return Results(ResultColumns(p, m, v, v_max))
    return [Result(job.p, job.m, job.v, job.v_max) for job in jobs]
