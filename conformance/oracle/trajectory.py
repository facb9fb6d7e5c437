"""One probe, walked through under a claim: who steps, at which clock, with which hyperparameters.

This is the reading of F1 to F6, the clock and ``missing`` against which everybody, our own
backends included, is judged; the arithmetic of a step is left to slots (exact or noisy ones).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.oracle.perturbation import ClockContext, Fault, StepContext, StepFault
from adamcore.conformance.types import FloatArray, Probe, Start, Step

T = TypeVar("T")


class Slot(Protocol[T]):
    """Real vectors that share a second moment: a parameter, or a part of a complex one."""

    adam: Adam  #: of the step being made

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None: ...
    def begin(
        self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float
    ) -> None: ...  # a given state
    def put(self, parts: list[FloatArray]) -> None: ...  # the parameter as it was really given
    def tick(self, t: int, lr: float) -> None: ...  # the clock alone, for an absent gradient
    def reset(self) -> None: ...  # moments back to the start, for a fault that does so
    def read(self) -> list[T]: ...  # what stands for p, a part each


@dataclass
class Trajectory(Generic[T]):
    """What a claim expects of a probe."""

    steps: list[list[list[T]]]  #: after each step, for each parameter, its real parts
    raises: bool = False  #: whether the step after these must raise
    clocks: list[list[int]] = field(default_factory=list)  #: after each step, for each parameter


def real_parts(values: FloatArray) -> list[FloatArray]:
    """The flat real vectors of an array: itself, or its real and imaginary part."""
    flat = np.ravel(values)
    return [flat.real.copy(), flat.imag.copy()] if np.iscomplexobj(flat) else [flat]


def adam_for(claim: Adam, probe: Probe) -> Adam:
    """The claim's axes with the probe's hyperparameters."""
    axes = {axis: getattr(claim, axis) for axis in AXES}
    return Adam(**{**axes, **probe.hyper}, moment_dtype=claim.moment_dtype)


def simulate(
    claim: Adam,
    probe: Probe,
    make: Callable[[Adam, list[FloatArray]], Slot[T]],
    fault: Fault | None = None,
) -> Trajectory[T]:
    """Step every parameter of the probe through slots that ``make`` makes.

    With a ``fault``, as a candidate that follows the claim but for this fault would.
    """
    fault = fault or Fault()
    probe = fault.probe(probe) if fault.probe else probe
    adam = adam_for(claim, probe)
    slots: list[list[Slot[T]]] = []
    for p in probe.params:
        parts = real_parts(p)
        together = adam.complex == "modulus"
        slots.append([make(adam, parts)] if together else [make(adam, [part]) for part in parts])
    clocks, own, since, calls = [0] * len(slots), [0] * len(slots), [0] * len(slots), 0
    alike: Counter[tuple[int, ...]] = Counter()

    def begin(i: int, start: Start) -> None:
        clocks[i] = own[i] = since[i] = start.t
        together = len(slots[i]) == 1
        m, v, v_max = real_parts(start.m), real_parts(start.v), real_parts(start.v_max)
        for k, slot in enumerate(slots[i]):
            slot.begin(
                m if together else [m[k]], v[k * (len(v) > 1)], v_max[k * (len(v_max) > 1)], start.mu_product
            )

    for i, start in enumerate(probe.start):
        begin(i, start)
    assert not callable(adam.lr)
    lr = adam.lr
    result: Trajectory[T] = Trajectory([])
    for s, step in enumerate(probe.steps, start=1):
        lr = lr if step.lr is None else step.lr
        if step.changes:
            adam = replace(adam, **step.changes)
            for parameter in slots:
                for slot in parameter:
                    slot.adam = adam
        for i, given in enumerate(step.states or ()):
            if given is not None:
                begin(i, given)
        frozen = step.frozen or [False] * len(slots)
        absent = [is_absent(step, i) for i in range(len(slots))]
        if (adam.missing == "error" and any(a and not f for a, f in zip(absent, frozen, strict=True))) or (
            all(absent) and adam.missing == "skip" and adam.clock == "global" and adam.all_missing == "error"
        ):
            result.raises = True
            return result
        skips = [(adam.missing == "skip" or f) and a for a, f in zip(absent, frozen, strict=True)]
        held = all(skips) and adam.all_missing == "hold"
        for i in range(len(slots)):
            clocks[i] += not (held if adam.clock == "global" else skips[i])
            own[i] += not absent[i]
            since[i] = 0 if absent[i] else since[i] + 1
        for i, (parameter, g) in enumerate(zip(slots, step.grads, strict=True)):
            skipped = skips[i]
            if step.before is not None:
                now = real_parts(step.before[i])
                for k, slot in enumerate(parameter):
                    slot.put(now if len(parameter) == 1 else [now[k]])
            if skipped and fault.absent == "reset":
                for slot in parameter:
                    slot.reset()
            if skipped and fault.absent not in ("decay", "update"):
                for slot in parameter if adam.clock == "global" and not held else ():
                    slot.tick(clocks[i], lr)
                continue
            calls += 1
            alike[np.shape(probe.params[i])] += 1
            ticks = ClockContext(
                clocks[i], calls, s, tuple(clocks), tuple(absent), own[i], since[i],
                alike[np.shape(probe.params[i])],
            )  # fmt: skip
            moment = StepContext(
                adam, clocks[i] if fault.clock is None else fault.clock(ticks), lr,
                np.shape(probe.params[i]), skipped, s,
            )  # fmt: skip
            grads = real_parts(np.zeros_like(probe.params[i]) if g is None or absent[i] else g)
            mask = mask_of(step, i, probe.params[i].shape)
            for k, slot in enumerate(parameter):
                mine = grads if len(parameter) == 1 else [grads[k]]
                slot.step(moment.t, lr, mine, mask, fault.at_step(moment))
        result.steps.append([[x for slot in parameter for x in slot.read()] for parameter in slots])
        result.clocks.append(list(clocks))
    return result


def is_absent(step: Step, i: int) -> bool:
    """Whether parameter ``i`` has no gradient in this step (None, or present=False), or is frozen."""
    flag = True if step.present is None else step.present[i]
    if step.frozen is not None and step.frozen[i]:
        return True
    return step.grads[i] is None or (np.ndim(flag) == 0 and not bool(flag))


def mask_of(step: Step, i: int, shape: tuple[int, ...]) -> FloatArray | None:
    """The flat boolean mask of the elements that step, where there is one."""
    if step.present is None or np.ndim(step.present[i]) == 0:
        return None
    return np.ravel(np.broadcast_to(np.asarray(step.present[i], dtype=bool), shape))
