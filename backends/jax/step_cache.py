"""Steps of JAX on what the step before handed back: what was checked then is not checked again.

JAX's arrays never change, so that a leaf which is the very object the last step returned is as it was
found: of its shape and dtype, in its place.  A step on all of them has only gradients and lr to look at;
shapes and dtypes of gradients are looked at by the program itself, once, while it is traced.  Whatever
is not as it was goes the long way, which knows all the errors.

A lane holds no array alive.  It owns the clocks, as numbers of the host; the compiled program writes
them into new arrays on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import attrgetter, is_
from typing import Any
from weakref import ref

import jax
import numpy as np
from jax.tree_util import tree_flatten, tree_unflatten

from adamcore.backends.jax.fast import NO_CLOCKS, Misfit, Plan, Slow, plan_of
from adamcore.coefficients import MAX_CLOCK
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.protocol import Backend, Job
from adamcore.state import AdamState
from adamcore.step_cache import coefficients_at
from adamcore.tracing import formula
from adamcore.types import Tree

sharding = attrgetter("sharding")


class JitStep:
    """One Adam on one tree, and its next step."""

    def __init__(
        self, adam: AdamConfig, backend: Backend, made: Plan, gs: Sequence[Any], leaves: Sequence[Any]
    ) -> None:
        self.backend, self.plan, self.formula = backend, made, formula(adam)
        self.kind = type(leaves[0])
        self.places = list(map(sharding, gs))
        self.keeps = Coefficients(*made.layout[0].there).keep_p
        self.masks = [None] * len(gs)
        self.known = list(map(ref, leaves))
        self.structure: Any = None
        self.gradients: Any = None
        self.moving: list[bool] | None = None  #: which leaves take part; None if all do
        self.count = 0  #: of those, how many are given away; the clocks come after them
        self.clocks = NO_CLOCKS  #: what they were at first; read when it is needed
        self.starts: list[int] = []  #: of that, every value once
        self.which: list[int] | None = None  #: of these, for each job; None if all are alike
        self.ticks = 0  #: steps since

    @property
    def dead(self) -> bool:
        """Whether an array is no more, so that no step can come."""
        return any(known() is None for known in self.known)

    def step(
        self, adam: AdamConfig, params: Tree, grads: Tree, state: AdamState, lr: Any
    ) -> tuple[Tree, AdamState] | None:
        """Make the step if everything is as it was; None, and nothing is changed, if not."""
        if type(state) is not AdamState or state.mu_product is not None:
            return None
        leaves, structure = tree_flatten((params, state.m, state.v, state.v_max, state.t))
        gs, gradients = tree_flatten(grads)
        if structure != self.structure or gradients != self.gradients:
            return None
        if {*map(type, leaves), *map(type, gs)} != {self.kind}:
            return None
        if not all(map(is_, self.known, map(ref, leaves))):  # one object has one reference
            return None
        part = leaves if self.moving is None else list(compress(leaves, self.moving))
        given = part[: self.count]
        if list(map(sharding, gs)) != self.places or not {*map(id, given)}.isdisjoint(map(id, gs)):
            return None
        rows = self.rows(adam, lr, part)
        if rows is None:
            return None
        try:
            tables, now = self.plan.tables(rows, self.which), self.clocks + (self.ticks + 1)
            new = self.plan.call(given, gs, self.masks, tables, now)
        except Misfit:
            return None
        if type(new[0]) is not self.kind:  # inside of somebody's trace
            return None
        self.ticks += 1
        if self.moving is not None:
            moved = iter(new)
            new = [next(moved) if moves else old for old, moves in zip(leaves, self.moving, strict=True)]
        self.known = list(map(ref, new))
        params, m, v, v_max, t = tree_unflatten(structure, new)
        return params, AdamState(t, m, v, v_max)

    def rows(self, adam: AdamConfig, lr: Any, part: Sequence[Any]) -> list[Coefficients] | None:
        """The coefficients of the next step, for each value among the clocks; None if not known here."""
        if not self.starts:
            self.clocks = np.array([int(t) for t in part[self.count :]], np.int32)
            self.starts = sorted({*self.clocks.tolist()})
            if len(self.starts) > 1:
                self.which = [self.starts.index(t) for t in self.clocks.tolist()]
        rows = []
        for start in self.starts:
            t = start + self.ticks
            if not 0 <= t < MAX_CLOCK:
                return None
            c = coefficients_at(self.formula, adam, self.backend, t + 1, lr)
            if c is None or (c.keep_p is None) is self.keeps:  # the one term that lr and t can take away
                return None
            rows.append(c)
        return rows


def opened(
    adam: AdamConfig,
    backend: Backend,
    slow: Slow,
    jobs: Sequence[Job],
    params: Tree,
    grads: Tree,
    state: AdamState,
) -> JitStep | None:
    """A lane after a step that has returned ``params`` and ``state``, if the next can go faster."""
    leaves, structure = tree_flatten((params, state.m, state.v, state.v_max, state.t))
    gs, gradients = tree_flatten(grads)
    kinds = {type(x) for x in (*leaves, *gs)}
    if state.mu_product is not None or len(kinds) != 1 or issubclass(kinds.pop(), jax.core.Tracer):
        return None
    ps, _ = backend.flatten(params)
    present = [g is not None for p, g in zip(ps, backend.flatten(grads)[0], strict=True) if p is not None]
    clocks, _ = tree_flatten(state.t)
    if len(gs) != len(jobs) or any(t.shape != () or t.dtype != "int32" for t in clocks):
        return None
    if not all(x is None or isinstance(x, float) for job in jobs for x in job.coefficients):
        return None
    lane = JitStep(adam, backend, plan_of(adam, jobs, slow), gs, leaves)
    lane.structure, lane.gradients = structure, gradients
    columns = 3 if state.v_max is None else 4
    lane.count = columns * len(jobs)
    if not all(present):
        lane.moving = present * columns + ([True] if adam.clock == "global" else present)
    if len({each.there for each in lane.plan.layout}) > 1:
        return None
    return lane
