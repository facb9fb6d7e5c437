"""The plan of a step: all arrays checked, a job for each leaf that takes part, and the clocks after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from adamcore.clock import Ticker, tick_all
from adamcore.config import AdamConfig, Schedule
from adamcore.dtypes import PARTS, DtypeTable
from adamcore.errors import StateError
from adamcore.jobs import Columns, Job, UniformJobs
from adamcore.presence import PRESENT, presence, where_of
from adamcore.protocol import Backend
from adamcore.state import AdamState
from adamcore.step.checks import check_kept, check_leaves, check_parts
from adamcore.step.clipping import Clip, check_clip, clipped, clips_by_coefficients
from adamcore.step.loss_scale import LossScale, read_loss_scale, unscaled
from adamcore.step.rows import RowPlan, Rows, take_out_rows, with_rows
from adamcore.storage.random_bits import Key, key_of
from adamcore.trees import ParamTree
from adamcore.types import Array, Clock, Scalar, Tree


class StepPlan(NamedTuple):
    """The jobs of one step, and the clocks after it."""

    jobs: Sequence[Job]
    indices: Sequence[int]  #: of their leaves
    t: Tree
    mu_product: Tree
    cacheable: bool  #: True if the arrays of the jobs are the caller's own
    rows: RowPlan | None = None  #: what jobs of some rows alone belong to


def plan_step(
    adam: AdamConfig,
    tree: ParamTree,
    grads: Tree,
    state: AdamState,
    lr: Scalar | Schedule = None,
    present: Tree = None,
    hyper: Mapping[str, Scalar] | None = None,
    loss_scale: LossScale | None = None,
    clip: Clip | None = None,
) -> tuple[Columns, dict[str, list[Any]], StepPlan | None]:
    """Return the arrays of a step, all checked, and its jobs; no jobs if a gradient has overflowed.

    Returns:
        The arrays of all leaves; the parts that the state has besides, by name; and the plan.
    """
    tree.check_parameters()
    check_parts(adam, state)
    gs = tree.match(grads, "grads")
    listed = take_out_rows(tree, gs) if any(type(g) is Rows for g in gs) else {}
    ms, vs = tree.match(state.m, "state.m", StateError), tree.match(state.v, "state.v", StateError)
    maxima = [] if state.v_max is None else tree.match(state.v_max, "state.v_max", StateError)
    if clip is not None:
        check_clip(clip, tree.backend)
    kept = read_parts(tree, state)
    columns = Columns(tree.leaves, gs, ms, vs, maxima)
    table, ticker = DtypeTable(adam, tree.backend), partial(Ticker, adam, tree.backend, lr, hyper)
    scale, overflow = (None, False) if loss_scale is None else read_loss_scale(loss_scale, tree.backend)
    if overflow is True:
        check_leaves(tree, [None if p is None else table.of(p) for p in tree.leaves], columns)
        return columns, kept, None
    plan = None
    alike = (
        tree.large
        and not listed
        and present is None
        and all(x is None for part in kept.values() for x in part)
    )
    if alike and tree.backend.uniform(columns):
        plan = uniform_jobs(adam, tree, columns, table, ticker, state)
    if plan is None:
        plan = jobs_of_leaves(adam, tree, columns, kept, table, ticker, state, present)
    if listed:
        jobs, rows = with_rows(tree.backend, plan.jobs, plan.indices, listed)
        plan = plan._replace(jobs=jobs, rows=rows, cacheable=False)
    if scale is not None:
        plan = plan._replace(jobs=[unscaled(tree.backend, job, scale) for job in plan.jobs])
    if clip is not None:
        clipped_jobs = clipped(adam, tree.backend, plan.jobs, clip)
        cacheable = plan.cacheable and clips_by_coefficients(clipped_jobs)
        plan = plan._replace(jobs=clipped_jobs, cacheable=cacheable)
    if overflow is not False:
        plan = unless(overflow, adam, plan, ticker(), state, tree)
    return columns, kept, plan


def read_parts(tree: ParamTree, state: AdamState) -> dict[str, list[Any]]:
    """Return the leaves of the parts that a state has, by name."""
    parts = [(name, getattr(state, name)) for name in PARTS]  # no attrgetter, which Dynamo does not take
    return {name: tree.match(part, f"state.{name}", StateError) for name, part in parts if part is not None}


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
    gs, ms, vs, maxima = columns.g, columns.m, columns.v, columns.v_max
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
        numbers = tree.numbers() if any(job.formats.draws for job in jobs) else ()
        jobs = [
            job if job.formats.plain else stored_job(adam, tree.backend, job, i, numbers, clocks[i], kept)
            for i, job in zip(indices, jobs, strict=True)
        ]
    cacheable = len(jobs) > 0 and not any(part.zero for part in parts)
    return StepPlan(jobs, indices, t, mu_product, cacheable)


def stored_job(
    adam: AdamConfig,
    b: Backend,
    job: Job,
    i: int,
    numbers: Sequence[int],
    t: Clock,
    kept: Mapping[str, Sequence[Any]],
) -> Job:
    """Return the job of leaf ``i`` with what its storage needs.

    Args:
        numbers: of the leaves, for their random bits (:meth:`ParamTree.numbers`).
        t: the leaf's clock after its tick.
    """
    parts = {name: part[i] for name, part in kept.items()}
    return job._replace(key=key_at(adam, b, numbers[i], t) if job.formats.draws else None, **parts)


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
