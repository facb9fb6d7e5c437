"""One step of a whole tree of parameters.

A step has four parts.  It

1. checks its arguments (:class:`ParamTree`, :func:`check_parts`, :func:`check_leaf`);
2. finds out which leaves and elements take part (:mod:`adamcore.presence`);
3. ticks the clocks and forms the coefficients (:mod:`adamcore.clock`); and
4. gives the backend a job for each leaf that takes part.

Before that, :func:`step` looks for a cached step: one that was made on the same arrays before
(:mod:`adamcore.step_cache`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from adamcore.clock import Ticker, known, tick_all
from adamcore.config import AdamConfig, Schedule
from adamcore.dtypes import PARTS, DtypeTable, first_part, parts_of, wanted
from adamcore.errors import GradientError, HyperparameterError, StateError, TreeError
from adamcore.presence import PRESENT, presence, where_of
from adamcore.protocol import (
    Backend,
    Columns,
    Job,
    LeafDtypes,
    Result,
    ResultColumns,
    Results,
    StepRecord,
    UniformJobs,
    columns_of,
)
from adamcore.registry import backend_for, first, owner, owns_all
from adamcore.state import AdamState, check_state
from adamcore.step_cache import StepCache, cache_of
from adamcore.storage.random_bits import Key, key_of
from adamcore.trees import ParamTree, collection_paused
from adamcore.types import Array, Clock, Device, DType, Scalar, Tree

READ_PARTS: Callable[[AdamState], tuple[Tree, ...]] = attrgetter(*PARTS)


def init(adam: AdamConfig, params: Tree) -> AdamState:
    """Return the state before the first step: see :meth:`adamcore.Adam.init`."""
    return init_tree(adam, ParamTree(params))


def init_tree(adam: AdamConfig, tree: ParamTree) -> AdamState:
    """Return the state before the first step of a tree."""
    tree.check_parameters()
    b, table = tree.backend, DtypeTable(adam, tree.backend)
    formats = [None if p is None else table.of(p) for p in tree.leaves]

    def zeros(dtype: str) -> Tree:
        pairs = zip(tree.leaves, formats, strict=True)
        return tree.like([None if f is None else b.zeros(p, getattr(f, dtype)) for p, f in pairs])

    def clocks(value: float, dtype: Callable[[Array], DType]) -> Tree:
        if adam.clock == "per-parameter":
            return tree.like([None if p is None else b.full(value, dtype(p), p) for p in tree.leaves])
        like = tree.first_parameter()
        return value if like is None else b.full(value, dtype(like), like)

    return AdamState(
        t=clocks(0, lambda like: b.dtype_named("int32", like)),
        m=zeros("m"),
        v=zeros("v"),
        v_max=None if adam.amsgrad == "none" else zeros("v"),
        mu_product=clocks(1.0, b.coefficient_dtype) if adam.nesterov == "dozat" else None,
        **first_parts(adam, tree, formats),
    )


def first_parts(adam: AdamConfig, tree: ParamTree, formats: Sequence[LeafDtypes | None]) -> dict[str, Any]:
    """Return these parts of a state before the first step, as trees."""
    rows = list(zip(tree.leaves, formats, strict=True))
    return {
        name: tree.like([first_part(tree.backend, name, p, f) for p, f in rows])
        for name, (_, there) in parts_of(adam).items()
        if there
    }


def read_parts(tree: ParamTree, state: AdamState) -> dict[str, list[Any]]:
    """Return the leaves of the parts that a state has, by name."""
    return {
        name: tree.match(part, f"state.{name}", StateError)
        for name, part in zip(PARTS, READ_PARTS(state), strict=True)
        if part is not None
    }


def step(
    adam: AdamConfig,
    params: Tree,
    grads: Tree,
    state: AdamState,
    lr: Scalar | Schedule,
    present: Tree,
    donate: bool,
    hyper: Mapping[str, Scalar] | None = None,
    loss_scale: LossScale | None = None,
) -> tuple[Tree, AdamState]:
    """Make one update: see :meth:`adamcore.Adam.step`.

    Args:
        hyper: this step's values of hyperparameters other than lr, by name: numbers, 0-d arrays, or
            functions of the clock, as a schedule of lr.
        loss_scale: what the gradients were multiplied by, and whether one has overflowed; None for neither.
    """
    cache = None
    if donate and present is None and not hyper and loss_scale is None and has_identity(params):
        cache = cache_of(adam)
        bound = cache.bind(params, grads, state, lr)
        done = None if bound is None else bound()
        if done is not None:
            return done
    tree = ParamTree(params)
    with collection_paused() if tree.large else nullcontext():
        return checked_step(adam, tree, grads, state, lr, present, donate, hyper, cache, loss_scale)


def checked_step(
    adam: AdamConfig,
    tree: ParamTree,
    grads: Tree,
    state: AdamState,
    lr: Scalar | Schedule,
    present: Tree,
    donate: bool,
    hyper: Mapping[str, Scalar] | None,
    cache: StepCache | None,
    loss_scale: LossScale | None = None,
) -> tuple[Tree, AdamState]:
    """Make a step with all checks; leave a cached step in ``cache`` if there can be one."""
    columns, kept, plan = plan_step(adam, tree, grads, state, lr, present, hyper, loss_scale)
    if plan is None:
        return tree.tree, state
    if donate:
        check_apart(tree, plan.indices, plan.jobs)
    results = tree.backend.apply(adam, plan.jobs, donate)
    if isinstance(results, Results) and len(results) == len(tree.leaves):
        new = results.columns
    else:
        new = replaced(columns, plan.indices, results)
    new_params, new_max = tree.like(new.p), None if state.v_max is None else tree.like(new.v_max)
    for name, part in kept.items():
        for i, result in zip(plan.indices, results, strict=True):
            part[i] = getattr(result, name)
    beside = {name: tree.like(part) for name, part in kept.items()}
    new_state = AdamState(plan.t, tree.like(new.m), tree.like(new.v), new_max, plan.mu_product, **beside)
    if cache is not None and plan.cacheable:
        record = StepRecord(tree.backend, plan.jobs, results, new_params, tree.like(columns.g), new_state)
        new_state = cache.remember(adam, record)
    return new_params, new_state


def plan_step(
    adam: AdamConfig,
    tree: ParamTree,
    grads: Tree,
    state: AdamState,
    lr: Scalar | Schedule = None,
    present: Tree = None,
    hyper: Mapping[str, Scalar] | None = None,
    loss_scale: LossScale | None = None,
) -> tuple[Columns, dict[str, list[Any]], StepPlan | None]:
    """Return the arrays of a step, all checked, and its jobs; no jobs if a gradient has overflowed.

    Returns:
        The arrays of all leaves; the parts that the state has besides, by name; and the plan.
    """
    tree.check_parameters()
    check_parts(adam, state)
    gs = tree.match(grads, "grads")
    ms, vs = tree.match(state.m, "state.m", StateError), tree.match(state.v, "state.v", StateError)
    maxima = [] if state.v_max is None else tree.match(state.v_max, "state.v_max", StateError)
    kept = read_parts(tree, state)
    columns = Columns(tree.leaves, gs, ms, vs, maxima)
    table, ticker = DtypeTable(adam, tree.backend), partial(Ticker, adam, tree.backend, lr, hyper)
    scale, overflow = (None, False) if loss_scale is None else read_loss_scale(loss_scale, tree.backend)
    if overflow is True:
        check_leaves(tree, [None if p is None else table.of(p) for p in tree.leaves], columns)
        return columns, kept, None
    plan = None
    alike = tree.large and present is None and all(x is None for part in kept.values() for x in part)
    if alike and tree.backend.uniform(columns):
        plan = uniform_jobs(adam, tree, columns, table, ticker, state)
    if plan is None:
        plan = jobs_of_leaves(adam, tree, columns, kept, table, ticker, state, present)
    if scale is not None:
        plan = plan._replace(jobs=[unscaled(tree.backend, job, scale) for job in plan.jobs])
    if overflow is not False:
        plan = unless(overflow, adam, plan, ticker(), state, tree)
    return columns, kept, plan


class LossScale(NamedTuple):
    """What the caller says of the loss scale of a step."""

    grad_scale: Scalar | None  #: what the gradients were multiplied by; None for 1
    found_inf: Any  #: True, or not 0, if the step is to be skipped; a 0-d array may be traced

    @property
    def skipped(self) -> Any:
        """``found_inf``, which is False where it is not given."""
        return False if self.found_inf is None else self.found_inf


def read_loss_scale(given: LossScale, backend: Backend) -> tuple[Scalar | None, bool | Array]:
    """Return the scale, checked, and whether the step is skipped: a bool, or an array that is traced.

    Raises:
        HyperparameterError: the scale is no number > 0, or the flag no boolean, number or 0-d array.
    """
    scale, flag = given
    if scale is not None:
        value = known("grad_scale", scale, backend)
        if value == 0.0:
            raise HyperparameterError(
                "grad_scale=0.0: expected a number > 0, by which gradients are divided; leave it out for 1"
            )
        scale = scale if value is None else value
    if flag is None or isinstance(flag, bool | int | float):
        return scale, bool(flag)
    if not hasattr(flag, "dtype") or tuple(flag.shape) != ():
        came = f"an array of shape {tuple(flag.shape)}" if hasattr(flag, "shape") else type(flag).__name__
        raise HyperparameterError(f"found_inf is {came}: expected a boolean, a number or a 0-d array")
    value = backend.host(flag) if backend.owns(flag) else flag.item()
    return scale, (flag != 0 if value is None else bool(value))


def unscaled(backend: Backend, job: Job, scale: Scalar) -> Job:
    """Return a job with its gradient divided by the scale, in the dtype of arithmetic (SCALE.1)."""
    with backend.scope():
        return job._replace(g=backend.divided(job.g, scale, job.formats.work))


def unless(
    overflow: Array, adam: AdamConfig, plan: StepPlan, ticker: Ticker, state: AdamState, tree: ParamTree
) -> StepPlan:
    """Return a plan after which all is as before if ``overflow``, which only the program knows (SCALE.2)."""
    keep = ~overflow
    jobs = [job._replace(where=keep if job.where is None else job.where & keep) for job in plan.jobs]

    def chosen(new: Tree, old: Tree, name: str) -> Tree:
        if old is None or adam.clock == "global":
            return ticker.choose(keep, new, old)
        pairs = zip(tree.match(new, name, StateError), tree.match(old, name, StateError), strict=True)
        return tree.like([b if a is b else ticker.choose(keep, a, b) for a, b in pairs])

    return plan._replace(
        jobs=jobs,
        t=chosen(plan.t, state.t, "state.t"),
        mu_product=chosen(plan.mu_product, state.mu_product, "state.mu_product"),
    )


class StepPlan(NamedTuple):
    """The jobs of one step, and the clocks after it."""

    jobs: Sequence[Job]
    indices: Sequence[int]  #: of their leaves
    t: Tree
    mu_product: Tree
    cacheable: bool  #: True if the arrays of the jobs are the caller's own


def jobs_of_leaves(
    adam: AdamConfig,
    tree: ParamTree,
    columns: Columns,
    kept: Mapping[str, Sequence[Any]],
    table: DtypeTable,
    ticker: Callable[[], Ticker],
    state: AdamState,
    present: Tree,
) -> StepPlan:
    """Return a job for each leaf that takes part, with all checks."""
    _, gs, ms, vs, maxima = columns[:5]
    formats: list[Any] = [None if p is None else table.of(p) for p in tree.leaves]
    check_leaves(tree, formats, columns)
    check_kept(tree, formats, kept)
    parts = presence(adam, tree, columns.g, present)
    rows, t, mu_product = tick_all(adam, tree, ticker(), state, parts)
    indices = [i for i, part in enumerate(parts) if not part.absent]
    jobs = [
        Job(p, tree.backend.zeros(p, p.dtype) if part.zero else g, m, v, v_max, row, where_of(part), f)
        for p, g, m, v, v_max, row, part, f in zip(
            tree.leaves, gs, ms, vs, maxima or [None] * len(gs), rows, parts, formats, strict=True
        )
        if not part.absent
    ]
    stored = not adam.p_storage == adam.m_storage == adam.v_storage == "plain"
    if stored and not all(job.formats.plain for job in jobs):
        clocks = [t] * len(gs) if adam.clock == "global" else tree.match(t, "state.t")
        jobs = [
            job if job.formats.plain else stored_job(adam, tree.backend, job, i, clocks[i], kept)
            for i, job in zip(indices, jobs, strict=True)
        ]
    cacheable = len(jobs) > 0 and not any(part.zero for part in parts)
    return StepPlan(jobs, indices, t, mu_product, cacheable)


def stored_job(
    adam: AdamConfig, b: Backend, job: Job, i: int, t: Clock, kept: Mapping[str, Sequence[Any]]
) -> Job:
    """Return the job of leaf ``i`` with what its storage needs; ``t`` is the clock after its tick."""
    random = job.formats.storage is not None and adam.p_storage == "stochastic"
    parts = {name: part[i] for name, part in kept.items()}
    return job._replace(key=key_at(adam, b, i, t) if random else None, **parts)


def key_at(adam: AdamConfig, b: Backend, leaf: int, t: Clock) -> Key:
    """Return the key of a leaf's random bits in the update that has the clock ``t`` (STORE.7)."""
    known = b.host(t) if hasattr(t, "dtype") else t
    n = b.bits_of_floats()
    assert n is not None  # as adamcore.dtypes has found
    if known is None:
        return key_of(adam.seed, leaf, n.unsigned(t))
    return key_of(adam.seed, leaf, int(known))


