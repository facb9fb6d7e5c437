"""The fast paths of JAX: a step outside of jit with ``donate=True`` is compiled, and its inputs donated.

Inside the caller's own jit nothing is done here: the definition becomes part of the caller's
program, which places and shards it (or the machine code, by :mod:`adamcore.backends.jax.in_jit`).
Outside, with the extra [fast] and arrays on one CPU, the compiled step calls the machine code of
:mod:`adamcore.backends.jax.ffi`, one pass over memory where XLA makes three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from adamcore.backends.jax import ffi
from adamcore.backends.kernels.cpu import arrays_of
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.protocol import Job, LeafDtypes, Result
from adamcore.tracing import Program, program
from adamcore.types import Array

Slow = Callable[[AdamConfig, Job, bool], Result]

CHUNK = 32  #: arrays of one custom call: of more XLA compiles for minutes, of fewer each costs a call


NO_CLOCKS = np.empty(0, np.int32)


class Layout(NamedTuple):
    """What of a job is part of the compiled program; the rest are its arguments."""

    formats: LeafDtypes
    there: tuple[bool, ...]  #: which coefficients there are
    native: bool


class Misfit(Exception):
    """Gradients that a compiled step is not for: the long way says what is wrong with them."""


def unsupported(job: Job) -> str | None:
    """Why the machine code can't do a job outside of jit; None if it can."""
    reason = form(job)
    if reason is None and any(
        len(x.devices()) != 1 or next(iter(x.devices())).platform != "cpu" for x in arrays_of(job)
    ):
        return "not on one CPU device"
    return reason


def form(job: Job) -> str | None:
    """What of that can be said of traced arrays too."""
    if not ffi.available():
        return "no llvmlite, or a jaxlib whose foreign function interface is not known here"
    if job.formats.is_complex:
        return "complex numbers"
    if job.where is not None:
        return "a mask or flag"
    if any(x.dtype != job.formats.work for x in arrays_of(job)) or str(job.p.dtype) not in ffi.REAL:
        return f"{job.p.dtype}, with moments in {job.m.dtype} and {job.v.dtype}"
    return None


def compiles(jobs: Sequence[Job]) -> bool:
    """Whether these jobs stand outside of any transformation, each array in one place alone."""
    owned: set[int] = set()
    for job in jobs:
        if any(isinstance(x, jax.core.Tracer) for x in (*arrays_of(job), job.where)):
            return False
        if not all(x is None or isinstance(x, float) for x in job.coefficients):
            return False
        mine = [id(x) for x in (job.p, job.m, job.v, job.v_max) if x is not None]
        if len(set(mine)) < len(mine) or not owned.isdisjoint(mine):
            return False
        owned.update(mine)
    return not any(id(job.g) in owned for job in jobs)


def apply(adam: AdamConfig, jobs: Sequence[Job], slow: Slow) -> list[Result]:
    """The jobs, all at once, their p, m, v and v_max given away."""
    if not jobs:
        return []
    rows = {id(job.coefficients): job.coefficients for job in jobs}
    order = list(rows)
    which = [order.index(id(job.coefficients)) for job in jobs] if len(rows) > 1 else None
    made = plan_of(adam, jobs, slow)
    columns = [[job.p for job in jobs], [job.m for job in jobs], [job.v for job in jobs]]
    if jobs[0].v_max is not None:
        columns.append([job.v_max for job in jobs])
    given = [x for column in columns for x in column]
    masks = [job.where for job in jobs]
    new = made.call(given, [job.g for job in jobs], masks, made.tables(list(rows.values()), which), NO_CLOCKS)
    n = len(jobs)
    parts = [new[k : k + n] for k in range(0, len(new), n)] + [[None] * n] * (4 - len(columns))
    return [Result(*row) for row in zip(*parts, strict=True)]


def plan_of(adam: AdamConfig, jobs: Sequence[Job], slow: Slow) -> Plan:
    """The plan for these jobs; lr is none of its business."""
    layout = tuple(
        Layout(job.formats, tuple([x is not None for x in job.coefficients]), unsupported(job) is None)
        for job in jobs
    )
    return plan(replace(adam, lr=0.0), layout, slow)


