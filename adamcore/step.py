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
from typing import Any

from adamcore.clock import Ticker, tick_all
from adamcore.config import AdamConfig, Schedule
from adamcore.dtypes import DtypeTable
from adamcore.errors import GradientError, StateError, TreeError
from adamcore.presence import presence
from adamcore.protocol import Backend, Columns, Job, StepRecord
from adamcore.registry import backend_for, first, owner
from adamcore.state import AdamState, check_state
from adamcore.step_cache import StepCache, cache_of
from adamcore.trees import ParamTree, collection_paused
from adamcore.types import Array, Device, DType, Scalar, Tree


def init(adam: AdamConfig, params: Tree) -> AdamState:
    """Return the state before the first step: see :meth:`adamcore.Adam.init`."""
    tree = ParamTree(params)
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
    )


def step(
    adam: AdamConfig,
    params: Tree,
    grads: Tree,
    state: AdamState,
    lr: Scalar | Schedule,
    present: Tree,
    donate: bool,
    hyper: Mapping[str, Scalar] | None = None,
) -> tuple[Tree, AdamState]:
    """Make one update: see :meth:`adamcore.Adam.step`.

    Args:
        hyper: this step's values of hyperparameters other than lr, by name: numbers, 0-d arrays, or
            functions of the clock, as a schedule of lr.
    """
    cache = None
    if donate and present is None and not hyper and has_identity(params):
        cache = cache_of(adam)
        bound = cache.bind(params, grads, state, lr)
        done = None if bound is None else bound()
        if done is not None:
            return done
    tree = ParamTree(params)
    with collection_paused() if tree.large else nullcontext():
        return checked_step(adam, tree, grads, state, lr, present, donate, hyper, cache)


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
) -> tuple[Tree, AdamState]:
    """Make a step with all checks; leave a cached step in ``cache`` if there can be one."""
    tree.check_parameters()
    check_parts(adam, state)
    gs = tree.match(grads, "grads")
    ms, vs = tree.match(state.m, "state.m", StateError), tree.match(state.v, "state.v", StateError)
    maxima = [None] * len(gs) if state.v_max is None else tree.match(state.v_max, "state.v_max", StateError)
    table = DtypeTable(adam, tree.backend)
    formats: list[Any] = [None if p is None else table.of(p) for p in tree.leaves]
    check_leaves(tree, formats, gs, ms, vs, None if state.v_max is None else maxima)
    parts = presence(adam, tree, gs, present)

    ticker = Ticker(adam, tree.backend, lr, hyper)
    rows, t, mu_product = tick_all(adam, tree, ticker, state, parts)
    indices = [i for i, part in enumerate(parts) if not part.absent]
    jobs = [
        Job(p, tree.backend.zeros(p, p.dtype) if part.zero else g, m, v, v_max, row, part.where, f)
        for p, g, m, v, v_max, row, part, f in zip(
            tree.leaves, gs, ms, vs, maxima, rows, parts, formats, strict=True
        )
        if not part.absent
    ]
    if donate:
        check_apart(tree, indices, jobs)
    new_p = list(tree.leaves)
    results = tree.backend.apply(adam, jobs, donate)
    for i, new in zip(indices, results, strict=True):
        new_p[i], ms[i], vs[i], maxima[i] = new
    new_params, new_max = tree.like(new_p), None if state.v_max is None else tree.like(maxima)
    new_state = AdamState(t, tree.like(ms), tree.like(vs), new_max, mu_product)
    if cache is not None and jobs and not any(part.zero for part in parts):
        record = StepRecord(tree.backend, jobs, results, new_params, tree.like(gs), new_state)
        new_state = cache.remember(adam, record)
    return new_params, new_state


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
    }
    for name, (axis, wanted) in wants.items():
        if wanted != (getattr(state, name) is not None):
            came, expected = ("None", "a tree") if wanted else ("there", "None")
            raise StateError(
                f"state.{name} is {came}: expected {expected}, as {axis}={getattr(adam, axis)!r}; make the "
                "state with the init of the Adam that steps"
            )


