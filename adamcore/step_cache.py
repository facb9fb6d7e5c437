"""Cached steps: one Adam on one set of arrays, whose checks were done once.

A step with ``donate=True`` leaves a cached step behind.  If the next step comes with the very arrays
that the last one returned, their trees, dtypes and shapes are known, and only what may have changed is
looked at: the gradients, the learning rate, and what a library lets change in an array.  Everything
else takes the step with all checks, which knows all the errors.

A cached step holds no array alive.  :class:`StepCache` keeps the cached steps of one Adam;
:class:`InPlaceStep` is the cached step of libraries that write into their arrays.
"""

from __future__ import annotations

import sys
import weakref
from array import array
from collections.abc import Callable, Sequence
from ctypes import c_int64, c_void_p, string_at
from functools import cache, partial
from itertools import chain, compress, repeat
from operator import add, is_, mul
from typing import Any

from adamcore.clock import Ticker
from adamcore.coefficients import MAX_CLOCK
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.jobs import OPTIONAL, PARTS_OF, Columns, Results, UniformJobs, columns_of, columns_of_nine
from adamcore.protocol import Backend, CachedStep, Clipping, ColumnStep, DeviceClockColumnStep, StepRecord
from adamcore.state import AdamState
from adamcore.tracing import formula
from adamcore.trees import PLAIN_KINDS, leaves_of, plain_shape, tree_of
from adamcore.types import Array, Clock, Tree

CACHE = "_step_cache"  #: the attribute of an Adam that holds its cached steps
SIZE = 4  #: cached steps of one Adam: trees of parameters that it steps in turn
INFINITE = float("inf")
FEW = 64  #: objects below which a copy of their identities does not pay
ITEMS = tuple.__basicsize__  #: bytes of a list in front of its vector's address: the head of any sequence

Bound = Callable[[], tuple[Tree, AdamState] | None]  #: see :meth:`CachedStep.bind`


class StepCache(list[CachedStep]):
    """The cached steps of one Adam, the latest first; a copy or pickle of it is empty."""

    def __reduce__(self) -> tuple[type[StepCache], tuple[()]]:
        return StepCache, ()

    def bind(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any, clip: Clipping | None = None
    ) -> Bound | None:
        """Return the function of the first cached step that has one: see :meth:`CachedStep.bind`."""
        for cached in tuple(self):
            bound = cached.bind(params, grads, state, lr, clip)
            if bound is not None:
                return bound
        return None

    def remember(self, adam: AdamConfig, record: StepRecord) -> AdamState:
        """Keep a cached step for the next step, if the backend has one; return the state to hand out."""
        found = record.backend.cached_step(adam, record)
        if found is None:
            return record.state
        cached, state = found
        self[:] = [cached, *(other for other in self[: SIZE - 1] if not other.dead)]
        return state


def cache_of(adam: AdamConfig) -> StepCache:
    """Return the cached steps of this very object, an attribute that it gets at the first call."""
    cache: StepCache | None = getattr(adam, CACHE, None)  # PyTorch 2.7 traces no __dict__
    if cache is None:
        cache = adam.__dict__[CACHE] = StepCache()
    return cache


# Steps in place ----------------------------------------------------------------------------------


def stepped_in_place(record: StepRecord) -> bool:
    """True if a step wrote into the arrays that it was given, without a mask or Dozat's schedule."""
    if record.state.mu_product is not None:
        return False
    if isinstance(record.jobs, UniformJobs) and isinstance(record.results, Results):
        return record.results.columns.p is record.jobs.columns.p
    return all(
        job.where is None and all(map(is_, new, (job.p, job.m, job.v, *PARTS_OF(job))))
        for job, new in zip(record.jobs, record.results, strict=True)
    )


def in_place_step(
    adam: AdamConfig,
    record: StepRecord,
    column_step: ColumnStep,
    clock_arrays: Callable[[array[int]], Sequence[Array]],
) -> tuple[InPlaceStep, AdamState] | None:
    """Return a cached step whose clocks the host knows, and the state with its clocks; None if it can't be.

    The cached step owns the clocks: those of the state that is returned are views of one vector.

    Args:
        adam: the Adam that made the step.
        record: a step that was made in place.
        column_step: what steps the arrays of its jobs.
        clock_arrays: returns 0-d int32 arrays, one for each number of a vector, in its very memory.
    """
    cached = InPlaceStep(adam, record, column_step)
    clocks = cached.clocks_of(record.state.t)
    if not clocks or any(x is None or isinstance(x, int) for x in clocks):
        return None
    values = record.backend.integers(clocks)
    if values is None or str(clocks[0].dtype).rpartition(".")[2] != "int32":
        return None
    cached.now = array("i", values)
    views = clock_arrays(cached.now)
    t = views[0] if cached.global_clock else tree_of(cached.shape, iter(views))
    state = record.state._replace(t=t)
    return (cached, state) if cached.watch(record.params, state) else None


