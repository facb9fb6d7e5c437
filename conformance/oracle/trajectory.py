"""One probe, walked through under a claim: who steps, at which clock, with which lr.

This is the reading of F1 to F6, the clock and ``missing`` against which everybody, our own
backends included, is judged; the arithmetic of a step is left to slots (exact or noisy ones).
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
    """Real vectors that share a second moment: a parameter, or a part of a complex one."""

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None: ...
    def begin(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None: ...  # given moments
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
    for i, (start, parameter) in enumerate(zip(probe.start, slots, strict=False)):
        clocks[i] = own[i] = since[i] = start.t
        parts = real_parts(start.m)
        for k, slot in enumerate(parameter):
            slot.begin(parts if len(parameter) == 1 else [parts[k]], np.ravel(start.v), np.ravel(start.v_max))
    assert not callable(adam.lr)
    lr = adam.lr
    result: Trajectory[T] = Trajectory([])
    for s, step in enumerate(probe.steps, start=1):
        lr = lr if step.lr is None else step.lr
        absent = [is_absent(step, i) for i in range(len(slots))]
        if (any(absent) and adam.missing == "error") or (
            all(absent) and adam.missing == "skip" and adam.clock == "global" and adam.all_missing == "error"
        ):
            result.raises = True
            return result
        stands = adam.missing == "skip"
        held = stands and all(absent) and adam.all_missing == "hold"
        for i in range(len(slots)):
            clocks[i] += not (held if adam.clock == "global" else stands and absent[i])
            own[i] += not absent[i]
            since[i] = 0 if absent[i] else since[i] + 1
        for i, (parameter, g) in enumerate(zip(slots, step.grads, strict=True)):
            skipped = stands and absent[i]
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
            given = None if step.before is None else real_parts(step.before[i])
            grads = real_parts(np.zeros_like(probe.params[i]) if g is None or absent[i] else g)
            mask = mask_of(step, i, probe.params[i].shape)
            for k, slot in enumerate(parameter):
                mine = grads if len(parameter) == 1 else [grads[k]]
                if given is not None:
                    slot.put(given if len(parameter) == 1 else [given[k]])
                slot.step(moment.t, lr, mine, mask, fault.at_step(moment))
        result.steps.append([[x for slot in parameter for x in slot.read()] for parameter in slots])
        result.clocks.append(list(clocks))
    return result


def is_absent(step: Step, i: int) -> bool:
    """Whether parameter ``i`` has no gradient in this step (None, or present=False)."""
    flag = True if step.present is None else step.present[i]
    return step.grads[i] is None or (np.ndim(flag) == 0 and not bool(flag))


def mask_of(step: Step, i: int, shape: tuple[int, ...]) -> FloatArray | None:
    """The flat boolean mask of the elements that step, where there is one."""
    if step.present is None or np.ndim(step.present[i]) == 0:
        return None
    return np.ravel(np.broadcast_to(np.asarray(step.present[i], dtype=bool), shape))
