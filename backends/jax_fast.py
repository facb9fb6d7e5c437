"""The fast paths of JAX: a step outside of jit with ``donate=True`` is compiled, and its inputs donated.

Inside the caller's own jit nothing is done here: the definition becomes part of the caller's
program, which places and shards it.  Outside, with the extra [fast] and arrays on one CPU, the
compiled step calls the machine code of :mod:`adamcore.backends.jax_ffi`, one pass over memory where
XLA makes three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from adamcore.backends import jax_ffi
from adamcore.definition import Array, Coefficients
from adamcore.program import program
from adamcore.protocol import Formats, Job, Result

if TYPE_CHECKING:
    from adamcore.adam import Adam

Slow = Callable[["Adam", Job, bool], Result]


class Layout(NamedTuple):
    """What of a job is part of the compiled program; the rest are its arguments."""

    formats: Formats
    row: int  #: which coefficients
    there: tuple[bool, ...]  #: which of them there are
    native: bool


def obstacle(job: Job) -> str | None:
    """Why the machine code can't do a job outside of jit; None if it can."""
    if not jax_ffi.available():
        return "no llvmlite, or a jaxlib whose foreign function interface is not known here"
    if job.formats.is_complex:
        return "complex numbers"
    if job.where is not None:
        return "a mask or flag"
    arrays = [x for x in job[:5] if x is not None]
    if any(x.dtype != job.formats.work for x in arrays) or str(job.p.dtype) not in ("float32", "float64"):
        return f"{job.p.dtype}, with moments in {job.m.dtype} and {job.v.dtype}"
    if any(len(x.devices()) != 1 or next(iter(x.devices())).platform != "cpu" for x in arrays):
        return "not on one CPU device"
    return None


def compiles(jobs: Sequence[Job]) -> bool:
    """Whether these jobs stand outside of any transformation, each array in one place alone."""
    owned: set[int] = set()
    for job in jobs:
        arrays = [x for x in job[:5] if x is not None] + ([] if job.where is None else [job.where])
        if any(isinstance(x, jax.core.Tracer) for x in arrays):
            return False
        if not all(x is None or isinstance(x, float) for x in job.coefficients):
            return False
        mine = [id(x) for x in (job.p, job.m, job.v, job.v_max) if x is not None]
        if len(set(mine)) < len(mine) or not owned.isdisjoint(mine):
            return False
        owned.update(mine)
    return not any(id(job.g) in owned for job in jobs)


def apply(adam: Adam, jobs: Sequence[Job], slow: Slow) -> list[Result]:
    """The jobs, all at once, their p, m, v and v_max given away."""
    rows: dict[int, int] = {}
    values: list[list[float]] = []
    layout: list[Layout] = []
    for job in jobs:
        row = rows.setdefault(id(job.coefficients), len(rows))
        if row == len(values):
            values.append([0.0 if x is None else x for x in job.coefficients])
        there = tuple(x is not None for x in job.coefficients)
        layout.append(Layout(job.formats, row, there, obstacle(job) is None))
    double = jax.config.jax_enable_x64  # type: ignore[attr-defined]
    table = np.array(values, dtype=np.float64 if double else np.float32)
    given = [(job.p, job.m, job.v, job.v_max) for job in jobs]
    kept = [(job.g, job.where) for job in jobs]
    results: list[Result] = compiled(slow, adam, tuple(layout), given, kept, table)
    return results


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=3)
def compiled(
    slow: Slow, adam: Adam, layout: tuple[Layout, ...], given: Any, kept: Any, table: Array
) -> list[Result]:
    """One step as a program of its own; a new lr, clock or mask compiles nothing."""
    results = []
    for each, (p, m, v, v_max), (g, where) in zip(layout, given, kept, strict=True):
        row = table[each.row]
        c = Coefficients(*(row[k] if there else None for k, there in enumerate(each.there)))
        if each.native:
            made = program(adam, c)
            arrays = [x for x in (p, g, m, v, v_max) if x is not None]
            used = [k for k, name in enumerate(Coefficients._fields) if name in made.coefficients]
            scalars = row[np.array(used)].astype(p.dtype)
            new = jax_ffi.call(made, str(p.dtype))(*arrays, scalars)
            results.append(Result(*new, *([None] * (4 - len(new)))))
        else:
            results.append(slow(adam, Job(p, g, m, v, v_max, c, where, each.formats), True))
    return results