def device_clock_step(
    adam: AdamConfig, record: StepRecord, column_step: DeviceClockColumnStep
) -> tuple[DeviceClockInPlaceStep, AdamState] | None:
    """Return a cached step whose clocks are ticked on their device, and the state; None if it can't be."""
    cached = DeviceClockInPlaceStep(adam, record, column_step)
    return (cached, record.state) if cached.watch(record.params, record.state) else None


class InPlaceStep:
    """A cached step that writes into its arrays; the host knows the clocks."""

    def __init__(self, adam: AdamConfig, record: StepRecord, column_step: ColumnStep) -> None:
        self.adam, self.backend, self.column_step = adam, record.backend, column_step
        self.formula = formula(adam)
        self.keeps = record.jobs[0].coefficients.keep_p is not None  # lr and t can take this term away
        self.clips = clips_of(record.jobs[0].coefficients)
        columns = columns_of(record.jobs)
        self.jobs = list(map(id, columns.p))
        self.parts = [bool(getattr(columns, name)) for name in OPTIONAL]  #: which of them each job has
        self.bare = all(map(is_, record.state[3:], repeat(None)))  #: the state has t, m and v alone
        self.shape = plain_shape(record.params, record.backend.flatten(record.params)[0])
        self.present = [g is not None for g in leaves_of(self.shape, record.grads) or ()]
        self.whole = all(self.present)
        self.global_clock = self.shape is not None and not isinstance(record.state.t, PLAIN_KINDS)
        self.now = array("i")  #: the clocks
        self.ids: list[Any] = []  #: of p, m, v, what else there is, and t, as :func:`identities_of` has them
        self.one: tuple[int, ...] | None = None  #: of p, m, v and t, if the tree is one array
        self.few = 0  #: how many arrays there are if each tree is a list of them, and they are few; or 0
        self.references: list[weakref.ref[Any]] = []  #: to the same
        self.dead: Any = []  #: references to arrays that are gone; true if there are any

    def clocks_of(self, t: Tree) -> list[Clock] | None:
        """Return the clocks of a state; None for a tree of other containers."""
        return [t] if self.global_clock else leaves_of(self.shape, t)

    def watch(self, params: Tree, state: AdamState) -> bool:
        """Remember which arrays these are, and notice when one is gone; False if they are not the jobs'."""
        trees = [params, state.m, state.v, *(tree for tree in PARTS_OF(state) if tree is not None)]
        columns = [*(leaves_of(self.shape, tree) for tree in trees), self.clocks_of(state.t)]
        leaves: list[Any] = []
        for column in columns:
            if column is None:
                return False
            leaves += column
        count = len(self.present)
        if list(map(id, compress(leaves, self.present))) != self.jobs or len(columns[0] or ()) != count:
            return False
        self.ids = identities_of([column for column in columns if column])
        if self.shape is None and self.bare and self.whole:
            self.one = id(params), id(state.m), id(state.v), id(state.t)
        kind, size, children = self.shape[1:4] if self.shape is not None else (None, 0, None)
        if self.bare and self.whole and not self.global_clock and kind is list and children is None:
            self.few = size if size < FEW else 0
        self.references = [weakref.ref(leaf, self.dead.append) for leaf in leaves if leaf is not None]
        return True

    def match(self, params: Tree, grads: Tree, state: AdamState) -> tuple[Columns, list[Clock]] | None:
        """Return the arrays that take part and the clocks; None if they are not those of the last step."""
        t, m, v, a, b, c, d, e, f = state
        bare = a is b is c is d is e is f is None
        if self.one is not None:
            if self.dead or not bare or grads is None or (id(params), id(m), id(v), id(t)) != self.one:
                return None
            return columns_of_nine(([params], [grads], [m], [v], (), (), (), (), ())), [t]
        if (
            self.few
            and type(params) is type(grads) is type(m) is type(v) is type(t) is list
            and len(params) == len(grads) == len(m) == len(v) == len(t) == self.few
        ):
            if self.dead or not bare or list(map(id, chain(params, m, v, t))) != self.ids:
                return None
            if grads[0] is None if self.few == 1 else any(map(is_, grads, repeat(None))):
                return None
            return columns_of_nine((params, grads, m, v, (), (), (), (), ())), t
        shape = self.shape
        ps, gs = leaves_of(shape, params), leaves_of(shape, grads)
        ms, vs = leaves_of(shape, m), leaves_of(shape, v)
        clocks = [t] if self.global_clock else leaves_of(shape, t)
        if self.dead or ps is None or gs is None or ms is None or vs is None or clocks is None:
            return None
        if self.bare:
            if not bare or identities_of((ps, ms, vs, clocks)) != self.ids:
                return None
            columns: Any = ps, gs, ms, vs, (), (), (), (), ()
        else:
            parts = [[] if tree is None else leaves_of(shape, tree) for tree in PARTS_OF(state)]
            if None in parts or identities_of([x for x in (ps, ms, vs, *parts, clocks) if x]) != self.ids:
                return None
            columns = ps, gs, ms, vs, *map(mul, parts, self.parts)
        present = self.present
        if self.whole:
            if len(gs) != len(present) or (
                gs[0] is None if len(gs) == 1 else any(map(is_, gs, repeat(None)))
            ):
                return None
            return columns_of_nine(columns), clocks
        if [g is not None for g in gs] != present:
            return None
        return Columns(*[list(compress(column, present)) for column in columns]), clocks

    def bind(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any, clip: Clipping | None = None
    ) -> Bound | None:
        matched = self.match(params, grads, state)
        if matched is None or (None if clip is None else clip.term) != self.clips:
            return None
        adam, backend, known = self.adam, self.backend, self.formula
        now = self.now
        first, together = now[0], self.whole or len(now) == 1
        alike = together and now.count(first) == len(now)
        if alike:
            if not 0 <= first < MAX_CLOCK:
                return None
            ticked = [first + 1]
            coefficients: list[Any] = [coefficients_at(known, adam, backend, first + 1, lr)]
        else:
            clocks = now if together else list(compress(now, self.present))
            if min(clocks) < 0 or max(clocks) >= MAX_CLOCK:
                return None
            rows = {t: coefficients_at(known, adam, backend, t + 1, lr) for t in set(clocks)}
            coefficients, ticked = [rows[t] for t in clocks], [t + 1 for t in clocks]
        for c in coefficients:
            if c is None or (c.keep_p is None) is self.keeps:
                return None  # the host can't know them, or they are for another program
        step = self.column_step.bind(matched[0], coefficients, ticked)
        if step is None:
            return None
        if clip is not None:
            clipping = clip.rows(backend, matched[0].g, coefficients)
            if clipping is None:
                return None
            coefficients[:] = clipping
        return partial(self.run, step, first if alike else None, params, state)

    def run(
        self, step: Callable[[], None], first: int | None, params: Tree, state: AdamState
    ) -> tuple[Tree, AdamState]:
        """Make the step and tick the clocks, which are all ``first`` unless that is None."""
        step()
        now = self.now
        if first is None:
            now[:] = array("i", map(add, now, self.present))
        elif len(now) == 1:
            now[0] = first + 1
        else:
            now[:] = array("i", (first + 1,)) * len(now)
        return params, state


