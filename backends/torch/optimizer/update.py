"""One step of one parameter group: tick its clocks, and hand its jobs to the backend at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch import nvrtc, shards
from adamcore.backends.torch.backend import PLAIN, TorchBackend, backend
from adamcore.backends.torch.optimizer import sparse
from adamcore.backends.torch.optimizer.clipping import Factors, clipped_jobs
from adamcore.backends.torch.optimizer.group_keys import OWN, Group
from adamcore.backends.torch.optimizer.param_groups import NUMBERS, number_of
from adamcore.backends.torch.optimizer.state import GroupState
from adamcore.backends.torch.rows import RECORDED_ROWS
from adamcore.clock import Tick, Ticker
from adamcore.coefficients import MAX_CLOCK, Given
from adamcore.definition import Coefficients
from adamcore.dtypes import DtypeTable
from adamcore.jobs import Job, Result
from adamcore.protocol import RowFunctions
from adamcore.step import Clip, key_at
from adamcore.step.rows import RowPlan, job_of_rows, put_back
from adamcore.types import Array

TERMS = ("eps_root", "weight_decay")  #: numbers without which the update has a term less


class Recording(TorchBackend):
    """PyTorch with the step recorded for autograd."""

    fast = None

    def host(self, x: Array) -> Any:
        return None if x.requires_grad else super().host(x)

    def tick_each_on_device(self, *_: Any) -> None:
        return None

    def scope(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def rows(self) -> RowFunctions:
        return RECORDED_ROWS


recording = Recording()


def update_group(
    core: Core,
    group: Group,
    gathered: GroupState,
    scale: Any,
    skipped: Any,
    lr: Any,
    lazy: bool,
    clip: Clip | None = None,
    factors: Factors | None = None,
) -> tuple[list[Job], Sequence[Result]]:
    """Step a group in place; with ``differentiable`` the moments are new ones in the results.

    Parameters with rows that a sparse gradient does not list are stepped as those rows alone.

    Args:
        core: the group's Adam, in a compiled step as :func:`settle` leaves it.
        group: its settings.
        gathered: the parameters that take part, and their state.
        scale: the factor that the gradients carry, a tensor of one element; None for 1.
        lr: the group's learning rate, a number or a tensor of one element.
        skipped: a 0-d boolean that only the program knows, True if nothing may move; or None.
        lazy: True if the rows that a sparse gradient does not list stay as they are.
        clip: how the gradients are clipped; None if they are not.
        factors: what they are multiplied by for that.

    Returns:
        The jobs of the step, and their results.
    """
    differentiable = group["differentiable"]
    whole = gathered
    if not differentiable:
        gathered = parts_of(gathered)
    by = recording if differentiable else backend
    ticker = Ticker(core, by, number_of(lr))
    like = gathered.params[0] if gathered.params else group["params"][0]
    coefficients = tick_all(ticker, gathered, like, skipped)
    if core.clock == "global":
        coefficients = coefficients * len(gathered.params)

    table = DtypeTable(core, backend)
    jobs: list[Job] = []
    whole_jobs: list[Job] = []
    places: dict[int, Any] = {}
    for i, p in enumerate(gathered.params):
        g = torch.zeros_like(p) if gathered.grads[i] is None else gathered.grads[i]
        g = g if scale is None else sparse.unscaled(g, scale)
        formats, key = table.of(whole.params[i]), None
        if formats.draws:
            clock = gathered.clocks[0 if core.clock == "global" else i]
            key = key_at(core, backend, gathered.numbers[i], clock)
            if p is not whole.params[i]:
                key = key._replace(elements=shards.element_numbers(whole.params[i]))
        if not lazy:
            g = sparse.densified(g)
        if differentiable:
            p = p.clone()  # p is written to below, which must not touch what was recorded
        where = None if skipped is None else ~skipped.to(p.device)
        arrays = (p, g, gathered.ms[i], gathered.vs[i], gathered.maxima[i])
        scales = gathered.m_scales[i], gathered.v_scales[i], gathered.v_max_scales[i]
        job = Job(*arrays, coefficients[i], where, formats, gathered.rests[i], key, *scales)
        whole_jobs.append(job)
        if g.layout is not torch.strided:
            places[i], g = sparse.listed(g)
            job = job_of_rows(by, job, places[i], g)
        jobs.append(job)

    if clip is not None and factors is not None:
        with backend.scope():
            jobs = list(clipped_jobs(core, jobs, clip, factors))
    results = by.apply(core, jobs, not differentiable)
    if places:
        results = put_back(by, results, RowPlan(places, whole_jobs), not differentiable)
    for p, job, new in zip(gathered.params, whole_jobs, results, strict=True):
        if differentiable:
            p.copy_(new.p)
        else:
            for name, new_x in zip(Result._fields, new, strict=True):
                old_x = getattr(job, name)
                if new_x is not old_x:
                    old_x.copy_(new_x)
    if whole is not gathered:
        shards.mark_written(whole.params)
    return jobs, results


def parts_of(gathered: GroupState) -> GroupState:
    """Return the state of the parts that are here, if parameters are sharded; else the same."""
    if torch.compiler.is_compiling() or not shards.any_sharded(gathered.params):
        return gathered
    for p in filter(shards.is_sharded, gathered.params):
        shards.check_parameter(p, "a parameter")
    return GroupState(*([*map(shards.local, column)] for column in gathered))


def with_inputs(core: Core, group: Group) -> Core:
    """Return an Adam whose numbers, those of its group, :func:`settle` sets inside a compiled step.

    Those of :data:`TERMS` that are 0 stay 0, because the update has no such term then.  Adams that differ
    in other numbers alone have the same ``repr``.
    """
    copy = replace(core)
    for name in ("b1", "b2", *(name for name in NUMBERS if name in group)):
        if name not in TERMS or getattr(core, name):
            object.__setattr__(copy, name, Given(None))
    return copy


def settle(core: Any, group: Group, like: torch.Tensor) -> Any:
    """Return the learning rate of a compiled step, which depends on the numbers of its group.

    torch.compile compiles a step again only if something is not as it was that the traced step has looked at.

    Args:
        core: the group's Adam.  That of :func:`with_inputs` is given the numbers as 0-d tensors, so that
            other numbers need no other program.
    """
    for name in OWN:
        if name in group and name not in NUMBERS:
            _ = group[name]
    b1, b2 = group["betas"]
    numbers = {"b1": b1, "b2": b2, **{name: group[name] for name in NUMBERS if name in group}}
    lr = group["lr"]
    if not isinstance(core.b1, Given):
        for name, value in numbers.items():
            if value != getattr(core, name):  # never; to have looked is enough
                raise AssertionError(name)
        return lr
    dtype = backend.coefficient_dtype(like)
    for name, value in numbers.items():
        if isinstance(value, torch.Tensor):
            getattr(core, name).value = value.detach().reshape(()).to(dtype)
        elif name not in TERMS or value:
            getattr(core, name).value = backend.full(value, dtype, like)
    return lr if isinstance(lr, torch.Tensor) else backend.full(lr, dtype, like)


def tick_all(ticker: Ticker, gathered: GroupState, like: Any, skipped: Any) -> list[Coefficients]:
    """Tick each clock in place; return for each the coefficients of its update."""
    compiling = torch.compiler.is_compiling()
    if not compiling and gathered.clocks and not readable(gathered.clocks[0]):
        at_once = ticker.tick_on_device(gathered.clocks, gathered.products, like, clock_path)
        if at_once is not None:
            write_all(gathered, at_once, skipped)
            return [tick.coefficients for tick in at_once]
    known: dict[Any, Tick] = {}
    ticks: list[Tick] = []
    for clock, product in zip(gathered.clocks, gathered.products, strict=True):
        if compiling or not readable(clock):
            tick = ticker.tick(clock, product, like, clock_path)
        else:
            key = (clock.item(), None if product is None else product.item())
            if key not in known:
                known[key] = ticker.tick(*key, like, clock_path)
            tick = known[key]
        ticks.append(tick)
    plain = len(known) == 1 and skipped is None and gathered.products[0] is None
    if plain and next(iter(known.values())).t < MAX_CLOCK and all(map(readable, gathered.clocks)):
        torch._foreach_add_(gathered.clocks, 1)  # the usual case: all at one count, known to the host
    else:
        write_all(gathered, ticks, skipped)
    return [tick.coefficients for tick in ticks]


def write_all(gathered: GroupState, ticks: Sequence[Tick], skipped: torch.Tensor | None) -> None:
    """Write the next values of all clocks and products, except where the step is skipped."""
    if skipped is None and all(isinstance(tick.t, torch.Tensor) for tick in ticks):
        torch._foreach_copy_(gathered.clocks, [tick.t for tick in ticks])
        if gathered.products[0] is not None:
            torch._foreach_copy_(gathered.products, [tick.mu_product for tick in ticks])
        return
    for clock, product, tick in zip(gathered.clocks, gathered.products, ticks, strict=True):
        write(clock, tick.t, skipped)
        if product is not None:
            write(product, tick.mu_product, skipped)


def readable(clock: torch.Tensor) -> bool:
    """True if the host can read a clock without waiting; a fake tensor, for one, has no value to read."""
    return nvrtc.on_host(clock) and type(clock) in PLAIN


def clock_path() -> str:
    """Return the path of a clock, for messages."""
    return "state[...]['step']"


def write(old: torch.Tensor, new: Any, skipped: torch.Tensor | None) -> None:
    """Write a clock's next value, except where the step is skipped."""
    if not isinstance(new, torch.Tensor):
        new = torch.full((), new, dtype=old.dtype, device=old.device)
    if skipped is not None:
        new = torch.where(skipped.to(old.device), old, new)
    old.copy_(new)
