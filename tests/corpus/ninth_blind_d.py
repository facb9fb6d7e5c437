"""Blind, ninth set: slips in saving, loading and sharing a state, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fifth_blind_frame import Dozat
from fourth_blind_frame import Common, Keras
from register import wrong
from sixth_blind_frame import CoupledHat


@wrong("state", "STATE.4", like="tracel-ai/burn#5130: the ids that the record has are dropped on loading")
class NinthOrphanedRecords(Frame):
    """A loaded state belongs to ids that no parameter has: moments and clocks start anew."""

    dialect = "burn.AdamW"

    def set_state(self, state: dict[str, Any]) -> None:
        self.orphans = state


@wrong("state", "STATE.4", like="keras-team/keras#13027, #12449: `iterations` is no weight of the optimizer")
class NinthIterationsNotSaved(Keras):
    """The saved state has the moments, and not the clock: a resumed run counts from 1."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        del state["t"]
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"t": [s.t for s in self.slots], **state})


@wrong("aliasing", "STATE.2", like="dotnet/TorchSharp#1172: tensors of a loaded state are not cloned")
class NinthLoadedNotCloned(Dozat):
    """Moments that were loaded are the caller's own arrays, and the next steps write to them."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v = (flat(np.asarray(state[name][s.index])) for name in ("m", "v"))

    def learn(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g


@wrong("groups state", "STATE.4", like="NVIDIA/makani#127: parameter groups are broken on restore")
class NinthGroupsFlattenedOnLoad(Frame):
    """When a state is loaded, all parameters get the hyperparameters of the first one's group."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.h = self.slots[0].h


@wrong(
    "isolation moments",
    "STATE.3",
    like="HomebrewML/HeavyBall#11: a state is found by data_ptr, which is 0, and shape",
)
class NinthStateByShape(Common):
    """Parameters of one shape have their moments in common."""

    dialect = "optimi.AdamW"

    def begin(self) -> None:
        self.found = {(s.shape, s.dtype): (s.m, s.v) for s in self.slots}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()
        self.share()

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.share()

    def share(self) -> None:
        for s in self.slots:
            s.m, s.v = self.found[s.shape, s.dtype]

    def update(self, s: Slot, g: Array) -> None:
        s.m, s.v = self.found[s.shape, s.dtype]
        super().update(s, g)
        self.found[s.shape, s.dtype] = s.m, s.v


@wrong("aliasing", "STATE.2", like="pytorch/pytorch#12107, #12218: `grad.add_(weight_decay, p)` in place")
class NinthPenaltyInGradient(Coupled):
    """The L2 penalty is added to the caller's gradient, in its own memory."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None and s.h.weight_decay != 0:
                g += self.shaped(s, s.h.weight_decay * s.p)
        super().all(grads)

    def penalized(self, s: Slot, g: Array) -> Array:
        return g


@wrong("clock", "CLK.2", like="ikostrikov/pytorch-a3c#12: moments are shared by the workers, clocks are not")
class NinthClockOfEachWorker(CoupledHat):
    """Two workers take turns with the same moments, and each counts its own steps: t is 1, 1, 2, 2, 3."""

    def update(self, s: Slot, g: Array) -> None:
        updates, s.t = s.t, (s.t + 1) // 2
        super().update(s, g)
        s.t = updates
