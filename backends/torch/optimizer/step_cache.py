"""Cached steps of a `torch.optim.Optimizer`: the step of a parameter group, whose checks were done once.

To gather a group's state and check it takes longer than to step many small tensors.  So a step leaves
a cached step behind, and the next step asks, at little cost, whether everything is still as it was:

* the parameters of the group, the frozen ones, and which have a gradient;
* the settings, of which the group's Adam is made anew;
* the optimizer's state: whose it is, and that the dictionaries and the tensors in them are the same objects;
* the tensors, whose `.data` may have been replaced: addresses, shapes, strides, dtypes, devices.

Any difference takes the step with all checks, which knows all the errors and leaves a new cached step.
Of gradients nothing is kept but their layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ctypes import addressof, c_double
from functools import partial
from itertools import chain, compress, repeat
from operator import attrgetter, is_, is_not, itemgetter
from typing import Any

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch import fast, nvrtc, shards
from adamcore.backends.torch.backend import PLAIN, backend
from adamcore.backends.torch.cuda import DeviceClockStep
from adamcore.backends.torch.cuda_devices import DeviceClockSteps
from adamcore.backends.torch.optimizer.clock_cells import Clocks
from adamcore.backends.torch.optimizer.group_keys import Group
from adamcore.backends.torch.optimizer.param_groups import core_of, number_of, settings_of
from adamcore.backends.torch.optimizer.state import FIELDS, REST, SCALES, GroupState, State
from adamcore.backends.torch.optimizer.versions import DictVersions
from adamcore.backends.torch.uniform import wrapped
from adamcore.clock import Ticker
from adamcore.coefficients import MAX_CLOCK
from adamcore.definition import Coefficients
from adamcore.errors import AdamcoreError
from adamcore.jobs import Columns, Job, columns_of_nine
from adamcore.protocol import ColumnStep
from adamcore.step.clipping import scaled_rows
from adamcore.step_cache import FEW, clips_of, identities
from adamcore.tracing import formula

GRAD: Any = attrgetter("grad")
PATTERNS = 4  #: cached steps of one group, for different sets of parameters that have a gradient
INFINITE = float("inf")


Run = Callable[[Sequence[float]], None]
"""Makes a step, of gradients that are clipped by these numbers: one for each gradient, or one for all."""


class StepCache:
    """The cached steps of one optimizer; it is never copied or saved with the optimizer."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self.rules = rules  # what the groups leave out
        self.steps: dict[tuple[int, bytes], GroupStep] = {}  # by group, and which gradients are there
        self.latest: dict[int, GroupStep] = {}  # of each group
        self.sharded = False  # whether a cached step is of sharded parameters
        self.state: Any = None  # the optimizer's state:
        self.keys: list[Any] = []  # whose it is,
        self.entries: list[Any] = []  # the dictionaries,
        self.versions = DictVersions(())  # and whether one of all of these was changed
        self.stamp: int | None = None

    def bind(
        self,
        groups: Sequence[Group],
        state: State,
        scale: Any,
        found_inf: Any,
        clips: str | None = None,
    ) -> dict[int, Run]:
        """Return, for the groups whose cached step fits, a function that makes the step.

        Nothing is changed until the functions are called.

        Args:
            groups: of the optimizer.
            state: its state.
            scale: the factor that the gradients carry, a tensor of one element; None for 1.
            found_inf: a tensor of one element that the host does not see; unless it is 0, nothing may move.
            clips: the coefficient by which gradients are clipped; None if they are not.

        Raises:
            HyperparameterError, AxisError: a setting was changed to one without a meaning.
        """
        if not self.steps or not self.is_known(state):
            return {}
        found = {}
        for i, group in enumerate(groups):
            grads = list(map(GRAD, group["params"]))
            cached = self.latest.get(i)
            run = None
            if cached is not None and cached.clips != clips:
                self.steps, self.latest = {}, {}
                return {}
            if cached is not None and cached.whole:  # it finds out that a gradient is absent
                try:
                    run = self.bind_group(cached, groups, i, grads, scale, found_inf)
                except AdamcoreError:
                    if all(map(is_not, grads, repeat(None))):  # else no step of these parameters was asked
                        raise
            if run is None:
                other = self.steps.get((i, pattern(grads)))
                if other is None or (other is cached and cached.whole):
                    continue
                run = self.bind_group(other, groups, i, grads, scale, found_inf)
            if run is not None:
                found[i] = run
        return found

    def bind_group(
        self, cached: GroupStep, groups: Sequence[Group], i: int, grads: list[Any], scale: Any, found_inf: Any
    ) -> Run | None:
        """Return the function that makes the step of group ``i``; None if the cached step does not fit."""
        if scale is not None and cached.narrow:
            return None
        if cached.start is not None and cached.start != sum(len(each["params"]) for each in groups[:i]):
            return None
        run = cached.bind(groups[i], self.rules, grads, found_inf, self.stamp)
        if run is None:
            return None
        self.latest[i] = cached
        if scale is not None:
            run = partial(unscale_and_run, list(compress(grads, cached.taking_part)), scale, run)
        return run

    def grads(self, i: int, group: Group) -> list[Any]:
        """Return the gradients that take part in the step that was bound for group ``i``."""
        return list(compress(map(GRAD, group["params"]), self.latest[i].taking_part))

    def is_known(self, state: State) -> bool:
        """True if the optimizer's state has the parameters and the dictionaries that it had."""
        stamp = self.versions.stamp() if state is self.state else None
        if stamp is None or stamp != self.stamp:
            if not same(state, self.keys) or not same(state.values(), self.entries):
                self.steps, self.latest = {}, {}
                return False
            self.stamp = stamp
        return True

    def remember(
        self, i: int, core: Core, group: Group, state: State, gathered: GroupState, jobs: list[Job]
    ) -> None:
        """Keep a cached step for another step like this one of group ``i``, if there can be one."""
        key = i, pattern([p.grad for p in group["params"]])
        self.steps.pop(key, None)
        here = shards.locals_of(gathered.params) if shards.any_sharded(gathered.params) else gathered.params
        if not jobs or not same([job.p for job in jobs], here):
            return
        jobs = [job._replace(where=None) for job in jobs]  # the flag of a step that may be skipped
        cached = group_step(core, group, state, gathered, jobs)
        if cached is not None:
            self.state, self.keys, self.entries = state, list(state), list(state.values())
            self.versions, self.stamp = DictVersions([state, *self.entries]), None
            self.steps[key] = self.latest[i] = cached
            mine = [k for k in self.steps if k[0] == i]
            if len(mine) > PATTERNS:
                del self.steps[mine[0]]
            self.sharded = any(each.sharded for each in self.steps.values())