def uniform_jobs(
    adam: AdamConfig,
    tree: ParamTree,
    columns: Columns,
    table: DtypeTable,
    ticker: Callable[[], Ticker],
    state: AdamState,
) -> StepPlan | None:
    """Return the jobs of leaves that are alike; None if they have to be looked at one by one."""
    dtype, formats, n = tree.leaves[0].dtype, table.of(tree.leaves[0]), len(tree.leaves)
    if not dtype == formats.m == formats.v or not formats.plain:
        return None
    if adam.clock == "global":
        rows, t, mu_product = tick_all(adam, tree, ticker(), state, [PRESENT])
    else:
        if state.mu_product is not None:
            return None
        ticked = ticker().tick_together(tree.match(state.t, "state.t", StateError))
        if ticked is None:
            return None
        t, rows, mu_product = tree.like(ticked[0]), ticked[1], None
    return StepPlan(UniformJobs(columns, rows, formats), range(n), t, mu_product, True)


def replaced(columns: Columns, indices: Sequence[int], results: Sequence[Result]) -> ResultColumns:
    """Return the arrays of all leaves after a step, of which those at the indices have results."""
    p, _, m, v, v_max = map(list, columns[:5])
    for i, new in zip(indices, results, strict=True):
        p[i], m[i], v[i] = new.p, new.m, new.v
        if v_max:
            v_max[i] = new.v_max
    return ResultColumns(p, m, v, v_max)


