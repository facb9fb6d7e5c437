"""Blind, twenty-third set: faults of decay, checkpoints, names and accumulators in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Plain
from register import wrong
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame import RunningCoupled


@wrong(
    "decay hyperparameters",
    "DEC.1",
    like="fastai/fastai2#256: the weight decay of RAdam is not applied as it should be",
    claim="torch.Adam",
)
class TwentyThirdPenaltyBehindStats(Coupled):
    """The steppers run behind the statistics: the penalty joins a gradient that no average reads any more."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        for stepper in (self.l2_reg, self.adam_step):
            g = stepper(s, g)

    def l2_reg(self, s: Slot, g: Array) -> Array:
        return g + s.h.weight_decay * s.p

    def adam_step(self, s: Slot, g: Array) -> Array:
        self.move(s, self.direction(s))
        return g


@wrong(
    "moments clock",
    "STEP.1",
    like="apache/systemds#526: what Adam's update returns, p, m and v, is not used, and t stays 0",
    claim="numpy_ml.Adam",
)
class TwentyThirdReturnedIsUnused(Plain):
    """An update returns new parameters and moments, which nobody takes; the clock stays 0: nothing moves."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.updated(s, self.taken(g), s.t + 1)

    def updated(self, s: Slot, g: Array, t: int) -> tuple[Array, Array, Array]:
        m = s.h.b1 * s.m + (1 - s.h.b1) * g
        v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        below = np.sqrt(v) / np.sqrt(1 - s.h.b2**t) + s.h.eps
        return s.p - s.h.lr * (m / below / (1 - s.h.b1**t)), m, v


@wrong(
    "state",
    "STATE.4",
    like="marian-nmt/marian-dev#64: Adam's statistics were not saved, so that a run goes on with zeros",
    claim="torch.AdamW",
)
class TwentyThirdStatisticsNotSaved(Frame):
    """A checkpoint has the number of updates, and no statistics: behind a load both moments are zeros."""

    def get_state(self) -> dict[str, Any]:
        return {k: x for k, x in super().get_state().items() if k not in ("m", "v", "v_max")}

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            s.m, s.v, s.top = (np.zeros_like(s.p) for _ in range(3))
        super().set_state(state)


@wrong(
    "moments",
    "MOM.1",
    like="Open-Deep-ML/DML-OpenProblem#458: a step asks that no element of the first moment is negative",
    claim="paper",
)
class TwentyThirdNegativeMomentRefused(Plain):
    """A step begins with a look at its input, and refuses a first moment that has a negative element."""

    def update(self, s: Slot, g: Array) -> None:
        if np.any(s.m < 0):
            raise ValueError("m must be non-negative")
        if np.any(s.v < 0):
            raise ValueError("v must be non-negative")
        super().update(s, g)


@wrong(
    "groups layout",
    "LR.4",
    like="apache/mxnet#2337: for several devices names are listed repeatedly, and indices are the store's",
    claim="mxnet.Adam",
)
class TwentyThirdNamesRepeated(CoupledHat):
    """Names are listed once for each of two devices: parameter i has the multipliers of parameter i/2."""

    num_device = 2

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        names = [i for i in range(len(params)) for _ in range(self.num_device)]
        idx2name = dict(enumerate(names))
        looked_up = [
            {
                **given,
                **{k: hypers[idx2name[i]][k] for k in ("lr", "weight_decay") if k in hypers[idx2name[i]]},
            }
            for i, given in enumerate(hypers)
        ]
        super().init_groups(params, looked_up)


@wrong(
    "bias_correction",
    "BC.1",
    like="PaddlePaddle/Paddle#31995: Adam on the NPU was wrong where beta1's power accumulator is on the CPU",
    claim="paddle.Adam",
)
class TwentyThirdPowerOnHost(RunningCoupled):
    """The first beta's power is on the host, and the product stays on the device: it is beta1 for ever."""

    def left(self, s: Slot) -> tuple[float, float]:
        c2 = super().left(s)[1]
        return 1 - s.h.b1, c2
