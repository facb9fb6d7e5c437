"""Steps of a `torch.optim.Optimizer` on the same tensors again: what was gathered once is kept.

To gather a group's state and check it takes longer than to step many small tensors.  So a step leaves
a lane behind, and the next one asks, at little cost, whether all is still as it was:

* the parameters of the group, the frozen ones, and which have a gradient;
* the settings, of which the group's Adam is made anew;
* the optimizer's state: whose it is, the dictionaries and the tensors in them are the same objects;
* the tensors, whose `.data` may have been replaced: addresses, shapes, strides, dtypes, devices.

Whatever is not as it was goes the long way, which knows all the errors, and leaves a new lane.  Of
gradients nothing is kept but what they were like.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import c_double, c_int32
from itertools import chain, compress, repeat
from operator import is_, is_not, itemgetter
from typing import Any

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch import fast, nvrtc
from adamcore.backends.torch.backend import backend
from adamcore.backends.torch.optimizer.param_groups import Group, core_of, number_of, settings_of
from adamcore.backends.torch.optimizer.state import GroupState, State
from adamcore.clock import Ticker
from adamcore.coefficients import MAX_CLOCK
from adamcore.definition import Coefficients
from adamcore.protocol import Job, Prepared
from adamcore.tracing import formula

PATTERNS = 4  #: of absent gradients that are remembered of a group
INFINITE = float("inf")


class StepCache:
    """The lanes of one optimizer; never copied or saved with it."""

    def __init__(self) -> None:
        self.lanes: dict[tuple[int, bytes], GroupStep] = {}  # by group, and which of its gradients are there
        self.keys: list[Any] = []
        self.owns: list[Any] = []

    def ready(self, groups: Sequence[Group], state: State) -> dict[int, GroupStep]:
        """The lanes of those groups that can be stepped as before; nothing is changed yet.

        Raises:
            HyperparameterError, AxisError: a setting was changed to one without a meaning.
        """
        if not self.lanes:
            return {}
        if not same(state, self.keys) or not same(state.values(), self.owns):
            self.lanes = {}
            return {}
        found = {}
        for i, group in enumerate(groups):
            grads = [p.grad for p in group["params"]]
            lane = self.lanes.get((i, pattern(grads)))
            if lane is not None and lane.fits(group, grads):
                found[i] = lane
        return found

    def remember(
        self, i: int, core: Core, group: Group, state: State, slots: GroupState, jobs: list[Job]
    ) -> None:
        """Prepare for another step like this one of group ``i``, if it can be made faster."""
        key = i, pattern([p.grad for p in group["params"]])
        self.lanes.pop(key, None)
        if not jobs or not same([job.p for job in jobs], slots.params):
            return
        kind = (
            GroupStep if countable(slots) else None if nvrtc.seen(slots.clocks[0]) else DeviceClockGroupStep
        )
        prepared = None if kind is None else fast.prepare(core, jobs)
        if kind is not None and prepared is not None and kind.suits(prepared):
            self.keys, self.owns = list(state), list(state.values())
            keeps = jobs[0].coefficients.keep_p is not None
            self.lanes[key] = kind(core, group, state, slots, prepared, keeps)
            mine = [k for k in self.lanes if k[0] == i]
            if len(mine) > PATTERNS:
                del self.lanes[mine[0]]


class GroupStep:
    """A group's step with the same parameters taking part."""

    def __init__(
        self, core: Core, group: Group, state: State, slots: GroupState, prepared: Prepared, keeps: bool
    ) -> None:
        self.core, self.prepared, self.settings = core, prepared, settings_of(group)
        self.keeps = keeps  # whether there is a keep_p, the one term that lr and t can take away
        self.members, self.frozen = list(group["params"]), group["frozen"]
        moving = set(map(id, slots.params))
        self.part = [id(p) in moving for p in self.members]
        self.owns = [state[p] for p in slots.params]
        names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if core.amsgrad != "none" else [])]
        self.clocked = ["step", *(["mu_product"] if core.nesterov == "dozat" else [])]
        self.read = itemgetter(*names, *(self.clocked if core.clock == "per-parameter" else []))
        self.entries = self.look(group)
        self.params = list(slots.params)
        self.moments = [slots.ms, slots.vs, slots.maxima][: len(names)]
        self.clocks = [*slots.clocks, *(x for x in slots.products if x is not None)]
        self.places = list(map(torch.Tensor.data_ptr, self.clocks))
        self.attach(len(slots.clocks))
        self.now: list[int] = []
        self.each: list[Coefficients] = []

    @staticmethod
    def suits(prepared: Any) -> bool:
        """Whether these jobs can be done in a lane of this kind."""
        return True

    def attach(self, count: int) -> None:
        """Find so many clocks, and the products behind them, in memory."""
        self.counts = list(map(c_int32.from_address, self.places[:count]))
        self.products = list(map(c_double.from_address, self.places[count:]))
        self.formula = None if self.products else formula(self.core)

    def look(self, group: Group) -> list[Any]:
        """What the state holds of the parameters, and the group of its clock."""
        found = list(chain.from_iterable(map(self.read, self.owns)))
        return found if self.core.clock == "per-parameter" else found + [group[name] for name in self.clocked]

    def fits(self, group: Group, grads: list[Any]) -> bool:
        """Whether the step can be made with these gradients; to be followed by :meth:`run`."""
        settings = settings_of(group)
        if settings is None or self.settings is None or not same(settings, self.settings):
            if core_of(group) is not self.core:
                return False
            self.settings = settings
        if group["differentiable"] or group["frozen"] != self.frozen:
            return False
        try:
            if not same(group["params"], self.members) or not same(self.look(group), self.entries):
                return False
        except KeyError:
            return False
        if list(map(torch.Tensor.data_ptr, self.clocks)) != self.places:
            return False
        columns = [self.params, list(compress(grads, self.part)), *self.moments]
        return self.prepared.fits(columns) and self.tick(group["lr"])

    def tick(self, lr: Any) -> bool:
        """Form the coefficients; False if the host can't know them."""
        self.now = now = [cell.value for cell in self.counts]
        if min(now) < 0 or max(now) >= MAX_CLOCK:
            return False
        if now.count(now[0]) == len(now) and not self.products:
            each: list[Any] = [self.coefficients(lr, now[0], None)]
        else:
            keys = list(zip(now, [cell.value for cell in self.products] or repeat(None), strict=False))
            known = {key: self.coefficients(lr, *key) for key in set(keys)}
            each = [known[key] for key in keys]
        self.each = each
        return all(c is not None and (c.keep_p is not None) is self.keeps for c in each)

    def coefficients(self, lr: Any, t: int, product: float | None) -> Coefficients | None:
        """Those of the update after the ``t``-th."""
        if self.formula is not None and type(lr) is float and 0.0 <= lr < INFINITE:
            return self.formula(t + 1, lr)
        return Ticker(self.core, backend, number_of(lr)).on_host(t + 1, product)

    def run(self) -> None:
        """Make the step, and tick."""
        self.prepared.run(self.each)
        for cell, t in zip(self.counts, self.now, strict=True):
            cell.value = t + 1
        for product, c in zip(self.products, self.each if self.products else (), strict=True):
            product.value = c.mu_product  # type: ignore[assignment]