def has_identity(params: Tree) -> bool:
    """True if a cached step can recognize its arrays by identity: see ``Backend.identity``."""
    leaf = first(params)
    return (owner(leaf) or backend_for(params)).identity(leaf) is not None


def check_parts(adam: AdamConfig, state: AdamState) -> None:
    """Raise unless the state has exactly the parts that the axes ask for."""
    check_state(state)
    wants = {
        "v_max": ("amsgrad", adam.amsgrad != "none"),
        "mu_product": ("nesterov", adam.nesterov == "dozat"),
        **parts_of(adam),
    }
    for name, (axis, there) in wants.items():
        if there != (getattr(state, name) is not None):
            came, expected = ("None", "a tree") if there else ("there", "None")
            raise StateError(
                f"state.{name} is {came}: expected {expected}, as {axis}={getattr(adam, axis)!r}; make the "
                "state with the init of the Adam that steps"
            )


def check_apart(tree: ParamTree, indices: Sequence[int], jobs: Sequence[Job]) -> None:
    """Raise if two leaves that take part share memory, so that they cannot be stepped in place."""
    columns = columns_of(jobs)
    for name in PARTS:  # a part that a job does not have is its p once more
        parts = [] if isinstance(jobs, UniformJobs) else [getattr(job, name) for job in jobs]
        if any(x is not None for x in parts):
            own = [job.p if x is None else x for job, x in zip(jobs, parts, strict=True)]
            columns = columns._replace(**{name: own})
    found = tree.backend.overlap(columns)
    if found is not None:
        one, other = (tree.path(indices[i]) for i in sorted(found))
        raise TreeError(
            f"{one} and {other}, or gradients and moments of theirs, share memory: expected memory of their "
            "own with donate=True, since in place the step of one would change the other; copy one of "
            "them, or step without donate"
        )