def check_apart(tree: ParamTree, indices: list[int], jobs: list[Job]) -> None:
    """Raise if two leaves that take part share memory, so that they cannot be stepped in place."""
    maxima = [] if not jobs or jobs[0].v_max is None else [job.v_max for job in jobs]
    p, g, m, v = ([getattr(job, name) for job in jobs] for name in ("p", "g", "m", "v"))
    found = tree.backend.overlap(Columns(p, g, m, v, maxima))
    if found is not None:
        one, other = (tree.path(indices[i]) for i in sorted(found))
        raise TreeError(
            f"{one} and {other}, or gradients and moments of theirs, share memory: expected memory of their "
            "own with donate=True, since in place the step of one would change the other; copy one of "
            "them, or step without donate"
        )


def check_leaves(
    tree: ParamTree, formats: list[Any], gs: list[Any], ms: list[Any], vs: list[Any], maxima: list[Any] | None
) -> None:
    """Raise unless gradient and state of each leaf fit its parameter; ``maxima`` is None without AMSGrad.

    The columns are looked at as a whole, since a tree may have 100,000 leaves; if anything differs, the
    leaves are looked at one by one for the message.
    """
    state = [("m", ms, [f and f.m for f in formats]), ("v", vs, [f and f.v for f in formats])]
    if maxima is not None:
        state.append(("v_max", maxima, state[1][2]))
    if tree.large and fits_everywhere(tree, gs, state):
        return
    for i, f in enumerate(formats):
        check_leaf(tree, i, f is not None, gs[i], [(name, xs[i], dtypes[i]) for name, xs, dtypes in state])


def fits_everywhere(
    tree: ParamTree, gs: list[Any], state: Sequence[tuple[str, list[Any], list[DType]]]
) -> bool:
    """True if :func:`check_leaf` has nothing against any leaf."""
    b, ps = tree.backend, tree.leaves
    if any(p is None for p in ps):
        return False
    facts = shapes_and_devices(b, ps)
    for _, xs, dtypes in state:
        if not all(map(b.owns, xs)) or [x.dtype for x in xs] != dtypes or shapes_and_devices(b, xs) != facts:
            return False
    pairs = [(p, g) for p, g in zip(ps, gs, strict=True) if g is not None]
    given = [g for _, g in pairs]
    if len(given) < len(ps):
        facts = shapes_and_devices(b, [p for p, _ in pairs])
    return (
        all(map(b.owns, given))
        and all(g.dtype == p.dtype for p, g in pairs)
        and shapes_and_devices(b, given) == facts
        and not any(map(b.refuse, given))
    )


def shapes_and_devices(b: Backend, xs: list[Array]) -> tuple[list[Any], list[Device]]:
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
        misfit = differs(tree, g, p, p.dtype) or tree.backend.refuse(g)
        if misfit:
            raise GradientError(
                f"{tree.path(i, 'grads')} is {misfit}; convert the gradient, or give None for an absent one"
            )
    for name, x, dtype in state:
        misfit = differs(tree, x, p, dtype)
        if misfit:
            raise StateError(
                f"{tree.path(i, 'state.' + name)} is {misfit}; this state was made for other parameters or "
                "another moment_dtype, m_dtype or v_dtype: make it anew with init"
            )


def differs(tree: ParamTree, x: Any, p: Array, dtype: DType) -> str | None:
    """Return how ``x`` differs from an array of this dtype that fits ``p``; None if it does not."""
    b = tree.backend
    if not b.owns(x):
        return f"{type(x).__name__}: expected an array of {b.name}"
    if x.shape != p.shape:
        return f"of shape {tuple(x.shape)}: expected {tuple(p.shape)}"
    if x.dtype != dtype:
        return f"of dtype {x.dtype}: expected {dtype}"
    if b.device(x) != b.device(p):
        return f"on device {b.device(x)}: expected {b.device(p)}"
    return None
