"""A step of a packed state outside of ``jit``: one compiled program, whose arrays are donated.

Its bits are those of the step of an unpacked state (:mod:`adamcore.backends.jax.jit_program`).  The host
knows the clocks, as long as each state is the one that the step before returned; else it reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding

from adamcore.backends.jax.backend import backend
from adamcore.backends.jax.jit_program import Misfit
from adamcore.backends.jax.packed.call import in_chunks, packed_call
from adamcore.backends.jax.packed.leaves import Leaves, format_of, leaves_of, vectors_of
from adamcore.backends.jax.packed.tree import Known, Layout, Packed
from adamcore.backends.jax.step_cache import sharding
from adamcore.backends.kernels.formats import Format
from adamcore.coefficients import MAX_CLOCK
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.state import AdamState
from adamcore.step import Clip
from adamcore.step_cache import coefficients_at
from adamcore.tracing import formula
from adamcore.tracing import program as program_of
from adamcore.trees import LARGE, collection_paused
from adamcore.types import Array, Tree


def step(
    adam: AdamConfig, params: Tree, grads: Tree, state: AdamState, lr: Any, clip: Clip | None
) -> tuple[Tree, AdamState] | None:
    """Make the step; None, with nothing changed, if this program does not serve it."""
    layout, vectors = state.m.layout, vectors_of(adam, state)
    leaves = None if vectors is None else leaves_of(adam, params, grads, layout)
    if vectors is None or leaves is None or jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        return None
    ps, gs = leaves.those(leaves.ps), leaves.those(leaves.gs)
    if not can_donate([*ps, *vectors.values()], gs):
        return None
    dtypes = format_of(adam, ps[0].dtype, vectors["m"].dtype, vectors["v"].dtype)
    now = clocks_of(state.t)
    rows = None if dtypes is None else rows_of(adam, leaves, layout, now, lr, clip)
    if dtypes is None or rows is None:
        return None
    program = program_for(adam, layout, state.t.layout, dtypes, rows[0], leaves.moving)
    with collection_paused() if len(ps) >= LARGE else nullcontext():
        try:
            new, made = program.call(ps, vectors, gs, program.table(rows))
        except Misfit:
            return None
    if type(new[0]) is not type(ps[0]):  # the call is part of somebody's trace
        return None
    fields = {name: Packed([x], getattr(state, name).layout) for name, x in made.items()}
    fields["t"].known = now + program.ticks
    return layout.structure.unflatten(leaves.replaced(new)), state._replace(**fields)


def can_donate(owned: Sequence[Any], gs: Sequence[Any]) -> bool:
    """True if all are arrays on one CPU, and those to be given away are each in one place alone."""
    both = [*owned, *gs]
    kind = type(owned[-1])
    if {*map(type, both)} != {kind} or issubclass(kind, jax.core.Tracer):
        return False
    each = list(map(sharding, both))
    places = dict(zip(map(id, each), each, strict=True)).values()
    devices = {device for place in places for device in place.device_set}
    if {*map(type, places)} != {SingleDeviceSharding} or len(devices) > 1:
        return False
    mine = {*map(id, owned)}
    return devices.pop().platform == "cpu" and len(mine) == len(owned) and mine.isdisjoint(map(id, gs))


def clocks_of(t: Packed) -> Known:
    """Return the clocks of a state, which the host knows or reads."""
    return np.asarray(t.vectors[0]) if t.known is None else t.known


def rows_of(
    adam: AdamConfig, leaves: Leaves, layout: Layout, now: Known, lr: Any, clip: Any
) -> list[Coefficients] | None:
    """Return the coefficients of each leaf that takes part, or one row for all; None if they are not known.

    Args:
        now: the clocks before their tick.
    """
    mine = now if len(now) == 1 or leaves.moving is None else now[leaves.clocks(layout)]
    starts = np.unique(mine).tolist()
    if not 0 <= starts[0] <= starts[-1] < MAX_CLOCK:
        return None
    known = formula(adam)
    found = {t: coefficients_at(known, adam, backend, t + 1, lr) for t in starts}
    rows: Any = [found[t] for t in (starts if len(starts) == 1 else mine.tolist())]
    if clip is not None and None not in found.values():
        gs = leaves.those(leaves.gs)
        fits = all(leaves.gs[i].shape == layout.shapes[i] for i in leaves.indices)
        rows = clip.rows(backend, gs, rows) if isinstance(clip, Clip) and fits else None
    if rows is None or None in rows:
        return None
    rows = rows[:1] if len({*map(id, rows)}) == 1 else rows
    return rows if len({tuple([x is not None for x in row]) for row in rows}) == 1 else None


def program_for(
    adam: AdamConfig,
    layout: Layout,
    clocks: Layout,
    dtypes: Format,
    row: Coefficients,
    moving: tuple[int, ...] | None,
) -> PackedProgram:
    """Return the program for such a step; the learning rate of ``adam`` makes no difference."""
    terms = tuple([x is not None for x in row])
    return program_of_kind(replace(adam, lr=0.0), layout, clocks, dtypes, terms, moving)


@lru_cache(maxsize=256)
def program_of_kind(
    adam: AdamConfig,
    layout: Layout,
    clocks: Layout,
    dtypes: Format,
    terms: tuple[bool, ...],
    moving: tuple[int, ...] | None,
) -> PackedProgram:
    return PackedProgram(adam, layout, clocks, dtypes, terms, moving)


class PackedProgram:
    """A step as a program of its own, which is compiled at its first call.

    Args:
        adam: the Adam.
        layout: of the moments.
        clocks: of the clocks.
        dtypes: of the arrays.
        terms: which of the coefficients there are.
        moving: the leaves that take part; None for all.
    """

    traced = 0  #: how often any program was

    def __init__(
        self,
        adam: AdamConfig,
        layout: Layout,
        clocks: Layout,
        dtypes: Format,
        terms: Sequence[bool],
        moving: tuple[int, ...] | None,
    ) -> None:
        self.layout, self.dtypes = layout, dtypes
        self.program = program_of(adam, Coefficients(*(0.0 if term else None for term in terms)))
        self.indices: Sequence[int] = range(len(layout.shapes)) if moving is None else moving
        self.ticks: Any = np.int32(1)  #: what the clocks advance by
        if moving is not None and clocks.shapes != ((),):
            self.ticks = np.array(
                [i in {*moving} for i, shape in enumerate(clocks.shapes) if shape is not None], np.int32
            )
        self.call = jax.jit(self.trace, donate_argnums=(0, 1))

    def table(self, rows: Sequence[Coefficients]) -> Any:
        """Return rows of coefficients as :meth:`trace` takes them."""
        used = {id(row): self.program.used(row) for row in rows}
        return np.array([used[id(row)] for row in rows], self.dtypes.work)

    def trace(
        self, ps: list[Array], vectors: dict[str, Array], gs: list[Array], table: Array
    ) -> tuple[list[Array], dict[str, Array]]:
        """Return the new parameters and vectors, the clocks among these.

        Raises:
            Misfit: a parameter or a gradient is not of the shape and dtype that it should have.
        """
        PackedProgram.traced += 1
        for i, p, g in zip(self.indices, ps, gs, strict=True):
            shape, dtypes = self.layout.shapes[i], {str(p.dtype), str(g.dtype)}
            if not p.shape == g.shape == shape or dtypes != {self.dtypes.p}:
                raise Misfit
        call = packed_call(self.program, self.dtypes)
        moments = {name: x for name, x in vectors.items() if name != "t"}
        new, made = in_chunks(call, self.indices, self.layout, ps, gs, moments, table)
        return new, {"t": vectors["t"] + self.ticks, **made}
