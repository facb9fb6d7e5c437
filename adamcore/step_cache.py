"""Steps on the same arrays again and again: what was checked once is not checked a second time.

A step with ``donate=True`` that went in place gives back the arrays it was given.  If the next
step comes with those arrays, their trees, dtypes, shapes and states are as they were found then:
only the gradients are looked at, and what a library lets change in an array.  Whatever is not as it
was goes the long way, which knows all the errors.

A lane holds no array alive.  It owns the clocks: its state's are views of one vector, ticked in place; or,
where they are out of the host's sight, they stay where they are and are ticked there.
"""

from __future__ import annotations

import weakref
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import chain, compress
from typing import Any, Protocol

from adamcore.clock import Ticker
from adamcore.coefficients import MAX_CLOCK
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.protocol import Backend, Job, Prepared, Result, Ticking
from adamcore.state import AdamState
from adamcore.tracing import formula
from adamcore.types import Tree

CACHE = "_step_cache"  #: the attribute of an Adam that holds its cached steps
LANES = 4  #: trees of parameters that one Adam steps in turn
INFINITE = float("inf")
KEYED, ORDERED = (dict, OrderedDict), (list, tuple)
Shape = Any  #: of a tree of plain containers: (kinds, keys or length, shapes or None); None for a leaf


class CachedStep(Protocol):
    """A lane: one Adam on one set of arrays, or on those that its last step returned."""

    @property
    def dead(self) -> Any: ...  # true if no step can come, as an array is no more

    def step(
        self, adam: AdamConfig, params: Tree, grads: Tree, state: AdamState, lr: Any
    ) -> tuple[Tree, AdamState] | None: ...  # None, and nothing is changed, if it is not for this lane


class StepCache(list[CachedStep]):
    """The lanes of one Adam, the latest first; never copied along with it."""

    def __reduce__(self) -> tuple[type[StepCache], tuple[()]]:
        return StepCache, ()

    def again(
        self, adam: AdamConfig, params: Tree, grads: Tree, state: AdamState, lr: Any
    ) -> tuple[Tree, AdamState] | None:
        """The step, if there is a lane for it."""
        for lane in tuple(self):
            done = lane.step(adam, params, grads, state, lr)
            if done is not None:
                return done
        return None

    def remember(
        self, adam: AdamConfig, backend: Backend, jobs: Sequence[Job], results: Sequence[Result],
        params: Tree, grads: Tree, state: AdamState,
    ) -> AdamState:  # fmt: skip
        """Open a lane after a step that went in place, if the next can go faster; returns its state."""
        own = backend.lane(adam, jobs, results, params, grads, state) if jobs else None
        if own is not None:
            self.open(own)
            return state
        in_place = all(
            new.p is job.p
            and new.m is job.m
            and new.v is job.v
            and new.v_max is job.v_max
            and job.where is None
            for job, new in zip(jobs, results, strict=True)
        )
        if not in_place or not jobs or state.mu_product is not None:
            return state
        lane = InPlaceStep(backend, params, grads, state)
        if lane.open(adam, jobs):
            state = state._replace(t=lane.clocks(state.t))
            lane.watch(state)
            self.open(lane)
        return state

    def open(self, lane: CachedStep) -> None:
        """It comes first; the eldest goes."""
        self[:] = [lane, *(other for other in self[: LANES - 1] if not other.dead)]


def cache_of(adam: AdamConfig) -> StepCache:
    """Return the lanes of this very object, an attribute that it gets at the first call."""
    kept = adam.__dict__
    if CACHE not in kept:
        kept[CACHE] = StepCache()
    lanes: StepCache = kept[CACHE]
    return lanes


