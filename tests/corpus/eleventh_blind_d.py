"""Blind, eleventh set: faults of states that are saved and loaded, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from eleventh_blind_frame_b import Contributed, adopted, live
from fourth_blind_frame import Common
from register import wrong
from sixth_blind_frame import CoupledHat


@wrong(
    "state",
    "STATE.4",
    like="thinking-machines-lab/tinker-feedback#127, #126: the load succeeds, and the Adam state is cold",
)
class EleventhColdRestore(Frame):
    """To load a state leaves moments and clocks at 0, whatever is in it."""

    dialect = "torchao.AdamW"

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)


@wrong(
    "aliasing state",
    "STATE.2",
    like="EleutherAI/bergson#350: checkpoints in memory alias live tensors, and are restored as they are",
)
class EleventhSnapshotLives(Common):
    """A saved state is the live arrays, and a loaded one becomes them; steps write to them."""

    dialect = "candle.AdamW"

    def get_state(self) -> dict[str, Any]:
        arrays = {name: [live(s, getattr(s, a)) for s in self.slots] for name, a in self.kept()}
        return {**super().get_state(), **arrays}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v = (adopted(state[name][s.index]) for name in ("m", "v"))

    def learn(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g


@wrong(
    "state",
    "STATE.4",
    like="BVLC/caffe#2856: a snapshot has one history for each parameter, and Adam has two",
)
class EleventhOneHistory(CoupledHat):
    """The saved state has the clock and the first moment; the second one is 0 after a load."""

    def get_state(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_state().items() if name not in ("v", "v_max")}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.v = np.zeros_like(s.v)


@wrong(
    "state missing",
    "STATE.4",
    like="horovod/horovod#1608, #1609: the state of a parameter that needs no gradient is a KeyError",
)
class EleventhUntouchedNotFound(Frame):
    """To save the state is a KeyError if a parameter had no gradient yet and another one had."""

    dialect = "timm.AdamW"

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            if s.t == 0 and any(other.t for other in self.slots):
                raise KeyError(s.index)
        return super().get_state()


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA/apex#577: a state of another Adam has no 'bias_correction', which the next step reads",
)
class EleventhForeignState(Common):
    """A step is a KeyError behind a load of moments and clocks that this Adam has not saved itself."""

    dialect = "apex.FusedAdam"

    def begin(self) -> None:
        self.group: dict[str, Any] = {"bias_correction": True}

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "param_group": dict(self.group)}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.group = dict(state.get("param_group", {}))

    def admit(self, grads: Sequence[Array | None]) -> None:
        if not self.group["bias_correction"]:
            raise NotImplementedError("a step without corrections")


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA/apex#703, #704: state_dict and load_state_dict name fp32_groups_flat, which is fp32_groups",
)
class EleventhAttributeRenamed(Contributed):
    """To save or to load a state is an AttributeError."""

    def get_state(self) -> dict[str, Any]:
        raise AttributeError("the optimizer has no attribute 'fp32_groups_flat'")

    def set_state(self, state: dict[str, Any]) -> None:
        raise AttributeError("the optimizer has no attribute 'fp32_groups_flat'")


@wrong(
    "moments clock",
    "MOM.1",
    like="alan-turing-institute/deepsensor#47: train_epoch makes the optimizer at the start of each epoch",
)
class EleventhMadeEachEpoch(Coupled):
    """Moments and clocks begin anew with each epoch, which is four steps long."""

    def begin(self) -> None:
        self.batches = 0

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "batches": self.batches}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.batches = state.get("batches", self.batches)

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.batches % 4 == 0 and self.batches:
            for s in self.slots:
                s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)
        self.batches += 1
        super().all(grads)
