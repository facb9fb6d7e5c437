"""The trajectory of a probe under a claim: the parameters after each step.

:func:`simulate` decides which parameters a step moves, with which clock and which learning rate.  It
implements the axes ``missing``, ``clock`` and ``all_missing``, the rules F1 to F6, and loss scales (SCALE).
Every candidate is judged against it, adamcore's own backends included.  It leaves the arithmetic of a step
to slots.  A slot is the optimizer state of one parameter.  There are slots of exact balls (:mod:`.exact`), of
affine numbers (:mod:`.bounds`) and of floats (:mod:`adamcore.conformance.verdict.match`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import numpy as np

from adamcore import AXES, Adam
from adamcore.config import MOMENT_DTYPES, STORAGE
from adamcore.conformance.oracle.clipped import clipped
from adamcore.conformance.oracle.perturbation import ClockContext, Fault, StepContext, StepFault
from adamcore.conformance.types import FloatArray, Moments, Probe, Start, Step

T = TypeVar("T")


class Slot(Protocol[T]):
    """The state of one parameter: flat real vectors that share a second moment.

    A complex parameter has two vectors in one slot under "modulus", one in each of two slots under
    "componentwise".
    """

    adam: Adam  #: the Adam of the step that is made next

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None: ...
    def set_state(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None: ...
    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None: ...
    def set_parameter(self, parts: list[FloatArray]) -> None: ...
    def tick(self, t: int, lr: float) -> None: ...  # a step of the clock without a gradient
    def reset_moments(self) -> None: ...
    def read(self) -> list[T]: ...  # what stands for p, one for each vector


@dataclass
class Trajectory(Generic[T]):
    """What a claim expects a candidate to do on a probe."""

    steps: list[list[list[T]]]  #: after each step, for each parameter, its real vectors
    raises: bool = False  #: whether the step after these must raise an error
    clocks: list[list[int]] = field(default_factory=list)  #: after each step, for each parameter


def real_parts(values: FloatArray) -> list[FloatArray]:
    """Return the flat real vectors of an array: itself, or its real and its imaginary part."""
    flat = np.ravel(values)
    return [flat.real.copy(), flat.imag.copy()] if np.iscomplexobj(flat) else [flat]


@lru_cache(maxsize=4096)
def adam_for(claim: Adam, probe: Probe) -> Adam:
    """Return an Adam with the claim's axes and the probe's hyperparameters."""
    axes = {field: getattr(claim, field) for field in (*AXES, *MOMENT_DTYPES, *STORAGE)}
    return Adam(**{**axes, **probe.hyper})


def adams_for(claim: Adam, probe: Probe) -> list[Adam]:
    """Return the Adam of each parameter, whose group may have hyperparameters of its own."""
    adam = adam_for(claim, probe)
    return [replace(adam, **group) for group in probe.groups] or [adam] * len(probe.params)  # type: ignore[arg-type]


@dataclass
class Clocks:
    """The counts of a run, most of them for each parameter: the clock t, and what wrong clocks count."""

    t: list[int]
    own_updates: list[int]
    updates_since_absence: list[int]
    calls: int = 0
    skips: int = 0
    skipped_updates: Counter[int] = field(default_factory=Counter)
    calls_of_shape: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def begin_at(self, i: int, t: int) -> None:
        self.t[i] = self.own_updates[i] = self.updates_since_absence[i] = t

    def begin_step(self, adam: Adam, absent: list[bool], skipped: list[bool]) -> None:
        holds = clock_holds(adam, skipped)
        for i in range(len(self.t)):
            self.t[i] += not (holds if adam.clock == "global" else skipped[i])
            self.own_updates[i] += not absent[i]
            self.updates_since_absence[i] = 0 if absent[i] else self.updates_since_absence[i] + 1

    def begin_update(self, i: int, shape: tuple[int, ...], step: int, absent: list[bool]) -> ClockContext:
        self.calls += 1
        self.calls_of_shape[shape] += 1
        return ClockContext(
            t=self.t[i],
            calls=self.calls,
            step=step,
            clocks=tuple(self.t),
            absent=tuple(absent),
            own_updates=self.own_updates[i],
            updates_since_absence=self.updates_since_absence[i],
            calls_of_shape=self.calls_of_shape[shape],
            skips=self.skips,
            skipped_updates=self.skipped_updates[i],
        )


def simulate(
    claim: Adam,
    probe: Probe,
    make: Callable[[Adam, list[FloatArray]], Slot[T]],
    fault: Fault | None = None,
) -> Trajectory[T]:
    """Return the trajectory of a probe under a claim.

    Args:
        claim: an Adam of which only the axes count; the hyperparameters are those of the probe.
        probe: the input.
        make: makes a slot from an Adam and a parameter's flat real vectors.
        fault: a fault that the trajectory is to have.
    """
    fault = fault or Fault()
    probe = fault.probe(probe) if fault.probe else probe
    clip, probe = probe.clip, clipped(probe)
    adam = adam_for(claim, probe)
    adams = adams_for(claim, probe)
    rates = [rate_of(mine) for mine in adams]
    slots = [make_slots(mine, p, make) for mine, p in zip(adams, probe.params, strict=True)]
    zeros = [0] * len(slots)
    clocks = Clocks(zeros, list(zeros), list(zeros))
    for i, start in enumerate(probe.start):
        begin(slots[i], clocks, i, start)
    result: Trajectory[T] = Trajectory([])
    for number, step in enumerate(probe.steps, start=1):
        rates = rates if step.lr is None else [step.lr] * len(slots)
        if step.changes:
            adam = replace(adam, **step.changes)
            adams = [replace(mine, **step.changes) for mine in adams]
            for mine, parameter in zip(adams, slots, strict=True):
                for slot in parameter:
                    slot.adam = mine
        for i, state in enumerate(step.states or ()):
            if state is not None:
                begin(slots[i], clocks, i, state)
        for parameter, kept in zip(slots, step.moments or (), strict=False):
            give_moments(parameter, kept)
        skip = step.found_inf
        if skip and fault.made is not None:
            step = fault.made(step) or step
        if step.found_inf:  # nothing happens in it, and no clock ticks
            clocks.skips += 1
            enter(result, slots, clocks)
            continue
        frozen = step.frozen or (False,) * len(slots)
        absent = [is_absent(step, i) for i in range(len(slots))]
        if must_raise(adam, absent, frozen):
            result.raises = True
            return result
        skipped = [a and (adam.missing == "skip" or f) for a, f in zip(absent, frozen, strict=True)]
        clocks.begin_step(adam, absent, skipped)
        for i, (parameter, g) in enumerate(zip(slots, step.grads, strict=True)):
            shape = np.shape(probe.params[i])
            if step.before is not None:
                for slot, given in zip(parameter, by_slot(step.before[i], parameter), strict=True):
                    slot.set_parameter(given)
            if skipped[i] and fault.absent == "reset":
                for slot in parameter:
                    slot.reset_moments()
            if skipped[i] and fault.absent not in ("decay", "update"):
                if adam.clock == "global" and not clock_holds(adam, skipped):
                    for slot in parameter:
                        slot.tick(clocks.t[i], rates[i])
                continue
            now = clocks.begin_update(i, shape, number, absent)
            t = now.t if fault.clock is None else fault.clock(now)
            scale = 1.0 if step.scale is None else step.scale
            at = StepContext(adams[i], t, rates[i], shape, skipped[i], number, scale, clip)
            step_fault = fault.at_step(at)
            scaling = None if step.scaling is None else step.scaling[i]
            if scaling is not None and not absent[i]:
                step_fault = replace(step_fault or StepFault(None, at), scaling=scaling)
            gradient = np.zeros_like(probe.params[i]) if g is None or absent[i] else g / scale
            mask = mask_of(step, i, shape)
            for slot, grads in zip(parameter, by_slot(gradient, parameter), strict=True):
                slot.step(t, rates[i], grads, mask, step_fault)
        enter(result, slots, clocks)
        if skip:
            clocks.skips += 1
            clocks.skipped_updates.update(i for i, left_out in enumerate(skipped) if not left_out)
    return result


def enter(result: Trajectory[T], slots: list[list[Slot[T]]], clocks: Clocks) -> None:
    """Enter the parameters and the clocks after a step."""
    result.steps.append([[x for slot in parameter for x in slot.read()] for parameter in slots])
    result.clocks.append(list(clocks.t))


def rate_of(adam: Adam) -> float:
    """Return the learning rate, which is a number in every probe."""
    assert not callable(adam.lr)
    return adam.lr


def make_slots(adam: Adam, p: FloatArray, make: Callable[[Adam, list[FloatArray]], Slot[T]]) -> list[Slot[T]]:
    """Return the slots of a parameter: one, or under "componentwise" one for each real vector."""
    parts = real_parts(p)
    return [make(adam, parts)] if adam.complex == "modulus" else [make(adam, [part]) for part in parts]


def by_slot(values: FloatArray, slots: list[Slot[T]]) -> list[list[FloatArray]]:
    """Return the real vectors of an array for each of its parameter's slots."""
    parts = real_parts(values)
    return [parts] if len(slots) == 1 else [[part] for part in parts]