def check_leaves(tree: ParamTree, formats: list[Any], columns: Columns) -> None:
    """Raise unless gradient and state of each leaf fit its parameter.

    The columns are looked at as a whole, since a tree may have 100,000 leaves; if anything differs, the
    leaves are looked at one by one for the message.
    """
    _, gs, ms, vs, maxima = columns[:5]
    if tree.large:
        state = [("m", ms, [f and f.m for f in formats]), ("v", vs, [f and f.v for f in formats])]
        if maxima:
            state.append(("v_max", maxima, state[1][2]))
        if fits_everywhere(tree, gs, state):
            return
    for i, f in enumerate(formats):
        parts = [] if f is None else [("m", ms[i], f.m), ("v", vs[i], f.v)]
        if maxima and f is not None:
            parts.append(("v_max", maxima[i], f.v))
        check_leaf(tree, i, f is not None, gs[i], parts)


def check_kept(tree: ParamTree, formats: Sequence[Any], kept: Mapping[str, Sequence[Any]]) -> None:
    """Raise unless these parts of the state fit the parameters."""
    for name, leaves in kept.items():
        for i, x in enumerate(leaves):
            part = wanted(name, tree.leaves[i], formats[i])
            if part is None or x is None:
                came, expected = ("None", "an array") if x is None else (type(x).__name__, "None")
                misfit = None if x is part else f"{came}: expected {expected}"
            else:
                misfit = differs(tree, x, tree.leaves[i], *part)
            if misfit:
                field = "p_storage" if name == "p_rest" else f"{name[0]}_storage"
                raise StateError(
                    f"{tree.path(i, f'state.{name}')} is {misfit}; this state was made for other parameters "
                    f"or another {field}: make it anew with init"
                )