def group_step(
    core: Core, group: Group, state: State, gathered: GroupState, jobs: list[Job]
) -> GroupStep | None:
    """Return a cached step of a group; None if its clocks or its jobs do not allow one."""
    if countable(gathered):
        column_step = fast.column_step(core, jobs, gathered.clocks)
        return None if column_step is None else GroupStep(core, group, state, gathered, jobs, column_step)
    if nvrtc.on_host(gathered.clocks[0]) or clips_of(jobs[0].coefficients) is not None:
        return None
    column_step = fast.column_step(core, jobs)
    if not isinstance(column_step, (DeviceClockStep, DeviceClockSteps)):
        return None
    return DeviceClockGroupStep(core, group, state, gathered, jobs, column_step)


class GroupStep:
    """A cached step of one group, with the same parameters taking part; clocks are ticked in memory."""

    def __init__(
        self,
        core: Core,
        group: Group,
        state: State,
        gathered: GroupState,
        jobs: list[Job],
        column_step: ColumnStep,
    ) -> None:
        self.core, self.column_step, self.settings = core, column_step, settings_of(group)
        self.size = 0  #: of the group
        self.read_settings: Any = None  #: reads the group's settings, all at once; None before they are read
        self.values: Sequence[Any] = ()  #: what it has read
        self.keeps = jobs[0].coefficients.keep_p is not None  # lr and t can take this term away
        self.clips = clips_of(jobs[0].coefficients)
        self.members, self.frozen = list(group["params"]), group.get("frozen", ())
        moving = set(map(id, gathered.params))
        self.taking_part = [id(p) in moving for p in self.members]
        self.whole, self.member_ids = all(self.taking_part), identities(self.members)
        self.stamp: int | None = None  #: the state's, when it was looked at
        self.sharded = shards.any_sharded(gathered.params)
        self.narrow = any(p.dtype in (torch.float16, torch.bfloat16) for p in gathered.params)
        self.owners = [state[p] for p in gathered.params]
        moments = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if core.amsgrad != "none" else [])]
        self.rests = [] if jobs[0].p_rest is None else gathered.rests
        moments += [REST] if self.rests else []
        #: of codes; a column for each of m, v and v_max, empty where it is kept as numbers
        self.scales: list[list[Any]] = []
        for name, key in SCALES.items():
            own = f"{FIELDS[name]}_scale"
            there = getattr(jobs[0], own) is not None
            self.scales.append(getattr(gathered, f"{own}s") if there else [])
            moments += [key] if there else []
        #: the number of the group's first parameter in the optimizer, where random bits are made of it
        self.start = None if jobs[0].key is None else gathered.numbers[0] - self.taking_part.index(True)
        self.clock_names = ["step", *(["mu_product"] if core.nesterov == "dozat" else [])]
        self.read = itemgetter(*moments, *(self.clock_names if core.clock == "per-parameter" else []))
        self.tensors = self.look_up(group)
        self.params, self.ms, self.vs = list(gathered.params), gathered.ms, gathered.vs
        self.maxima = gathered.maxima if core.amsgrad != "none" else []
        self.clocks, self.products = gathered.clocks, [x for x in gathered.products if x is not None]
        self.others = self.ms, self.vs, self.maxima, self.rests, *self.scales
        self.attach()

    def attach(self) -> None:
        """Find the clocks, and the products behind them, in memory."""
        on_cpu = nvrtc.runtime(self.params[0].device) is None  # the column step watches them there
        self.cells = Clocks(self.clocks, watched=on_cpu)
        self.product_cells = [c_double.from_address(x.data_ptr()) for x in self.products]
        self.formula = None if self.products else formula(self.core)

    def clock_addresses(self) -> list[int]:
        return list(map(torch.Tensor.data_ptr, chain(self.clocks, self.products)))

    def look_up(self, group: Group) -> list[Any]:
        """Return what the state holds for the parameters, and the group for its clock."""
        found = list(chain.from_iterable(map(self.read, self.owners)))
        if self.core.clock == "per-parameter":
            return found
        return found + [group[name] for name in self.clock_names]

    def bind(
        self,
        group: Group,
        rules: Mapping[str, Any],
        grads: list[Any],
        found_inf: Any,
        stamp: int | None,
    ) -> Run | None:
        """Return a function that makes the step with these gradients; None if anything is not as it was.

        ``stamp`` is another number whenever the optimizer's state was changed; None if that is not known.
        """
        if not self.has_settings(group, rules) or not self.has_members(group["params"]):
            return None
        if stamp is None or stamp != self.stamp or self.core.clock == "global":
            try:
                if not same(self.look_up(group), self.tensors):
                    return None
            except KeyError:
                return None
            self.stamp = stamp
        if not self.clocks_stay():
            return None
        taking_part = grads if self.whole else list(compress(grads, self.taking_part))
        columns: Any = self.params, taking_part, *self.others
        if not self.sharded:
            return self.bind_columns(columns_of_nine(columns), group["lr"], found_inf)
        parts = shards.local_columns(columns)
        run = self.bind_columns(columns_of_nine(parts), group["lr"], found_inf)
        return None if run is None else partial(run_parts, run, self.params)

    def has_settings(self, group: Group, rules: Mapping[str, Any]) -> bool:
        """True if the group's Adam is the one that this step was made for, and the same are frozen."""
        if self.read_settings is not None and len(group) == self.size:
            try:
                if all(map(is_, self.read_settings(group), self.values)):
                    return True
            except KeyError:
                pass
        settings = settings_of(group)
        if settings is None or self.settings is None or not same(settings, self.settings):
            if core_of(group, rules) is not self.core:
                return False
            self.settings = settings
        if group["differentiable"] or not same(group.get("frozen", ()), self.frozen):
            return False
        self.read_settings = None
        if settings is not None and type(group.get("frozen", ())) is tuple:
            self.read_settings, self.size = itemgetter(*(name for name in group if name != "lr")), len(group)
            self.values = self.read_settings(group)
        return True

    def has_members(self, params: list[Any]) -> bool:
        """True if these are the parameters of the group."""
        if len(params) < FEW:
            return same(params, self.members)
        return identities(params) == self.member_ids

    def clocks_stay(self) -> bool:
        """True if the clocks are where they were, in the memory of the host."""
        if not self.products:
            return self.cells.stay()
        pairs = zip(self.products, self.product_cells, strict=True)
        return self.cells.stay() and all(x.data_ptr() == addressof(cell) for x, cell in pairs)

    def bind_columns(self, columns: Columns, lr: Any, found_inf: Any) -> Run | None:
        """Return a function that steps the tensors and ticks the clocks, or None."""
        if found_inf is not None:
            return None
        products = self.product_cells
        now = self.cells.read()
        if len(now) == 1 and not products:
            if not 0 <= now[0] < MAX_CLOCK:
                return None
            coefficients: list[Any] = [self.coefficients(lr, now[0], None)]
            ticked = [now[0] + 1]
        else:
            if min(now) < 0 or max(now) >= MAX_CLOCK:
                return None
            if products:
                now = list(now) * (len(products) // len(now))
            keys = list(zip(now, [cell.value for cell in products] or repeat(None), strict=False))
            known = {key: self.coefficients(lr, *key) for key in set(keys)}
            coefficients, ticked = [known[key] for key in keys], [t + 1 for t in now]
        for c in coefficients:
            if c is None or (c.keep_p is None) is self.keeps:
                return None  # the host can't know them, or they are for another program
        step = self.column_step.bind(columns, coefficients, ticked)
        return None if step is None else partial(self.run, step, coefficients)

    def run(self, step: Callable[[], None], coefficients: list[Any], clipping: Sequence[float]) -> None:
        """Make the step and tick the clocks."""
        if self.clips == "least_g":
            coefficients[:] = [c._replace(least_g=clipping[0]) for c in coefficients]
        elif self.clips is not None:
            coefficients[:] = scaled_rows(coefficients, clipping)
        step()
        self.cells.tick()
        for product, c in zip(self.product_cells, coefficients if self.product_cells else (), strict=True):
            product.value = c.mu_product

    def coefficients(self, lr: Any, t: int, product: float | None) -> Coefficients | None:
        """Return the coefficients of the update after the ``t``-th; None if the host can't know them."""
        if self.formula is not None and type(lr) is float and 0.0 <= lr < INFINITE:
            return self.formula(t + 1, lr)
        return Ticker(self.core, backend, number_of(lr)).on_host(t + 1, product)


class DeviceClockGroupStep(GroupStep):
    """A cached step of one group whose clocks are on a device, where the host does not see them."""

    column_step: DeviceClockStep | DeviceClockSteps

    def attach(self) -> None:
        self.addresses = self.clock_addresses()

    def clocks_stay(self) -> bool:
        return self.clock_addresses() == self.addresses

    def bind_columns(self, columns: Columns, lr: Any, found_inf: Any) -> Run | None:
        rate = number_of(lr)
        run = self.column_step.bind_clocks(columns, self.clocks, self.products, rate, found_inf)
        return None if run is None else lambda _: run()


def run_parts(run: Run, params: list[Any], clipping: Sequence[float]) -> None:
    """Make the step of the parts of sharded parameters, and tell PyTorch that these have changed."""
    run(clipping)
    shards.mark_written(params)


def unscale_and_run(grads: list[Any], scale: torch.Tensor, run: Run, clipping: Sequence[float]) -> None:
    """Divide the scale out of the gradients, in place as the fused kernels do, and make the step."""
    mine = shards.locals_of(grads)
    torch._foreach_div_(mine, scale.detach().reshape(()).to(mine[0].device))
    run(clipping)


def same(now: Any, before: Any) -> bool:
    """True if these are the same objects."""
    return len(now) == len(before) and all(map(is_, now, before))


def pattern(grads: list[Any]) -> bytes:
    """Return which gradients are there."""
    return bytes(map(is_not, grads, repeat(None)))


def countable(gathered: GroupState) -> bool:
    """True if clocks can be read and ticked in the memory of the host."""
    products = [x for x in gathered.products if x is not None]
    kinds: Any = chain(zip(gathered.clocks, repeat(torch.int32)), zip(products, repeat(torch.float64)))
    if not all(in_memory(x) and x.dtype is dtype and x.numel() == 1 for x, dtype in kinds):
        return False
    return len(set(map(torch.Tensor.data_ptr, gathered.clocks))) == len(gathered.clocks)


def in_memory(x: torch.Tensor) -> bool:
    """True if a tensor's value stands in the memory of the host: it is no fake one and none of torch.func."""
    return nvrtc.on_host(x) and type(x) in PLAIN and not wrapped(x)
