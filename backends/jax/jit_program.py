"""A step of JAX as one compiled program, its arrays donated.

A :class:`JitProgram` is compiled for the kind of its jobs alone: a new learning rate, clock or mask
compiles nothing.  With llvmlite and arrays on CPUs it calls the machine code of
:mod:`adamcore.backends.jax.ffi`, one pass over memory where XLA makes three.  Of arrays on a mesh each device
steps its own part, with the bits of whole arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from adamcore.backends.base import Fallback
from adamcore.backends.jax import ffi
from adamcore.backends.kernels.body import inputs_of, outputs_of
from adamcore.backends.kernels.formats import Format, uniform
from adamcore.backends.kernels.memory import arrays_of
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, update
from adamcore.jobs import OPTIONAL, PARTS_OF, Job, LeafDtypes, Result
from adamcore.storage.random_bits import Key, LeafKey
from adamcore.tracing import Program
from adamcore.tracing import program as program_of
from adamcore.types import Array, DType

CHUNK = 32  #: arrays of one custom call: of more XLA compiles for minutes, of fewer each costs a call
COMING = 256  #: steps whose coefficients are put on the device together: see ahead.py
NO_CLOCKS = np.empty(0, np.int32)
Keys = Any  #: an array of uint32, for each job the four words of its key; None if no job has one


class Misfit(Exception):
    """A gradient is not of the shape and dtype of its parameter."""


class JobKind(NamedTuple):
    """What of a job is part of the compiled program; the rest are its arguments."""

    formats: LeafDtypes
    terms: tuple[bool, ...]  #: which of the coefficients are not None
    dtypes: Format | None  #: of its arrays; None if machine code can't run it
    place: NamedSharding | None = None  #: of its arrays, if several devices have them
    between: NamedSharding | None = None
    """Where machine code steps the numbers of which XLA makes what is kept; None if XLA does all of it."""


class Group(NamedTuple):
    """Jobs that machine code runs alike, or with no program those that it can't run."""

    indices: list[int]
    program: Program | None
    dtypes: Format | None  #: of their arrays
    used: Callable[[Coefficients], Sequence[Any]]  #: returns the coefficients that it takes
    mesh: Mesh | None  #: on which they are; None for one device


def unsupported(job: Job) -> str | None:
    """Return why the machine code can't run a job outside of jit, or None."""
    reason = unsupported_traced(job)
    if reason is not None:
        return reason
    arrays = arrays_of(job)
    if any(device.platform != "cpu" for x in arrays for device in x.devices()):
        return "not on a CPU"
    if place_of(job) is None and any(len(x.devices()) != 1 for x in arrays):
        return "on several devices that can't step their parts by themselves"
    return None


def place_of(job: Job) -> NamedSharding | None:
    """Return where on a mesh each device can step its part of a job's arrays by itself; None if none can.

    All arrays lie in the same way, and nothing depends on the place of an element in the whole array.
    """
    if job.key is not None or job.formats.m_coding is not None or job.formats.v_coding is not None:
        return None
    places = {x.sharding for x in arrays_of(job)}
    place = places.pop()
    if places or not isinstance(place, NamedSharding) or place.mesh.size == 1:
        return None
    return place if {*place.mesh.axis_types} == {AxisType.Auto} else None


def place_between(job: Job) -> NamedSharding | None:
    """Return where on a mesh devices can step the numbers of a job by machine code, between load and store.

    What is kept of these numbers may depend on the place of an element in the whole array: random bits, and
    the scale of a block.  XLA makes that.  Its own step has other bits than machine code's, which one device
    would run.
    """
    place = job.p.sharding
    if place_of(job) is not None or job.formats.plain or unsupported_traced(job) is not None:
        return None
    if not isinstance(place, NamedSharding) or place.mesh.size == 1:
        return None
    on_cpu = all(device.platform == "cpu" for device in job.p.devices())
    return place if on_cpu and {*place.mesh.axis_types} == {AxisType.Auto} else None