def fits_everywhere(
    tree: ParamTree, gs: Sequence[Any], state: Sequence[tuple[str, Sequence[Any], list[DType]]]
) -> bool:
    """True if :func:`check_leaf` has nothing against any leaf."""
    b, ps = tree.backend, tree.leaves
    if any(p is None for p in ps):
        return False
    facts = shapes_and_devices(b, ps)
    for _, xs, dtypes in state:
        if not owns_all(b, xs) or [x.dtype for x in xs] != dtypes or shapes_and_devices(b, xs) != facts:
            return False
    pairs = [(p, g) for p, g in zip(ps, gs, strict=True) if g is not None]
    given = [g for _, g in pairs]
    if len(given) < len(ps):
        facts = shapes_and_devices(b, [p for p, _ in pairs])
    return (
        owns_all(b, given)
        and all(g.dtype == p.dtype for p, g in pairs)
        and shapes_and_devices(b, given) == facts
        and not any(map(b.refuse, given))
    )


def shapes_and_devices(b: Backend, xs: Sequence[Array]) -> tuple[list[Any], list[Device]]:
    return [x.shape for x in xs], list(map(b.device, xs))


def check_leaf(
    tree: ParamTree, i: int, has_parameter: bool, g: Any, state: Sequence[tuple[str, Any, DType]]
) -> None:
    """Raise unless gradient and state of one leaf fit its parameter.

    Args:
        tree: the parameters.
        i: the number of the leaf.
        has_parameter: False if None stands there for a parameter.
        g: its gradient, or None.
        state: the name, the array and the dtype of each part of its state.
    """
    p = tree.leaves[i]
    if not has_parameter:
        if g is not None:
            raise GradientError(
                f"{tree.path(i, 'grads')} is {type(g).__name__} where {tree.path(i)} is None: expected None"
            )
        return
    if g is not None:
        misfit = differs(tree, g, p, p.shape, p.dtype) or tree.backend.refuse(g)
        if misfit:
            raise GradientError(
                f"{tree.path(i, 'grads')} is {misfit}; convert the gradient, or give None for an absent one"
            )
    for name, x, dtype in state:
        misfit = differs(tree, x, p, p.shape, dtype)
        if misfit:
            raise StateError(
                f"{tree.path(i, 'state.' + name)} is {misfit}; this state was made for other parameters or "
                "another moment_dtype, m_dtype, v_dtype, m_storage or v_storage: give those that it was made "
                "with, or make it anew with init"
            )


def differs(tree: ParamTree, x: Any, p: Array, shape: Any, dtype: DType) -> str | None:
    """Return how ``x`` differs from an array of this form beside ``p``; None if it does not."""
    b = tree.backend
    if not b.owns(x):
        return f"{type(x).__name__}: expected an array of {b.name}"
    if x.shape != shape:
        return f"of shape {tuple(x.shape)}: expected {tuple(shape)}"
    if x.dtype != dtype:
        return f"of dtype {x.dtype}: expected {dtype}"
    if b.device(x) != b.device(p):
        return f"on device {b.device(x)}: expected {b.device(p)}"
    return None
