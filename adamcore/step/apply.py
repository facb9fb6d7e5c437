"""A step of a whole tree: the cached step if there is one, else the plan carried out by the backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from adamcore.config import AdamConfig, Schedule
from adamcore.jobs import Columns, Result, ResultColumns, Results
from adamcore.protocol import StepRecord
from adamcore.registry import backend_for, first, owner
from adamcore.state import AdamState, PackedTree
from adamcore.step.checks import check_apart
from adamcore.step.clipping import Clip
from adamcore.step.loss_scale import LossScale
from adamcore.step.plan import plan_step
from adamcore.step.rows import put_back
from adamcore.step_cache import StepCache, cache_of
from adamcore.trees import ParamTree, collection_paused
from adamcore.types import Scalar, Tree


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
    clip: Clip | None = None,
) -> tuple[Tree, AdamState]:
    """Make one update: see :meth:`adamcore.Adam.step`.

    Args:
        hyper: this step's values of hyperparameters other than lr, by name: numbers, 0-d arrays, or
            functions of the clock, as a schedule of lr.
        loss_scale: what the gradients were multiplied by, and whether one has overflowed; None for neither.
        clip: how the gradients are clipped; None if they are not.
    """
    cache = None
    plain = present is None and not hyper and loss_scale is None and (clip is None or isinstance(clip, Clip))
    if donate and plain:
        cache = cache_of(adam)
        bound = cache.bind(params, grads, state, lr, clip)
        done = None if bound is None else bound()
        if done is not None:
            return done
        if not has_identity(params):
            cache = None
    if isinstance(m := getattr(state, "m", None), PackedTree):
        return m.step(adam, params, grads, state, lr, present, donate, hyper, loss_scale, clip)
    tree = ParamTree(params)
    with collection_paused() if tree.large else nullcontext():
        return checked_step(adam, tree, grads, state, lr, present, donate, hyper, cache, loss_scale, clip)


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
    clip: Clip | None = None,
) -> tuple[Tree, AdamState]:
    """Make a step with all checks; leave a cached step in ``cache`` if there can be one."""
    columns, kept, plan = plan_step(adam, tree, grads, state, lr, present, hyper, loss_scale, clip)
    if plan is None:
        return tree.tree, state
    if donate:
        check_apart(tree, plan.indices, plan.jobs if plan.rows is None else plan.rows.whole)
    results = tree.backend.apply(adam, plan.jobs, donate)
    if plan.rows is not None:
        results = put_back(tree.backend, results, plan.rows, donate)
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


def replaced(columns: Columns, indices: Sequence[int], results: Sequence[Result]) -> ResultColumns:
    """Return the arrays of all leaves after a step, of which those at the indices have results."""
    p, m, v, v_max = map(list, (columns.p, columns.m, columns.v, columns.v_max))
    for i, new in zip(indices, results, strict=True):
        p[i], m[i], v[i] = new.p, new.m, new.v
        if v_max:
            v_max[i] = new.v_max
    return ResultColumns(p, m, v, v_max)


def has_identity(params: Tree) -> bool:
    """True if a cached step can recognize its arrays by identity: see ``Backend.identity``."""
    leaf = first(params)
    return (owner(leaf) or backend_for(params)).identity(leaf) is not None