def unsupported_traced(job: Job) -> str | None:
    """Return why the machine code can't run a job whose arrays may be traced, or None."""
    if not ffi.available():
        return "no llvmlite, or a jaxlib whose foreign function interface is not known here"
    if job.formats.is_complex:
        return "complex numbers"
    if job.where is not None:
        return "a mask or flag"
    if job.key is not None and job.key.elements is not None:
        return "elements whose numbers are not their places"
    if ffi.format_of(job) is None:
        return f"{job.p.dtype}, with moments in {job.m.dtype} and {job.v.dtype}"
    return None


def can_donate(jobs: Sequence[Job]) -> bool:
    """True if jobs are outside of any transformation, and no array is in two places."""
    owned: set[int] = set()
    for job in jobs:
        if any(isinstance(x, jax.core.Tracer) for x in (*arrays_of(job), job.where)):
            return False
        if not all(x is None or isinstance(x, float) for x in job.coefficients):
            return False
        if job.key is not None and (not isinstance(job.key.t, int) or job.key.elements is not None):
            return False
        mine = [id(x) for x in (job.p, job.m, job.v, *PARTS_OF(job)) if x is not None]
        if len(set(mine)) < len(mine) or not owned.isdisjoint(mine):
            return False
        owned.update(mine)
    return not any(id(job.g) in owned for job in jobs)


def step(adam: AdamConfig, jobs: Sequence[Job], fallback: Fallback) -> list[Result]:
    """Carry out all jobs at once; their p, m, v and v_max are given away."""
    if not jobs:
        return []
    rows = {id(job.coefficients): job.coefficients for job in jobs}
    numbers = {key: number for number, key in enumerate(rows)}
    which = [numbers[id(job.coefficients)] for job in jobs] if len(rows) > 1 else None
    program = program_for(adam, jobs, fallback)
    donated = [getattr(job, name) for name in program.names for job in jobs]
    gs, masks = [job.g for job in jobs], [job.where for job in jobs]
    tables = program.tables(list(rows.values()), which)
    new = program.call(donated, gs, masks, tables, NO_CLOCKS, keys_of(jobs))
    n = len(jobs)
    parts = {name: new[k * n : k * n + n] for k, name in enumerate(program.names)}
    return list(map(Result, *(parts.get(name, [None] * n) for name in Result._fields)))


def keys_of(jobs: Sequence[Job]) -> Keys:
    """Return of what the random bits of jobs are made."""
    if all(job.key is None for job in jobs):
        return None
    keys = [(0, 0, 0, 0) if job.key is None else (*job.key.of_leaf, job.key.t) for job in jobs]
    return np.array(keys, np.uint32)


def program_for(adam: AdamConfig, jobs: Sequence[Job], fallback: Fallback) -> JitProgram:
    """Return the program for these jobs; the learning rate of ``adam`` makes no difference."""
    kinds = tuple(
        JobKind(
            job.formats,
            tuple([x is not None for x in job.coefficients]),
            ffi.format_of(job) if unsupported(job) is None else None,
            place_of(job),
            place_between(job),
        )
        for job in jobs
    )
    return program_of_kinds(replace(adam, lr=0.0), kinds, fallback)


@lru_cache(maxsize=256)
def program_of_kinds(adam: AdamConfig, kinds: tuple[JobKind, ...], fallback: Fallback) -> JitProgram:
    return JitProgram(adam, kinds, fallback)


