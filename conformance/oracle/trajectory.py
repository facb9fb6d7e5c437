"""The trajectory of a probe under a claim: the parameters after each step.

:func:`simulate` decides which parameters a step moves, with which clock and which learning rate: the
reading of the axes ``missing``, ``clock`` and ``all_missing`` and of the rules F1 to F6 against which
every candidate is judged, adamcore's own backends included.  The arithmetic of a step is left to
slots.  A slot is the optimizer state of one parameter; there are slots of exact balls
(:mod:`.exact`), of affine numbers (:mod:`.bounds`) and of floats (:mod:`adamcore.conformance.verdict.match`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.oracle.perturbation import ClockContext, Fault, StepContext, StepFault
from adamcore.conformance.types import FloatArray, Probe, Step

T = TypeVar("T")


class Slot(Protocol[T]):
    """The state of one parameter: flat real vectors that share a second moment.

    A complex parameter has two vectors in one slot under "modulus", one in each of two slots under
    "componentwise".
    """

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None: ...
    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None: ...
    def set_parameter(self, parts: list[FloatArray]) -> None: ...
    def tick(self, t: int, lr: float) -> None: ...  # a step of the clock without a gradient
    def reset_moments(self) -> None: ...
    def read(self) -> list[T]: ...  # what stands for p, one for each vector


@dataclass
class Trajectory(Generic[T]):
    """What a claim expects of a probe."""

    steps: list[list[list[T]]]  #: after each step, for each parameter, its real vectors
    raises: bool = False  #: whether the step after these must raise an error
    clocks: list[list[int]] = field(default_factory=list)  #: after each step, for each parameter


def real_parts(values: FloatArray) -> list[FloatArray]:
    """Return the flat real vectors of an array: itself, or its real and its imaginary part."""
    flat = np.ravel(values)
    return [flat.real.copy(), flat.imag.copy()] if np.iscomplexobj(flat) else [flat]


def adam_for(claim: Adam, probe: Probe) -> Adam:
    """Return an Adam with the claim's axes and the probe's hyperparameters."""
    axes = {axis: getattr(claim, axis) for axis in AXES}
    return Adam(**{**axes, **probe.hyper}, moment_dtype=claim.moment_dtype)


@dataclass
class Clocks:
    """The counts of a run, most of them for each parameter: the clock t, and what wrong clocks count."""

    t: list[int]
    own_updates: list[int]
    updates_since_absence: list[int]
    calls: int = 0
    calls_of_shape: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def begin_step(self, adam: Adam, absent: list[bool]) -> None:
        holds = clock_holds(adam, absent)
        for i, missing in enumerate(absent):
            self.t[i] += not (holds if adam.clock == "global" else adam.missing == "skip" and missing)
            self.own_updates[i] += not missing
            self.updates_since_absence[i] = 0 if missing else self.updates_since_absence[i] + 1

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
        )


def simulate(
    claim: Adam,
    probe: Probe,
    make: Callable[[Adam, list[FloatArray]], Slot[T]],
    fault: Fault | None = None,
) -> Trajectory[T]:
    """Return the trajectory of a probe under a claim.

    Args:
        claim: the axes; the hyperparameters are the probe's.
        probe: the input.
        make: makes a slot from an Adam and a parameter's flat real vectors.
        fault: a fault that the candidate has besides.
    """
    fault = fault or Fault()
    probe = fault.probe(probe) if fault.probe else probe
    adam = adam_for(claim, probe)
    assert not callable(adam.lr)
    slots = [make_slots(adam, p, make) for p in probe.params]
    begins = [start.t for start in probe.start] + [0] * (len(slots) - len(probe.start))
    clocks = Clocks(list(begins), list(begins), list(begins))
    for start, parameter in zip(probe.start, slots, strict=False):
        for slot, m in zip(parameter, by_slot(start.m, parameter), strict=True):
            slot.set_moments(m, np.ravel(start.v), np.ravel(start.v_max))
    lr = adam.lr
    result: Trajectory[T] = Trajectory([])
    for number, step in enumerate(probe.steps, start=1):
        lr = lr if step.lr is None else step.lr
        absent = [is_absent(step, i) for i in range(len(slots))]
        if must_raise(adam, absent):
            result.raises = True
            return result
        clocks.begin_step(adam, absent)
        for i, (parameter, g) in enumerate(zip(slots, step.grads, strict=True)):
            shape = np.shape(probe.params[i])
            skipped = adam.missing == "skip" and absent[i]
            if skipped and fault.absent == "reset":
                for slot in parameter:
                    slot.reset_moments()
            if skipped and fault.absent not in ("decay", "update"):
                if adam.clock == "global" and not clock_holds(adam, absent):
                    for slot in parameter:
                        slot.tick(clocks.t[i], lr)
                continue
            now = clocks.begin_update(i, shape, number, absent)
            t = now.t if fault.clock is None else fault.clock(now)
            step_fault = fault.at_step(StepContext(adam, t, lr, shape, skipped, number))
            gradient = np.zeros_like(probe.params[i]) if g is None or absent[i] else g
            mask = mask_of(step, i, probe.params[i].shape)
            if step.before is not None:
                for slot, given in zip(parameter, by_slot(step.before[i], parameter), strict=True):
                    slot.set_parameter(given)
            for slot, grads in zip(parameter, by_slot(gradient, parameter), strict=True):
                slot.step(t, lr, grads, mask, step_fault)
        result.steps.append([[x for slot in parameter for x in slot.read()] for parameter in slots])
        result.clocks.append(list(clocks.t))
    return result


def make_slots(adam: Adam, p: FloatArray, make: Callable[[Adam, list[FloatArray]], Slot[T]]) -> list[Slot[T]]:
    """Return the slots of a parameter: one, or under "componentwise" one for each real vector."""
    parts = real_parts(p)
    return [make(adam, parts)] if adam.complex == "modulus" else [make(adam, [part]) for part in parts]


def by_slot(values: FloatArray, slots: list[Slot[T]]) -> list[list[FloatArray]]:
    """Return the real vectors of an array for each of its parameter's slots."""
    parts = real_parts(values)
    return [parts] if len(slots) == 1 else [[part] for part in parts]


def must_raise(adam: Adam, absent: list[bool]) -> bool:
    """Return whether a step with these absent gradients is an error under the claim."""
    if any(absent) and adam.missing == "error":
        return True
    return all(absent) and (adam.missing, adam.clock, adam.all_missing) == ("skip", "global", "error")


def clock_holds(adam: Adam, absent: list[bool]) -> bool:
    """Return whether a global clock stands still because every gradient is absent."""
    return adam.missing == "skip" and all(absent) and adam.all_missing == "hold"


def is_absent(step: Step, i: int) -> bool:
    """Return whether parameter ``i`` has no gradient in this step: it is None, or its flag is False."""
    flag = True if step.present is None else step.present[i]
    return step.grads[i] is None or (np.ndim(flag) == 0 and not bool(flag))


def mask_of(step: Step, i: int, shape: tuple[int, ...]) -> FloatArray | None:
    """Return the flat boolean mask of the elements that the step moves, or None if it has none."""
    if step.present is None or np.ndim(step.present[i]) == 0:
        return None
    return np.ravel(np.broadcast_to(np.asarray(step.present[i], dtype=bool), shape))
