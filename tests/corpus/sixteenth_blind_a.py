"""Blind, sixteenth set: faults of decay, clocks and states, after the bugs of others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from register import wrong
from sixth_blind_frame import WantingHat


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="nntrainer/nntrainer#3527: what is called AdamW is Adam, and its weights never decay",
)
class SixteenthAdamByAnotherName(Frame):
    """The weight decay is read and never applied: the step is Adam's."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "isolation clock",
    "STATE.3",
    like="mlpack/ensmallen#340: a second call resets the moments, and not the counter of iterations",
)
class SixteenthCounterGoesOn(WantingHat):
    """A run begins with moments of zero, and with the clock that the run before it has left."""

    iteration: ClassVar[int] = 0

    def begin(self) -> None:
        for s in self.slots:
            s.t = self.first()

    def first(self) -> int:
        return SixteenthCounterGoesOn.iteration

    def tick(self, s: Slot) -> None:
        s.t += 1
        SixteenthCounterGoesOn.iteration = s.t


@wrong(
    "isolation aliasing state",
    "STATE.3",
    like="mlverse/torch#1028: a deep clone has the state's tensors in common with what it is a clone of",
)
class SixteenthCloneShares(Coupled):
    """What takes over a state steps in the same arrays in place, as what has given it does."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g

    def shaped(self, s: Slot, row: Array) -> Array:
        return row.view(s.dtype).reshape(s.shape)

    def step(self, grads: Any) -> list[Array]:
        return [p.copy() for p in super().step(grads)]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            for name, a in self.kept():
                if name in state:
                    setattr(s, a, self.cloned(flat(np.asarray(state[name][s.index]))))

    def cloned(self, a: Array) -> Array:
        return a


@wrong(
    "clock",
    "CLK.2",
    like="Lasagne/Lasagne#144: the counter is 1 at the start and raised before it is used",
)
class SixteenthCounterStartsAtOne(WantingHat):
    """The clock starts at 1 and is raised before use: the first update is corrected for t = 2."""

    def begin(self) -> None:
        for s in self.slots:
            s.t = 1


@wrong(
    "state",
    "STATE.4",
    like="paiml/entrenar#293: a checkpoint has the adapters, and not the two moments that belong to them",
)
class SixteenthDeltaCheckpoint(Frame):
    """What is saved is without moments: they are zero when a run is resumed, and the clock is not."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {name: x for name, x in state.items() if name not in ("m", "v", "v_max")}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "m" not in state:
            for s in self.slots:
                s.m, s.v, s.top = (np.zeros_like(s.p) for _ in range(3))