class JitProgram:
    """A list of jobs as a program of its own, which is compiled at its first call."""

    traced = 0  #: how often any program was

    def __init__(self, adam: AdamConfig, kinds: Sequence[JobKind], fallback: Fallback) -> None:
        self.adam, self.kinds, self.fallback = adam, kinds, fallback
        self.groups: list[Group] = []
        groups: dict[Any, list[int]] = {}
        for i, kind in enumerate(kinds):
            terms = Coefficients(*(0.0 if term else None for term in kind.terms))
            program = None if kind.dtypes is None else program_of(adam, terms)
            mesh = None if program is None or kind.place is None else kind.place.mesh
            groups.setdefault((program, kind.dtypes, mesh), []).append(i)
        for (program, dtypes, mesh), indices in groups.items():
            used = tuple if program is None else program.used
            self.groups.append(Group(indices, program, dtypes, used, mesh))
        #: the arrays that are given away, by their fields of Job
        self.names = ["p", "m", "v", *(name for name in OPTIONAL if self.has(name))]
        #: True if machine code runs all jobs
        self.by_machine_code = all(group.program is not None for group in self.groups)
        #: and on one device
        self.alone = self.by_machine_code and all(group.mesh is None for group in self.groups)
        self.ticked = 1 if adam.clock == "global" else len(kinds)  #: clocks
        self.call = jax.jit(self.trace, donate_argnums=0)
        self.call_at = jax.jit(self.trace_at, donate_argnums=0)
        self.call_ahead = jax.jit(self.trace_ahead, donate_argnums=0)

    def has(self, name: str) -> bool:
        """True if any job has an array of this name."""
        if name == "v_max":
            return self.adam.amsgrad != "none"
        if name == "p_rest":
            return any(kind.formats.rest is not None for kind in self.kinds)
        coded = any(kind.formats.in_blocks(name) for kind in self.kinds)
        return coded and (name != "v_max_scale" or self.adam.amsgrad != "none")

    def tables(self, rows: Sequence[Coefficients], which: Sequence[int] | None) -> list[Any]:
        """Return the coefficients for :attr:`call`: a table for each group.

        Args:
            rows: the different coefficients.
            which: for each job the number of its row; None if there is but one.
        """
        tables = []
        for group in self.groups:
            mine = map(group.used, rows if which is None else [rows[which[i]] for i in group.indices])
            if group.dtypes is None:
                tables.append(np.array([[x or 0.0 for x in row] for row in mine], dtype=widest()))
            else:
                tables.append(np.array([*mine], dtype=group.dtypes.work))
        return tables

    def trace(
        self,
        donated: list[Any],
        gs: list[Any],
        masks: list[Any],
        tables: list[Any],
        now: Array,
        keys: Keys = None,
    ) -> list[Any]:
        """Return the new arrays of one step, in the order of ``donated``; the clocks, 0-d, behind every p.

        Args:
            donated: all p, all m, all v, and so on as :attr:`names`; None where a job has no such array.
            gs, masks: for each job its gradient, and its mask or None.
            tables: see :meth:`tables`.
            now: the clocks after their tick, a vector; or 0-d, where machine code runs all jobs on one
                device, what all clocks are before it.  Then all jobs take the row whose number is the
                clock's remainder by the number of rows.
            keys: of the random bits.

        Raises:
            Misfit: a gradient is not of its parameter's shape and dtype.
        """
        JitProgram.traced += 1
        n = len(self.kinds)
        columns = [list(donated[k : k + n]) for k in range(0, len(donated), n)]
        clocks: list[Any] = []
        if any(g.shape != p.shape or g.dtype != p.dtype for g, p in zip(gs, columns[0], strict=True)):
            raise Misfit
        for group, table in zip(self.groups, tables, strict=True):
            if group.program is None or group.dtypes is None:
                for row, i in enumerate(group.indices):
                    job = self.job(i, columns, gs[i], masks[i], table[row if len(table) > 1 else 0], keys)
                    between = self.kinds[i].between
                    step = update if between is None else partial(update_on_mesh, between)
                    new_job = self.fallback(self.adam, job, True, step)
                    for name, column in zip(self.names, columns, strict=True):
                        column[i] = getattr(new_job, name)
                continue
            read = [k for k, name in enumerate(self.names) if name in inputs_of(group.program, group.dtypes)]
            call = ffi.custom_call(group.program, group.dtypes)
            for start, indices in chunks(group.indices):
                rows = table if len(table) == 1 or not now.ndim else table[start : start + CHUNK]
                mine = [columns[k] for k in read]
                old = [[column[i] for i in indices] for column in (mine[0], gs, *mine[1:])]
                arrays = [x for column in old for x in column]
                due = now[len(clocks) : len(clocks) + CHUNK] if now.ndim else now
                if group.mesh is None:
                    words = None if keys is None else keys[np.array(indices)]
                    new, written = call(arrays, rows, due, words, min(self.ticked - len(clocks), CHUNK))
                else:
                    places = [self.kinds[i].place for i in indices]
                    specs = [P() if place is None else place.spec for place in places]
                    new, written = on_mesh(call, group.mesh, specs, arrays, rows, due)
                clocks += written
                for k, column in enumerate(mine):
                    for j, i in enumerate(indices):
                        column[i] = new[k * len(indices) + j]
        rest = [now[k] for k in range(len(clocks), len(now))] if now.ndim else []
        return columns[0] + clocks + rest + [x for column in columns[1:] for x in column]

    def trace_at(self, donated: list[Any], gs: list[Any], tables: list[Any], t: Array) -> list[Any]:
        """Return what :meth:`trace` does of jobs without masks and with one clock, ``t`` before its tick."""
        now = t if self.alone else jax.numpy.full(self.ticked, t + 1)
        return self.trace(donated, gs, [None] * len(gs), tables, now)

    def trace_ahead(self, donated: list[Any], gs: list[Any], tables: list[Any], t: Array) -> list[Any]:
        """Return what :meth:`trace_at` does, by tables for :data:`COMING` steps: see ahead.py."""
        if not self.alone:
            tables = [jax.lax.dynamic_slice_in_dim(table, t % COMING, 1) for table in tables]
        return self.trace_at(donated, gs, tables, t)

    def job(
        self, i: int, columns: Sequence[Any], g: Array, where: Array | None, row: Array, keys: Keys
    ) -> Job:
        """Return a job that machine code can't run."""
        kind = self.kinds[i]
        c = Coefficients(*(row[k] if term else None for k, term in enumerate(kind.terms)))
        arrays: dict[str, Any] = {"v_max": None}
        arrays |= {name: column[i] for name, column in zip(self.names, columns, strict=True)}
        key = None
        if keys is not None and kind.formats.draws:
            key = Key(LeafKey(*keys[i, :3]), keys[i, 3])
        return Job(g=g, coefficients=c, where=where, formats=kind.formats, key=key, **arrays)


