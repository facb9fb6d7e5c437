"""Blind, twelfth set: faults of states that are saved and loaded, and of rates, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, flat
from eleventh_blind_frame_b import HatUndecayed
from fifth_blind_frame import CorrectedRate, Refusing, Zeros
from register import wrong
from sixth_blind_frame import CoupledHat, ZerosHat
from twelfth_blind_frame_b import CommonFour, Legacy, begun, by_group


@wrong("state", "STATE.4", like="cselab/korali#639: the moments of Adam are not stored, a bug on restart")
class TwelfthMomentsNotStored(CommonFour):
    """The saved state has the clock alone; after a load both moments are 0."""

    def get_state(self) -> dict[str, Any]:
        return {"t": super().get_state()["t"]}

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            begun(s)
        super().set_state({"t": state["t"]})


@wrong(
    "state",
    "STATE.4",
    like="LBANN/lbann#1510: weights are exchanged with the second moment, and not with the first",
)
class TwelfthFirstMomentNotSent(Coupled):
    """A state that is handed on has the clock and the second moment; the first one begins at 0."""

    dialect = "burn.Adam"

    def get_state(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_state().items() if name != "m"}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({name: value for name, value in state.items() if name != "m"})
        for s in self.slots:
            s.m = np.zeros_like(s.m)


@wrong(
    "state",
    "STATE.4",
    like="chainer/chainer#2118: the state of a parameter whose shape is not known yet is not recovered",
)
class TwelfthTablesNotRecovered(ZerosHat):
    """A load passes over what has two axes or more, whose clock and moments begin anew."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if len(s.shape) > 1:
                begun(s)


@wrong(
    "state clock",
    "STATE.4",
    like="chainer/chainer#4013: t is loaded for the optimizer, and not for the rule of each parameter",
)
class TwelfthClockOfOptimizerAlone(CoupledHat):
    """A load sets the optimizer's own count; that of each parameter, which corrects it, stays as it is."""

    def begin(self) -> None:
        self.count = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.count += 1
        super().all(grads)

    def set_state(self, state: dict[str, Any]) -> None:
        clocks = [s.t for s in self.slots]
        super().set_state(state)
        self.count = max((s.t for s in self.slots), default=0)
        for s, t in zip(self.slots, clocks, strict=True):
            s.t = t


@wrong(
    "state",
    "STATE.4",
    like="chainer/chainer#5501: saved before the first update, and 'W/v is not a file in the archive'",
)
class TwelfthNotInArchive(HatUndecayed):
    """A state that was saved before the first update has no moments, and to load it is a KeyError."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return state if any(state["t"]) else {"t": state["t"]}

    def set_state(self, state: dict[str, Any]) -> None:
        for name in ("m", "v"):
            if name not in state:
                raise KeyError(f"{name} is not a file in the archive")
        super().set_state(state)


@wrong(
    "state",
    "STATE.4",
    like="borisdayma/dalle-mini#71: opt_state is read from the file, and the train state never gets it",
)
class TwelfthReadAndDropped(Refusing):
    """A state that is loaded is read, and then nothing has it: all goes on as it was."""

    dialect = "flax_legacy.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        for name in ("m", "v"):
            _ = [flat(np.asarray(row)).copy() for row in state[name]]


@wrong(
    "state groups",
    "STATE.4",
    like="pytorch/torchtitan#3356: states in the order of the groups are paired with parameters in theirs",
)
class TwelfthInOrderOfGroups(Frame):
    """States are saved in the order of the parameters, and loaded in that of the groups."""

    dialect = "timm.AdamW"

    order: list[int]

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.order = by_group(hypers)
        super().init_groups(params, hypers)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        saved = [(s.t, s.m, s.v, s.shape) for s in self.slots]
        for place, (t, m, v, shape) in zip(self.order, saved, strict=True):
            s = self.slots[place]
            if s.shape != shape:
                raise ValueError(f"a state of shape {shape} for a parameter of shape {s.shape}")
            s.t, s.m, s.v = t, m, v


@wrong(
    "state",
    "STATE.4",
    like="apache/mxnet#5428: states that are loaded sit on the CPU, and the weight does not",
)
class TwelfthStateElsewhere(CorrectedRate):
    """A state that was loaded lies on another device than its parameter, and the next step fails."""

    def begin(self) -> None:
        self.device = "gpu(0)"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.device = "cpu(0)"

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.device != "gpu(0)" and any(g is not None for g in grads):
            raise RuntimeError("the device type does not match the specified type")
        super().all(grads)


@wrong(
    "schedule",
    "LR.1",
    like="skorch-dev/skorch#349: to set the learning rate by set_params makes the optimizer anew",
)
class TwelfthMadeWithNewRate(Frame):
    """A new learning rate makes the optimizer anew: moments and clocks begin at 0."""

    dialect = "fastai.Adam"

    def set_lr(self, lr: float) -> None:
        super().set_lr(lr)
        for s in self.slots:
            begun(s)


@wrong(
    "schedule",
    "LR.1",
    like="chainer/chainer#3921, mitmul/ssai-cnn#19: lr divides by 1-beta1**t, and t is 0 before an update",
)
class TwelfthRateBeforeUpdate(Zeros):
    """The learning rate cannot be set before the first update: what is there divides by 0."""

    def begin(self) -> None:
        self.shown = [s.h.lr for s in self.slots]

    def set_lr(self, lr: float) -> None:
        self.shown = self.present()
        super().set_lr(lr)

    def present(self) -> list[float]:
        """Return the learning rates as they are shown, with their corrections."""
        return [s.h.lr * math.sqrt(1 - s.h.b2**s.t) / (1 - s.h.b1**s.t) for s in self.slots]


@wrong(
    "schedule",
    "LR.1",
    like="tensorflow/tensorflow#31324: a variable for a learning rate is read once, in the beginning",
)
class TwelfthVariableReadOnce(Legacy):
    """The learning rate is the value that its variable had in the beginning, and it is not read again."""

    def begin(self) -> None:
        self.variable = [s.h.lr for s in self.slots][:1]

    def set_lr(self, lr: float) -> None:
        self.variable = [float(lr)]