class DeviceClockInPlaceStep(InPlaceStep):
    """A cached step that writes into its arrays; the clocks are on a device and are ticked there."""

    column_step: DeviceClockColumnStep

    def bind(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any, clip: Clipping | None = None
    ) -> Bound | None:
        matched = self.match(params, grads, state)
        if matched is None or clip is not None:
            return None
        columns, clocks = matched
        if not self.whole and len(clocks) == len(self.present):
            clocks = list(compress(clocks, self.present))
        run = self.column_step.bind_clocks(columns, clocks, (), self.adam.lr if lr is None else lr)
        if run is None:
            return None

        def step() -> tuple[Tree, AdamState]:
            run()
            return params, state

        return step


def clips_of(c: Coefficients) -> str | None:
    """Return by which of the coefficients a step clips its gradients; None if it does not."""
    return "scale_g" if c.scale_g is not None else "least_g" if c.least_g is not None else None


def coefficients_at(
    known: Callable[[int, float], Coefficients], adam: AdamConfig, backend: Backend, t: int, lr: Any
) -> Coefficients | None:
    """Return the coefficients of the update numbered ``t``; None if the host can't know them.

    Args:
        known: :func:`adamcore.tracing.formula` of the Adam.
        adam, backend: whose update it is.
        t: the clock after its tick, at least 1.
        lr: the learning rate of this step; None for the Adam's.
    """
    if lr is None and type(adam.lr) is float:
        lr = adam.lr
    if type(lr) is float and 0.0 <= lr < INFINITE:
        return known(t, lr)
    return Ticker(adam, backend, lr).on_host(t, None)


# Identities --------------------------------------------------------------------------------------


def identities_of(columns: Sequence[list[Any]]) -> list[Any]:
    """Return the identities of the objects in lists, to be compared with others of this function."""
    if len(columns[0]) < FEW:
        return list(map(id, chain.from_iterable(columns)))
    return list(map(identities, columns))


def identities(xs: Sequence[Any]) -> array[int]:
    """Return the ``id`` of each object.

    ``id`` takes 30 ns and makes a number.  A list of CPython is a C structure with the address of a vector,
    which holds the addresses of the objects, their identities; one copy of it has them all.

    >>> xs = [object() for _ in range(100)]
    >>> list(identities(xs)) == list(map(id, xs))
    True
    """
    if type(xs) is not list or len(xs) < FEW or not readable():
        return array("q", map(id, xs))
    vector: Any = c_void_p.from_address(id(xs) + ITEMS).value
    return array("q", string_at(vector, 8 * len(xs)))


@cache
def readable() -> bool:
    """True if a list of this interpreter is as it is known here."""
    if sys.implementation.name != "cpython" or list.__basicsize__ < ITEMS + 8:
        return False
    probe = [object(), object()]
    vector: Any = c_void_p.from_address(id(probe) + ITEMS).value
    return list((c_int64 * 2).from_address(vector)) == list(map(id, probe))