class DeviceClockGroupStep(GroupStep):
    """One whose clocks are out of the host's sight, on the device, and are ticked there."""

    @staticmethod
    def suits(prepared: Any) -> bool:
        return hasattr(prepared, "ticks")

    def attach(self, count: int) -> None:
        self.count = count

    def tick(self, lr: Any) -> bool:
        prepared: Any = self.prepared
        return bool(prepared.ticks(number_of(lr), self.clocks[: self.count], self.clocks[self.count :]))

    def run(self) -> None:
        prepared: Any = self.prepared
        prepared.advance()


def same(now: Any, before: Any) -> bool:
    """Whether these are the same objects."""
    return len(now) == len(before) and all(map(is_, now, before))


def pattern(grads: list[Any]) -> bytes:
    """Which gradients are there."""
    return bytes(map(is_not, grads, repeat(None)))


def countable(slots: GroupState) -> bool:
    """Whether clocks can be read and ticked where they stand in memory."""
    products = [x for x in slots.products if x is not None]
    kinds: Any = chain(zip(slots.clocks, repeat(torch.int32)), zip(products, repeat(torch.float64)))
    if not all(nvrtc.seen(x) and x.dtype is dtype and x.numel() == 1 for x, dtype in kinds):
        return False
    return len(set(map(torch.Tensor.data_ptr, slots.clocks))) == len(slots.clocks)
