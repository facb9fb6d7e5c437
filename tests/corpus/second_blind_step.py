"""Blind, second set: steps, rates and clipping of other Adams' bugs."""

from __future__ import annotations

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import equivalent, wrong


@wrong("moments", "STEP.1", like="1QB-Information-Technologies/ccvm#104")
class FreshGradientBesideStep(Frame):
    """The gradient itself is added to the step that replaces it."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        self.move(s, self.direction(s) + g)


@wrong("moments schedule", "STEP.1", like="gorgonia/gorgonia#494")
class FreshStepTwice(Frame):
    """The step is subtracted by the division itself, and again by the line after it."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = s.p - s.h.lr * u


@wrong("clipping moments", "MOM.2", like="ROCm/MIOpen#2868")
class FreshSquareAtMostOne(Frame):
    """The second moment is taken to be at most 1."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.v = np.minimum(s.v, 1)


@wrong("moments", "STEP.1", like="lessw2020/Ranger-Deep-Learning-Optimizer#8")
class FreshSlowWeights(Frame):
    """Every fifth step goes back half the way that the last five have gone."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["slow"] = s.p

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if s.t % 5 == 0:
            s.p = s.extra["slow"] = s.extra["slow"] + (s.p - s.extra["slow"]) / 2


@wrong("schedule moments", "LR.1", like="mlpack/mlpack#1279")
class FreshRateInsideMoment(Frame):
    """The learning rate is multiplied into the first moment, so that an old rate lives on there."""

    def learn(self, s: Slot, g: Array) -> None:
        before = s.m
        super().learn(s, g)
        s.m = s.h.b1 * before + (s.h.lr * (1 - s.h.b1)) * g

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - u


@wrong("mixed_precision", "NUM.1", like="mitsuba-renderer/drjit#411")
class FreshStepInHalf(Frame):
    """The quotient of the moments is rounded to float16."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u.astype(np.float16).astype(u.dtype))


@wrong("mixed_precision", "NUM.1", like="NVIDIA/apex#1842")
class FreshRemainderBorrowed(Frame):
    """A float32 is put together from its upper half, rounded, and its lower half as a signed number."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if s.p.dtype == np.float32:
            bits = s.p.view(np.uint32)
            carry = (bits & np.uint32(0x8000)) << np.uint32(1)
            s.p = np.where(np.isfinite(s.p), (bits + carry).view(np.float32), s.p)


@equivalent("a rate that is no float32 is a matter of a note (LR.1/all-bits): Keras keeps it so")
class FreshRateInFloat(Frame):
    """The learning rate is handed over as a float32, also beside float64 parameters."""

    def move(self, s: Slot, u: Array) -> None:
        lr = float(np.float32(s.h.lr))
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong("schedule groups", "LR.1", like="nvidia-cosmos/cosmos-rl#590")
class FreshRateOfFirstAlone(Frame):
    """A new learning rate reaches the first parameter alone."""

    def set_lr(self, lr: float) -> None:
        for s in self.slots[:1]:
            s.h.lr = lr


@wrong("complex", "CPX.1", like="yhtang/FunFact#224")
class FreshSquareOfRealPart(Frame):
    """Both parts of a complex number are divided by the root of the real part's squares."""

    def learn(self, s: Slot, g: Array) -> None:
        before = s.v
        super().learn(s, g)
        if s.dtype.kind == "c":
            real = np.repeat(g.reshape(-1, 2)[:, 0], 2)
            s.v = s.h.b2 * before + ((1 - s.h.b2) * real) * real


@wrong("bias_correction layout", "BC.1", like="PaddlePaddle/Paddle#62251")
class FreshBlockAhead(Frame):
    """Elements from index 64 on are corrected for the step after."""

    def direction(self, s: Slot) -> Array:
        now, ahead = corrections(s.h, s.t), corrections(s.h, s.t + 1)
        late = np.arange(s.m.size) >= 64
        c1, c2 = (np.where(late, b, a).astype(s.m.dtype) for a, b in zip(now, ahead, strict=True))
        u: Array = (s.m / (np.sqrt(s.v) / np.sqrt(c2) + s.h.eps)) / c1
        return u


@wrong("bias_correction", "BC.1", like="PennyLaneAI/pennylane#1928")
class FreshPowersOutside(Frame):
    """The power stands outside of the parentheses: (1-b)**t for 1-b**t."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1 - s.h.b1) ** s.t, (1 - s.h.b2) ** s.t
        u: Array = (s.m / (np.sqrt(s.v) / np.sqrt(c2) + s.h.eps)) / c1
        return u