def on_mesh(
    call: ffi.Call, mesh: Any, specs: Sequence[Any], arrays: list[Any], rows: Any, due: Any
) -> tuple[list[Any], list[Any]]:
    """Return what ``call`` does, each device of the mesh stepping its own parts of the arrays.

    Args:
        call: see :func:`adamcore.backends.jax.ffi.custom_call`.
        mesh: the devices.
        specs: how the arrays of each parameter lie.
        arrays, rows, due: what ``call`` takes: arrays, coefficients and clocks.
    """
    columns = len(arrays) // len(specs)
    new = [*specs] * (columns - 1), [P()] * len(due)

    def alone(arrays: list[Any], rows: Any, due: Any) -> tuple[list[Any], list[Any]]:
        return call(arrays, rows, due, None)

    mapped = jax.shard_map(
        alone, mesh=mesh, in_specs=([*specs] * columns, P(), P()), out_specs=new, check_vma=False
    )
    found: tuple[list[Any], list[Any]] = mapped(arrays, rows, due)
    return found


def update_on_mesh(
    place: NamedSharding,
    xp: Any,
    adam: AdamConfig,
    c: Coefficients,
    parts: Sequence[tuple[Array, Array, Array]],
    v: Array,
    v_max: Array | None = None,
) -> tuple[list[tuple[Array, Array]], Array, Array | None]:
    """Return what :func:`adamcore.definition.update` does of real numbers, by machine code on each device."""
    [(p, g, m)] = parts
    program = program_of(adam, Coefficients(*(None if x is None else 0.0 for x in c)))
    dtypes = uniform(str(p.dtype))  # type: ignore[arg-type]
    there = {"p": p, "g": g, "m": m, "v": v, "v_max": v_max}
    arrays = [there[name] for name in inputs_of(program, dtypes)]
    rows = jax.numpy.stack(program.used(c))[None]
    call = ffi.custom_call(program, dtypes)
    new, _ = on_mesh(call, place.mesh, [place.spec], arrays, rows, NO_CLOCKS)
    found = dict(zip(outputs_of(program, dtypes), new, strict=True))
    return [(found["p"], found["m"])], found["v"], found.get("v_max")


def widest() -> DType:
    """Return the widest dtype that JAX has here and now."""
    return np.float64 if jax.config.jax_enable_x64 else np.float32  # type: ignore[attr-defined]


def chunks(indices: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield the indices that one custom call serves, and where they begin."""
    for start in range(0, len(indices), CHUNK):
        yield start, indices[start : start + CHUNK]
