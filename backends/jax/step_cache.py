"""Cached steps of JAX: the step on the leaves that the step before returned.

JAX's arrays never change: a leaf that is the very object which the last step returned is of its shape
and dtype, in its place.  A step on all of them has only gradients and the learning rate to look at;
shapes and dtypes of gradients are looked at by the program, once, while it is traced.  Everything else
takes the step with all checks, which knows all the errors.

A cached step holds no leaf alive.  It owns the clocks, as numbers of the host; the compiled program writes
them into new arrays.
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
from jax.sharding import SingleDeviceSharding
from jax.tree_util import default_registry, tree_flatten, tree_structure

from adamcore.backends.base import Fallback
from adamcore.backends.jax.ahead import FEW, Ahead
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
    leaves, gs = tree_flatten((record.params, state))[0], tree_flatten(record.grads)[0]
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


class JitStep:
    """A cached step by a compiled program."""

    def __init__(self, adam: AdamConfig, record: StepRecord, fallback: Fallback, present: list[bool]) -> None:
        state = record.state
        self.given: Any  #: the structure of what a step is given
        self.made: Any  #: of what it returns
        self.given = tree_structure((record.params, state, record.grads))
        leaves, self.made = tree_flatten((record.params, state))
        gs = tree_flatten(record.grads)[0]
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
        self.count = len(leaves)
        self.params = id(record.params)  #: the tree that the last step returned, if there still is one
        columns = 3 + sum(bool(tree_flatten(part)[0]) for part in PARTS_OF(state))
        n = len(jobs)
        #: of the leaves that take part
        self.clocks_at = slice(n, n + (1 if adam.clock == "global" else n))
        self.keys = keys_of(record.jobs)  #: at the clock of the record
        self.moving: list[bool] | None = None  #: which leaves take part; None if all do
        if not all(present):
            self.moving = present + ([True] if adam.clock == "global" else present) + present * (columns - 1)
        self.clocks = NO_CLOCKS  #: what they were at first; read when it is needed
        self.starts: list[int] = []  #: the different numbers in it
        self.which: list[int] | None = None  #: for each job the number of its start; None if there is one
        self.ticks = 0  #: steps since
        #: True if the program can read the clock from the state, should there be one start
        self.reads_clock = self.keys is None and {*map(type, map(sharding, leaves))} == {SingleDeviceSharding}
        self.ahead: Ahead | None = None  #: where the coefficients of coming steps may be put on the device
        if self.reads_clock and len(jobs) <= FEW and self.program.by_machine_code:
            self.ahead = Ahead(self.program, self.coefficients)

    @property
    def dead(self) -> bool:
        return any(known() is None for known in self.known)

    def bind(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any, clip: Clipping | None = None
    ) -> Callable[[], tuple[Tree, AdamState] | None] | None:
        found = self.leaves_of(params, state, grads)
        if found is None or not all(map(is_, map(call, self.known), found)):
            return None
        if (None if clip is None else clip.term) != self.clips:
            return None
        gs = found[self.count :]
        if {*map(type, gs)} != self.kinds or list(map(sharding, gs)) != self.shardings:
            return None
        if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return None
        leaves = found[: self.count]
        donated = leaves[:] if self.moving is None else list(compress(leaves, self.moving))
        clocks = donated[self.clocks_at]
        del donated[self.clocks_at]
        if not {*map(id, gs)}.isdisjoint(map(id, donated)):
            return None
        if self.ahead is not None and clip is None and len(self.starts) == 1:
            t = self.starts[0] + self.ticks
            coming = self.ahead.at(t, self.adam.lr if lr is None else lr, leaves[0])
            if coming is not None:
                return partial(self.step, leaves, gs, donated, clocks, coming, self.program.call_ahead)
        tables = self.tables(lr, clip, donated, gs, clocks)
        if tables is None:
            return None
        one_row = len(self.starts) == 1 and all(len(table) == 1 for table in tables)  # none clipped apart
        call_at = self.program.call_at if self.reads_clock and one_row else None
        return partial(self.run, leaves, gs, donated, clocks, tables, call_at)

    def leaves_of(self, params: Tree, state: AdamState, grads: Tree) -> list[Any] | None:
        """Return all leaves; None if the trees have another structure than those of the last step."""
        if id(params) != self.params:
            found, given = default_registry.flatten((params, state, grads))
            return found if given == self.given else None
        try:
            leaves: list[Any] = self.given.flatten_up_to((params, state, grads))
        except ValueError:  # whose message has all arrays written out, which takes long
            return None
        return leaves

    def tables(
        self, lr: Any, clip: Clipping | None, donated: list[Any], gs: list[Any], clocks: list[Any]
    ) -> list[Any] | None:
        """Return the tables of coefficients for this step alone; None if the host can't know them."""
        rows, which = self.rows(lr, clocks), self.which
        if rows is None or clip is None:
            return None if rows is None else self.program.tables(rows, which)
        if any(x.shape != g.shape or x.dtype != g.dtype for x, g in zip(donated, gs, strict=False)):
            return None  # the program would say so, but the norm comes before it
        clipped = clip.rows(self.backend, gs, rows if which is None else [rows[i] for i in which])
        if clipped is None:
            return None
        rows = list(dict(zip(map(id, clipped), clipped, strict=True)).values())
        numbers = {id(row): number for number, row in enumerate(rows)}
        which = [numbers[id(row)] for row in clipped] if len(rows) > 1 else None
        return self.program.tables(rows, which)

    def run(
        self,
        leaves: list[Any],
        gs: list[Any],
        donated: list[Any],
        clocks: list[Any],
        tables: Sequence[Any],
        call_at: Callable[..., list[Any]] | None,
    ) -> tuple[Tree, AdamState] | None:
        """Make the step; None, with nothing changed, if a gradient or somebody's trace is in its way.

        Args:
            leaves, gs, donated: all arrays, the gradients, and the arrays that are given away.
            clocks: the clocks of the jobs.
            tables: the coefficients.
            call_at: the program that is given the clock by its array; None if the host tells it all clocks.
        """
        if len(leaves) < LARGE:
            return self.step(leaves, gs, donated, clocks, tables, call_at)
        with collection_paused():
            return self.step(leaves, gs, donated, clocks, tables, call_at)

    def step(
        self,
        leaves: list[Any],
        gs: list[Any],
        donated: list[Any],
        clocks: list[Any],
        tables: Sequence[Any],
        call_at: Callable[..., list[Any]] | None,
    ) -> tuple[Tree, AdamState] | None:
        """Return what :meth:`run` does, which keeps the garbage collector away from many new arrays."""
        try:
            if call_at is None:
                now, keys = self.clocks + (self.ticks + 1), self.keys
                if keys is not None:
                    keys = np.column_stack((keys[:, :3], keys[:, 3] + np.uint32(self.ticks + 1)))
                new = self.program.call(donated, gs, self.masks, tables, now, keys)
            else:
                t = clocks[0]
                if self.ticks == 0 and leaves[0].committed:  # as the clocks are that the program returns
                    t = jax.device_put(t, leaves[0].sharding)
                new = call_at(donated, gs, tables, t)
        except Misfit:
            return None
        if type(new[0]) is not self.kind:  # the call is part of somebody's trace
            return None
        self.ticks += 1
        if self.moving is not None:
            moved = iter(new)
            new = [next(moved) if moves else x for x, moves in zip(leaves, self.moving, strict=True)]
        self.known = list(map(ref, new))
        params, state = self.made.unflatten(new)
        self.params = id(params)
        return params, state

    def rows(self, lr: Any, clocks: Sequence[Any]) -> list[Coefficients] | None:
        """Return the next coefficients for each of the different clocks; None if the host can't know them."""
        if not self.starts:
            self.clocks = np.array([int(t) for t in clocks], np.int32)
            self.starts = sorted({*self.clocks.tolist()})
            if len(self.starts) > 1:
                numbers = {t: number for number, t in enumerate(self.starts)}
                self.which = [numbers[t] for t in self.clocks.tolist()]
        rows = []
        for start in self.starts:
            c = self.coefficients(start + self.ticks + 1, lr)
            if c is None:
                return None
            rows.append(c)
        return rows

    def coefficients(self, t: int, lr: Any) -> Coefficients | None:
        """Return those of the update numbered ``t``; None if the host can't know them."""
        if not 0 < t <= MAX_CLOCK:
            return None
        c = coefficients_at(self.formula, self.adam, self.backend, t, lr)
        return None if c is None or (c.keep_p is None) is self.keeps else c