class InPlaceStep:
    """One Adam on one set of arrays."""

    def __init__(self, backend: Backend, params: Tree, grads: Tree, state: AdamState) -> None:
        self.backend, self.params = backend, params
        self.shape = shape_of(params)
        self.dead: list[Any] = []  # references to arrays that are no more
        self.watched: list[Any] = []
        self.ids: list[int] = []
        self.clock = array("i")
        self.present = [g is not None for g in collect(self.shape, grads) or ()]
        self.whole = all(self.present)
        self.prepared: Prepared | None = None
        self.ticking: Ticking | None = None  # the same, if it is to tick the clocks

    def open(self, adam: AdamConfig, jobs: Sequence[Job]) -> bool:
        """Whether these jobs can be done again without being checked again."""
        leaves = collect(self.shape, self.params) or []
        expected = [job.p for job in jobs]
        found = list(compress(leaves, self.present))
        if len(leaves) != len(self.present) or list(map(id, found)) != list(map(id, expected)):
            return False
        self.formula = formula(adam)
        self.keeps = jobs[0].coefficients.keep_p is not None  # the one term that lr and t can take away
        self.prepared = self.backend.prepare(adam, jobs)
        return self.prepared is not None

    def clocks(self, t: Tree) -> Tree:
        """The clocks again, as views of one vector, if they are arrays of int32; else as they are."""
        found = [t] if self.is_global(t) else collect(self.shape, t)
        values: list[Any] = [
            None if x is None or isinstance(x, int) else self.backend.host(x) for x in found or ()
        ]
        ticks = getattr(self.prepared, "ticks", None)
        unseen = values.count(None) == len(values) and all(map(self.backend.owns, found or ()))
        if ticks is not None and unseen:
            self.ticking = self.prepared  # type: ignore[assignment]
            return t
        if not found or None in values or any(str(x.dtype).rpartition(".")[2] != "int32" for x in found):
            return t
        self.clock = array("i", values)
        views = self.backend.clocks(self.clock)
        return views[0] if self.is_global(t) else filled(self.shape, iter(views))

    def is_global(self, t: Tree) -> bool:
        return self.shape is not None and not isinstance(t, KEYED + ORDERED)

    def watch(self, state: AdamState) -> None:
        """Remember which arrays these are, and hear of it when one of them goes."""
        columns = self.columns(self.params, state)
        self.params = None
        if not (self.clock or self.ticking) or None in columns:
            self.dead.append(None)
            return
        leaves = [leaf for column in columns for leaf in column]
        self.ids = list(map(id, leaves))
        self.watched = [weakref.ref(leaf, self.dead.append) for leaf in leaves]

    def columns(self, params: Tree, state: AdamState) -> list[Any]:
        """The leaves of p, m, v, v_max if there, and t; None for a tree of other containers."""
        t, m, v, v_max, _ = state
        trees = (params, m, v) if v_max is None else (params, m, v, v_max)
        found = [collect(self.shape, tree) for tree in trees]
        found.append([t] if self.is_global(t) else collect(self.shape, t))
        return found

    def step(
        self, adam: AdamConfig, params: Tree, grads: Tree, state: AdamState, lr: Any
    ) -> tuple[Tree, AdamState] | None:
        """Make the step if everything is as it was; None, and nothing is changed, if not."""
        if self.dead or self.prepared is None:
            return None
        columns = self.columns(params, state)
        gs = collect(self.shape, grads)
        if gs is None or None in columns or list(map(id, chain.from_iterable(columns))) != self.ids:
            return None
        if [g is not None for g in gs] != self.present:
            return None
        clocks = columns.pop()
        columns.insert(1, gs)
        if self.ticking is not None:
            return (params, state) if self.advance(adam, columns, clocks, lr) else None
        now = self.clock
        first, same = now[0], self.whole or len(now) == 1
        if not self.whole:
            columns = [list(compress(leaves, self.present)) for leaves in columns]
        if same and now.count(first) == len(now):
            if not 0 <= first < MAX_CLOCK:
                return None
            each = [coefficients_at(self.formula, adam, self.backend, first + 1, lr)]
        else:
            ticking = now if same else array("i", compress(now, self.present))
            if min(ticking) < 0 or max(ticking) >= MAX_CLOCK:
                return None
            known = {t: coefficients_at(self.formula, adam, self.backend, t + 1, lr) for t in set(ticking)}
            each = [known[t] for t in ticking]
        if any(c is None or (c.keep_p is None) is self.keeps for c in each):
            return None  # the host can't know them, or they are for another program
        if not self.prepared.fits(columns):
            return None
        self.prepared.run(each)
        if len(each) == 1 and same:
            now[:] = array("i", (first + 1,)) * len(now)
        else:
            now[:] = array("i", map(int.__add__, now, map(int, self.present)))
        return params, state

    def advance(self, adam: AdamConfig, columns: list[Any], clocks: list[Any], lr: Any) -> bool:
        """The step, with clocks that are ticked where they stand."""
        if not self.whole:
            columns = [list(compress(leaves, self.present)) for leaves in columns]
            clocks = clocks if len(clocks) < len(self.present) else list(compress(clocks, self.present))
        lr = adam.lr if lr is None else lr
        if self.ticking is None or not self.ticking.ticks(lr, clocks) or not self.ticking.fits(columns):
            return False
        self.ticking.advance()
        return True


def coefficients_at(
    known: Callable[[int, float], Coefficients], adam: AdamConfig, backend: Backend, t: int, lr: Any
) -> Any:
    """The coefficients of the update numbered ``t``; None if the host can't know them."""
    if lr is None and type(adam.lr) is float:
        lr = adam.lr
    if type(lr) is float and 0.0 <= lr < INFINITE:
        return known(t, lr)
    return Ticker(adam, backend, lr).on_host(t, None)


def shape_of(tree: Tree) -> Shape:
    """The containers of a tree."""
    kind: Any = type(tree)
    if kind in KEYED:
        children = [shape_of(x) for x in tree.values()]
        return KEYED, kind, list(tree), children if any(children) else None
    if kind in ORDERED:
        children = [shape_of(x) for x in tree]
        return ORDERED, kind, len(tree), children if any(children) else None
    return None


def collect(shape: Shape, tree: Tree) -> list[Any] | None:
    """The leaves of a tree of these containers, in their order; None if it has others."""
    if shape is None:
        return [tree]
    kinds, _, size, children = shape
    if type(tree) not in kinds:
        return None
    if kinds is KEYED:
        if list(tree) != size:
            return None
        values: Any = tree.values()
    elif len(tree) != size:
        return None
    else:
        values = tree
    if children is None:
        return list(values)
    found: list[Any] = []
    for child, value in zip(children, values, strict=True):
        leaves = collect(child, value)
        if leaves is None:
            return None
        found += leaves
    return found


def filled(shape: Shape, leaves: Any) -> Tree:
    """A tree of these containers with other leaves."""
    if shape is None:
        return next(leaves)
    kinds, kind, size, children = shape
    count = len(size) if kinds is KEYED else size
    values = [filled(child, leaves) for child in (children or [None] * count)]
    return kind(zip(size, values, strict=True)) if kinds is KEYED else kind(values)
