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

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from adamcore.clock import Tick, Ticker
from adamcore.config import AdamConfig, Schedule
from adamcore.dtypes import DtypeTable
from adamcore.errors import GradientError, MissingGradientError, StateError, TreeError
from adamcore.presence import Participation, presence
from adamcore.protocol import Columns, Job, LeafDtypes, StepRecord
from adamcore.registry import PLAIN, backend_for, first, owner
from adamcore.state import AdamState, check_state
from adamcore.step_cache import cache_of
from adamcore.trees import ParamTree
from adamcore.types import Array, Clock, DType, Scalar, Tree


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
        like = first_parameter(tree)
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
    tree.check_parameters()
    check_parts(adam, state)
    gs = tree.match(grads, "grads")
    ms, vs = tree.match(state.m, "state.m", StateError), tree.match(state.v, "state.v", StateError)
    maxima = [None] * len(gs) if state.v_max is None else tree.match(state.v_max, "state.v_max", StateError)
    table = DtypeTable(adam, tree.backend)
    formats: list[Any] = [None if p is None else table.of(p) for p in tree.leaves]
    for i, f in enumerate(formats):
        check_leaf(tree, i, f, gs[i], ms[i], vs[i], maxima[i], state.v_max is not None)
    parts = presence(adam, tree, gs, present)

    ticker = Ticker(adam, tree.backend, lr, hyper)
    ticks, t, mu_product = tick_all(adam, tree, ticker, state, parts)
    indices = [i for i, part in enumerate(parts) if not part.absent]
    jobs = [
        job(tree, tree.leaves[i], gs[i], ms[i], vs[i], maxima[i], ticks[i], parts[i], formats[i])
        for i in indices
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


def first_parameter(tree: ParamTree) -> Array | None:
    """Return the first parameter, or None if there is none.

    It is a loop for the sake of torch.compile: PyTorch 2.7 does not trace `next` with a default.
    """
    for p in tree.leaves:
        if p is not None:
            return p
    return None


def has_identity(params: Tree) -> bool:
    """True if a cached step can recognize its arrays by identity: see ``Backend.identity``."""
    leaf = first(params)
    return (owner(leaf) or backend_for(params)).identity(leaf) is not None


def job(
    tree: ParamTree,
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    v_max: Any,
    tick: Tick,
    part: Participation,
    formats: LeafDtypes,
) -> Job:
    """Return the job of one leaf that takes part."""
    if part.zero:
        g = tree.backend.zeros(p, p.dtype)
    where = part.mask if part.flag is None else part.flag
    return Job(p, g, m, v, v_max, tick.coefficients, where, formats)


def tick_all(
    adam: AdamConfig, tree: ParamTree, ticker: Ticker, state: AdamState, parts: list[Participation]
) -> tuple[list[Any], Tree, Tree]:
    """Return the tick of each leaf, and the state's new t and mu_product (CLK.1, CLK.4, F1, F3, F6)."""
    n = len(parts)
    if adam.clock == "per-parameter":
        ts = tree.match(state.t, "state.t", StateError)
        products = [None] * n
        if state.mu_product is not None:
            products = tree.match(state.mu_product, "state.mu_product", StateError)
        ticks: list[Any] = [None] * n
        for i, part in enumerate(parts):
            if part.absent:
                continue
            path = partial(tree.path, i, "state.t")
            tick = ticks[i] = ticker.tick(ts[i], products[i], tree.leaves[i], path)
            ts[i], products[i] = select(ticker, part.flag, tick, ts[i], products[i])
        return ticks, tree.like(ts), None if state.mu_product is None else tree.like(products)

    t, product = state.t, state.mu_product
    like = first_parameter(tree)
    if like is None:
        return [None] * n, t, product
    if isinstance(t, PLAIN):
        raise StateError(
            f"state.t is a {type(t).__name__}: expected one clock, as clock='global'; this state was made "
            "with clock='per-parameter': make it anew with init"
        )
    tick = ticker.tick(t, product, like, lambda: "state.t")
    ticks = [tick] * n
    if any(not part.absent and part.flag is None for part in parts) or adam.all_missing == "tick":
        return ticks, tick.t, tick.mu_product
    flags = [part.flag for part in parts if part.flag is not None]
    if flags:  # only the program knows whether all are absent
        if adam.all_missing == "error":
            return ticks, tick.t, tick.mu_product
        any_present = flags[0]
        for flag in flags[1:]:
            any_present = any_present | flag
        return ticks, *select(ticker, any_present, tick, t, product)
    if adam.all_missing == "error":
        raise MissingGradientError(
            "every gradient is absent: expected at least one, as all_missing='error' with clock='global'; "
            "skip the step, or choose all_missing='tick' or 'hold'"
        )
    return ticks, t, product


def select(ticker: Ticker, flag: Array | None, tick: Tick, t: Clock, product: Scalar) -> tuple[Clock, Scalar]:
    """Return clock and product after a tick that happens only if ``flag`` is True (or None)."""
    if flag is None:
        return tick.t, tick.mu_product
    return ticker.choose(flag, tick.t, t), ticker.choose(flag, tick.mu_product, product)


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


def check_leaf(
    tree: ParamTree, i: int, f: LeafDtypes | None, g: Any, m: Any, v: Any, v_max: Any, has_max: bool
) -> None:
    """Raise unless gradient and state of one leaf fit its parameter."""
    p = tree.leaves[i]
    if f is None:
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
    for name, x, dtype in (("m", m, f.m), ("v", v, f.v)) + ((("v_max", v_max, f.v),) if has_max else ()):
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
