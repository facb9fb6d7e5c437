"""Blind, sixth set: slips in weight decay, the clock and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import CommonHat, Plain
from fourth_blind_frame import Common, Keras
from register import wrong
from sixth_blind_frame import Unscaled


@wrong("decay schedule", "DEC.2", like="kozistr/AdaBound-tensorflow#4")
class SixthRateDecaysInstead(Frame):
    """The decay is taken for one of the learning rate, which is divided by 1 + weight_decay*t."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.lr / (1 + s.h.weight_decay * s.t)) * u


@wrong("decay", "DEC.2", like="pytorch/pytorch#3740: addcmul_(-weight_decay, p, p)")
class SixthDecayOfSquare(Frame):
    """What decays is the parameter's square."""

    dialect = "bitsandbytes.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.lr * s.h.weight_decay * s.p) * s.p - s.h.lr * u


@wrong("decay layout", "DEC.1", like="anhquan0412/basic_model_scratch#2")
class SixthDecayPerRow(Coupled):
    """The penalty is divided by the length of the first axis, as if that were the size of the batch."""

    def penalized(self, s: Slot, g: Array) -> Array:
        rows = max(1, s.shape[0]) if s.shape else 1
        return g + (s.h.weight_decay / rows) * s.p


@wrong("decay schedule", "DEC.2", like="OverLordGoldDragon/keras-adamw: normalized weight decay")
class SixthDecayNormalized(Keras):
    """The decay is divided by the root of the number of updates."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.lr * s.h.weight_decay / math.sqrt(s.t)) * s.p - s.h.lr * u


@wrong("decay", "DEC.5", like="tensorflow/addons: the operation of the decay behind that of the step")
class SixthTfaDecaysAfter(Unscaled):
    """The updated parameter decays, where the old one should."""

    def move(self, s: Slot, u: Array) -> None:
        moved = s.p - s.h.lr * u
        s.p = moved - s.h.weight_decay * moved


@wrong("decay", "DEC.1", like="deepspeedai/DeepSpeed#484")
class SixthApexModeIgnored(Common):
    """The mode that asks for L2 is accepted, and the parameter decays all the same."""

    options = {"adam_w_mode": "False"}  # noqa: RUF012


@wrong("clock", "CLK.1", like="Shubham-cyber-prog/100-Days-Of-Web-Development-ECWoC26#1575")
class SixthTicksPerTensor(CommonHat):
    """One count serves all arrays, and each of them raises it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            for every in self.slots:
                self.tick(every)
            if g is not None:
                self.update(s, self.taken(g))


@wrong("schedule", "STEP.1", like="tensorflow/swift-apis#564: learningRate * step / (1 - beta1Power)")
class SixthRateTimesCount(Plain):
    """The rate is multiplied by the number of the update."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, s.t * u)


@wrong("schedule", "LR.3", like="SPOClab-ca/dn3#6")
class SixthNewRateIsDefault(Coupled):
    """A change of the learning rate, whatever it is to, sets it to the default of 0.001."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({**hyper, "lr": 1e-3} if "lr" in hyper else hyper)


@wrong("layout schedule", "STEP.1", like="microsoft/mup: MuAdamW")
class SixthRateByWidth(Frame):
    """The step of an array of two axes or more is divided by the length of its last axis."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u / max(1, s.shape[-1]) if len(s.shape) > 1 else u)