def begin(slots: list[Slot[T]], clocks: Clocks, i: int, start: Start) -> None:
    """Put parameter ``i`` into a state; one real second moment serves both parts of a complex parameter."""
    clocks.begin_at(i, start.t)
    v, v_max = real_parts(start.v), real_parts(start.v_max)
    for k, (slot, m) in enumerate(zip(slots, by_slot(start.m, slots), strict=True)):
        slot.set_state(m, v[k * (len(v) > 1)], v_max[k * (len(v_max) > 1)], start.mu_product)


def give_moments(slots: list[Slot[T]], kept: Moments) -> None:
    """Put these moments in the place of a parameter's own."""
    v_max = kept.v if kept.v_max is None else kept.v_max
    second = [real_parts(x) for x in (kept.v, v_max)]
    for k, (slot, m) in enumerate(zip(slots, by_slot(kept.m, slots), strict=True)):
        slot.set_moments(m, *(parts[k * (len(parts) > 1)] for parts in second))


def must_raise(adam: Adam, absent: Sequence[bool], frozen: Sequence[bool]) -> bool:
    """Return whether a step with these absent gradients is an error under the claim."""
    if adam.missing == "error" and any(a and not f for a, f in zip(absent, frozen, strict=True)):
        return True
    return all(absent) and (adam.missing, adam.clock, adam.all_missing) == ("skip", "global", "error")


def clock_holds(adam: Adam, skipped: Sequence[bool]) -> bool:
    """Return whether a global clock stands still because the step skips every parameter."""
    return all(skipped) and adam.all_missing == "hold"


def is_absent(step: Step, i: int) -> bool:
    """Return whether parameter ``i`` has no gradient in this step.

    It has none if the gradient is None, if its flag is False, if the parameter is frozen, or if the step is
    skipped.
    """
    flag = True if step.present is None else step.present[i]
    if step.found_inf or (step.frozen is not None and step.frozen[i]):
        return True
    return step.grads[i] is None or (np.ndim(flag) == 0 and not bool(flag))


def mask_of(step: Step, i: int, shape: tuple[int, ...]) -> FloatArray | None:
    """Return the flat boolean mask of the elements that the step moves, or None if it has none."""
    if step.present is None or np.ndim(step.present[i]) == 0:
        return None
    return np.ravel(np.broadcast_to(np.asarray(step.present[i], dtype=bool), shape))
