"""Cached steps of JAX: the step on the leaves that the step before returned.

JAX's arrays never change: a leaf that is the very object which the last step returned is of its shape
and dtype, in its place.  A step on all of them has only gradients and the learning rate to look at;
shapes and dtypes of gradients are looked at by the program, once, while it is traced.  Everything else
takes the step with all checks, which knows all the errors.

A cached step holds no array alive.  It owns the clocks, as numbers of the host; the compiled program
writes them into new arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress
from operator import attrgetter, call, is_
from typing import Any
from weakref import ref

import jax
import numpy as np
from jax.tree_util import tree_flatten, tree_unflatten

from adamcore.backends.base import Fallback
from adamcore.backends.jax.jit_program import NO_CLOCKS, Misfit, keys_of, program_for
from adamcore.coefficients import MAX_CLOCK
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.jobs import PARTS_OF
from adamcore.protocol import Clipping, StepRecord
from adamcore.state import AdamState
from adamcore.step_cache import clips_of, coefficients_at
from adamcore.tracing import formula
from adamcore.trees import LARGE, collection_paused
from adamcore.types import Tree

sharding = attrgetter("sharding")


def jit_step(adam: AdamConfig, record: StepRecord, fallback: Fallback) -> JitStep | None:
    """Return a cached step for the leaves that a step returned; None if they do not allow one."""
    state, backend, jobs = record.state, record.backend, record.jobs
    if state.mu_product is not None or jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        return None
    leaves, gs = tree_flatten(trees_of(record.params, state))[0], tree_flatten(record.grads)[0]
    kinds = {type(x) for x in (*leaves, *gs)}
    if len(kinds) != 1 or issubclass(kinds.pop(), jax.core.Tracer):
        return None
    clocks = tree_flatten(state.t)[0]
    if len(gs) != len(jobs) or any(t.shape != () or t.dtype != "int32" for t in clocks):
        return None
    if not all(x is None or isinstance(x, float) for job in jobs for x in job.coefficients):
        return None
    if len({tuple([x is not None for x in job.coefficients]) for job in jobs}) > 1:
        return None
    whole = len(tree_flatten(record.params)[0])
    if any(len(tree_flatten(part)[0]) not in (0, whole) for part in PARTS_OF(state)):
        return None  # a part of some leaves alone
    pairs = zip(backend.flatten(record.params)[0], backend.flatten(record.grads)[0], strict=True)
    return JitStep(adam, record, fallback, [g is not None for p, g in pairs if p is not None])


def trees_of(params: Tree, state: AdamState) -> tuple[Tree, ...]:
    return params, state.m, state.v, *PARTS_OF(state), state.t


class JitStep:
    """A cached step by a compiled program."""

    def __init__(self, adam: AdamConfig, record: StepRecord, fallback: Fallback, present: list[bool]) -> None:
        state = record.state
        self.structure: Any
        self.gradients: Any
        leaves, self.structure = tree_flatten(trees_of(record.params, state))
        gs, self.gradients = tree_flatten(record.grads)
        jobs = [job._replace(**new._asdict()) for job, new in zip(record.jobs, record.results, strict=True)]
        self.adam, self.backend, self.formula = adam, record.backend, formula(adam)
        self.program = program_for(adam, jobs, fallback)
        self.keeps = jobs[0].coefficients.keep_p is not None  # lr and t can take this term away
        self.clips = clips_of(jobs[0].coefficients)
        self.kind = type(leaves[0])
        self.kinds = {self.kind}
        self.shardings = list(map(sharding, gs))
        self.masks = [None] * len(gs)
        self.known = list(map(ref, leaves))  #: the leaves that the last step returned
        columns = 3 + sum(bool(tree_flatten(part)[0]) for part in PARTS_OF(state))
        self.keys = keys_of(record.jobs)  #: at the clock of the record
        self.count = columns * len(jobs)  #: leaves that are given away; the clocks come after them
        self.moving: list[bool] | None = None  #: which leaves take part; None if all do
        if not all(present):
            self.moving = present * columns + ([True] if adam.clock == "global" else present)
        self.clocks = NO_CLOCKS  #: what they were at first; read when it is needed
        self.starts: list[int] = []  #: the different numbers in it
        self.which: list[int] | None = None  #: for each job the number of its start; None if there is one
        self.ticks = 0  #: steps since

    @property
    def dead(self) -> bool:
        return any(known() is None for known in self.known)

    def bind(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any, clip: Clipping | None = None
    ) -> Callable[[], tuple[Tree, AdamState] | None] | None:
        if type(state) is not AdamState or state.mu_product is not None:
            return None
        if (None if clip is None else clip.term) != self.clips:
            return None
        leaves, structure = tree_flatten(trees_of(params, state))
        gs, gradients = tree_flatten(grads)
        if structure != self.structure or gradients != self.gradients:
            return None
        if not all(map(is_, map(call, self.known), leaves)):
            return None
        if {*map(type, gs)} != self.kinds:
            return None
        if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return None
        moving = leaves if self.moving is None else list(compress(leaves, self.moving))
        donated = moving[: self.count]
        if list(map(sharding, gs)) != self.shardings or not {*map(id, donated)}.isdisjoint(map(id, gs)):
            return None
        rows = self.rows(lr, moving)
        if rows is None:
            return None
        which = self.which
        if clip is not None:
            if any(x.shape != g.shape or x.dtype != g.dtype for x, g in zip(donated, gs, strict=False)):
                return None  # the program would say so, but the norm comes before it
            clipped = clip.rows(self.backend, gs, rows if which is None else [rows[i] for i in which])
            if clipped is None:
                return None
            rows = list(dict(zip(map(id, clipped), clipped, strict=True)).values())
            numbers = {id(row): number for number, row in enumerate(rows)}
            which = [numbers[id(row)] for row in clipped] if len(rows) > 1 else None
        return partial(self.run, leaves, gs, donated, rows, which)

    def run(
        self,
        leaves: list[Any],
        gs: list[Any],
        donated: list[Any],
        rows: list[Coefficients],
        which: list[int] | None,
    ) -> tuple[Tree, AdamState] | None:
        """Make the step; None, with nothing changed, if a gradient or somebody's trace is in its way.

        Args:
            leaves, gs, donated: all arrays, the gradients, and the arrays that are given away.
            rows: the different coefficients.
            which: for each job the number of its row; None if there is but one.
        """
        if len(leaves) < LARGE:
            return self.step(leaves, gs, donated, rows, which)
        with collection_paused():
            return self.step(leaves, gs, donated, rows, which)

    def step(
        self,
        leaves: list[Any],
        gs: list[Any],
        donated: list[Any],
        rows: list[Coefficients],
        which: list[int] | None,
    ) -> tuple[Tree, AdamState] | None:
        """Return what :meth:`run` does, which keeps the garbage collector away from many new arrays."""
        tables, now = self.program.tables(rows, which), self.clocks + (self.ticks + 1)
        keys = self.keys
        if keys is not None:
            keys = np.column_stack((keys[:, :3], keys[:, 3] + np.uint32(self.ticks + 1)))
        try:
            new = self.program.call(donated, gs, self.masks, tables, now, keys)
        except Misfit:
            return None
        if type(new[0]) is not self.kind:  # the call is part of somebody's trace
            return None
        self.ticks += 1
        if self.moving is not None:
            moved = iter(new)
            new = [next(moved) if moves else x for x, moves in zip(leaves, self.moving, strict=True)]
        self.known = list(map(ref, new))
        params, m, v, v_max, *others, t = tree_unflatten(self.structure, new)
        return params, AdamState(t, m, v, v_max, None, *others)

    def rows(self, lr: Any, moving: Sequence[Any]) -> list[Coefficients] | None:
        """Return the next coefficients for each of the different clocks; None if the host can't know them."""
        if not self.starts:
            self.clocks = np.array([int(t) for t in moving[self.count :]], np.int32)
            self.starts = sorted({*self.clocks.tolist()})
            if len(self.starts) > 1:
                numbers = {t: number for number, t in enumerate(self.starts)}
                self.which = [numbers[t] for t in self.clocks.tolist()]
        rows = []
        for start in self.starts:
            t = start + self.ticks
            if not 0 <= t < MAX_CLOCK:
                return None
            c = coefficients_at(self.formula, self.adam, self.backend, t + 1, lr)
            if c is None or (c.keep_p is None) is self.keeps:
                return None
            rows.append(c)
        return rows