@lru_cache(maxsize=256)
def plan(adam: AdamConfig, layout: tuple[Layout, ...], slow: Slow) -> Plan:
    return Plan(adam, layout, slow)


class Group(NamedTuple):
    """Jobs that machine code does alike, or with no program those that it can't do."""

    places: list[int]
    program: Program | None
    dtype: Any  #: of their coefficients; None for the widest that JAX has
    used: Callable[[Coefficients], Sequence[Any]]  #: those of the coefficients that it takes


class Plan:
    """A list of jobs as a program of its own; a new lr, clock or mask compiles nothing."""

    traced = 0  #: how often any was

    def __init__(self, adam: AdamConfig, layout: Sequence[Layout], slow: Slow) -> None:
        self.adam, self.layout, self.slow = adam, layout, slow
        self.groups: list[Group] = []
        places: dict[Any, list[int]] = {}
        for i, each in enumerate(layout):
            terms = Coefficients(*(0.0 if there else None for there in each.there))
            made = program(adam, terms) if each.native else None
            places.setdefault((made, each.formats.work if made else None), []).append(i)
        for (made, dtype), found in places.items():
            self.groups.append(Group(found, made, dtype, tuple if made is None else made.used))
        self.call = jax.jit(self.carry, donate_argnums=0)

    def tables(self, rows: Sequence[Coefficients], which: Sequence[int] | None) -> list[Any]:
        """The coefficients for :attr:`call`: a table for each group, one row for all or one for each job.

        ``which`` says for each job which of the rows is its own; None if there is but one.
        """
        made = []
        for group in self.groups:
            some = map(group.used, rows if which is None else [rows[which[i]] for i in group.places])
            if group.program is None:
                made.append(np.array([[x or 0.0 for x in row] for row in some], dtype=widest()))
            else:
                made.append(np.array([*some], dtype=group.dtype))
        return made

    def carry(
        self, given: list[Any], gs: list[Any], masks: list[Any], tables: list[Any], now: Array
    ) -> list[Any]:
        """One step: all p, all m, all v, all v_max if there, after it; then as 0-d arrays the clocks."""
        Plan.traced += 1
        n = len(self.layout)
        columns = [list(given[k : k + n]) for k in range(0, len(given), n)]
        clocks: list[Any] = []
        if any(g.shape != p.shape or g.dtype != p.dtype for g, p in zip(gs, columns[0], strict=True)):
            raise Misfit
        for group, table in zip(self.groups, tables, strict=True):
            if group.program is None:
                for row, i in enumerate(group.places):
                    job = self.job(i, columns, gs[i], masks[i], table[row if len(table) > 1 else 0])
                    for column, x in zip(columns, self.slow(self.adam, job, True), strict=False):
                        column[i] = x
                continue
            call = ffi.call(group.program, str(group.dtype))
            for start, places in chunks(group.places):
                rows = table if len(table) == 1 else table[start : start + CHUNK]
                old = [[column[i] for i in places] for column in (columns[0], gs, *columns[1:])]
                some = now[len(clocks) : len(clocks) + CHUNK]
                new, handed = call([x for column in old for x in column], rows, some)
                clocks += handed
                for k, column in enumerate(columns):
                    for j, i in enumerate(places):
                        column[i] = new[k * len(places) + j]
        rest = [now[k] for k in range(len(clocks), len(now))]
        return [x for column in columns for x in column] + clocks + rest

    def job(self, i: int, columns: Sequence[Any], g: Array, where: Array | None, row: Array) -> Job:
        """A job that machine code can't do."""
        each = self.layout[i]
        c = Coefficients(*(row[k] if there else None for k, there in enumerate(each.there)))
        p, m, v = (column[i] for column in columns[:3])
        return Job(p, g, m, v, columns[3][i] if len(columns) > 3 else None, c, where, each.formats)


def widest() -> Any:
    """The widest dtype that JAX has here and now."""
    return np.float64 if jax.config.jax_enable_x64 else np.float32  # type: ignore[attr-defined]


def chunks(places: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """The places that one custom call serves, and where they begin."""
    for start in range(0, len(places), CHUNK):
        yield start, places[start : start + CHUNK]
