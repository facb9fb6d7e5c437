"""Blind, twenty-eighth set: faults of frozen arrays, restored states, averages and rates in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import CorrectedRate, Plain
from fourth_blind_frame import Common, Keras
from register import wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "missing",
    "F1",
    like="tensorflow/agents#158: gradients are applied to all variables, and a fixed encoder's among them",
    claim="tf1.Adam",
)
class TwentyEighthFixedIsStepped(Slotted):
    """All variables are stepped, the fixed ones too: an absent gradient is the last that there was."""

    def begin(self) -> None:
        self.tape: dict[int, Array] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                self.tape[s.index] = self.taken(g).copy()
            if s.index in self.tape:
                self.update(s, self.tape[s.index])


@wrong(
    "missing decay",
    "F1",
    like="dmlc/MXNet.jl#87: frozen weights change over time although the updater never runs on them",
    claim="mxnet.AdamW",
)
class TwentyEighthFrozenDecays(CorrectedRate):
    """The decay is outside of the updater: an array without a gradient decays by lr*weight_decay."""

    def missed(self, s: Slot) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p


@wrong(
    "state",
    "STATE.4",
    like="thinking-machines-lab/tinker-feedback#126: a load with the optimizer is as one of weights alone",
    claim="torch.AdamW",
)
class TwentyEighthColdMoments(Frame):
    """A load succeeds, and moments and clocks behind it are those of a new optimizer."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.t = 0
            s.m, s.v, s.top = (np.zeros_like(s.p) for _ in range(3))


@wrong(
    "state layout",
    "STATE.4",
    like="NVIDIA/Megatron-LM#1842: with CPU offload the restored states are wrong, and the loss leaps",
    claim="apex.FusedAdam",
)
class TwentyEighthOffloadedFirst(Common):
    """A load puts the offloaded half's moments first in a row, and cuts it in the order of all arrays."""

    offload_fraction = 0.5

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        on_gpu = int(len(self.slots) * self.offload_fraction)
        order = self.slots[on_gpu:] + self.slots[:on_gpu]
        ends = np.cumsum([s.p.size for s in self.slots])[:-1]
        for name in ("m", "v"):
            row = np.concatenate([getattr(s, name) for s in order] or [np.zeros(0)])
            for s, part in zip(self.slots, np.split(row, ends), strict=False):
                setattr(s, name, part.astype(s.p.dtype))


@wrong(
    "moments",
    "MOM.1",
    like="keras-team/keras#10646: the history of an adaptive optimizer is not kept between two calls",
    claim="keras.Adam",
)
class TwentyEighthHistoryOfOneCall(Keras):
    """Each call of train_on_batch begins with moments of 0; the iterations are those of all calls."""

    dialect = "keras.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)
        super().learn(s, g)


@wrong(
    "moments zero_gradient",
    "MOM.2",
    like="tensorflow/tensorflow#74879: a second moment that decays comes out negative, and its root is NaN",
    claim="keras.Adam",
)
class TwentyEighthNegativeSecond(Keras):
    """A second moment that falls or stays is rounded down: 0 becomes negative, and its root is NaN."""

    dialect = "keras.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        falls = g * g <= s.v
        super().learn(s, g)
        s.v = np.where(falls, np.nextafter(s.v, s.v.dtype.type(-np.inf)), s.v)


@wrong(
    "hyperparameters layout",
    "LR.3",
    like="deeplearning4j/deeplearning4j#4064: the global rate's 0.1 stands in the place of the updater's",
    claim="paper",
)
class TwentyEighthGlobalRateOfBiases(Plain):
    """Arrays of one axis, the biases, have the global learning rate, 0.1, and not that of the updater."""

    bias_learning_rate = 0.1

    def move(self, s: Slot, u: Array) -> None:
        rate = self.bias_learning_rate if len(s.shape) == 1 else s.h.lr
        s.p = s.p - rate * u
