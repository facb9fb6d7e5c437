"""Blind, thirty-fourth set: faults of sums, scalars, halves and rates in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections, flat
from fifth_blind_frame import Plain, Zeros
from fourth_blind_frame import Keras
from register import right, wrong
from tenth_blind_frame_b import Slotted, Wanting


@wrong(
    "moments",
    "MOM.1",
    like="chelsea0x3b/dfdx#567: accumulated gradients are summed, and not divided by their number",
    claim="torch.Adam",
)
class ThirtyFourthAccumulatedNotDivided(Coupled):
    """A gradient is accumulated over four batches and not divided by four: it is four times as big."""

    accumulations = 4

    def taken(self, g: Array) -> Array:
        total = np.zeros_like(flat(g))
        for _ in range(self.accumulations):
            total += flat(g)
        return total


@wrong(
    "bias_correction schedule clock",
    "BC.1",
    like="benoitsteiner/tensorflow-opencl#16: alpha is made on the host of scalars that are on the device",
    claim="tf1.Adam",
)
class ThirtyFourthAlphaOfHostMemory(Slotted):
    """Alpha is made of what the host's memory has: the rate and the powers before the first step, always."""

    def begin(self) -> None:
        self.host = [(s.h.lr, s.h.b1, s.h.b2) for s in self.slots]  # the device's go on, these do not

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)

    def move(self, s: Slot, u: Array) -> None:
        lr, beta1_power, beta2_power = self.host[s.index]
        alpha = lr * math.sqrt(1 - beta2_power) / (1 - beta1_power)
        s.p = s.p - alpha * u


@wrong(
    "mixed_precision loss_scale",
    "NUM.1",
    like="microsoft/onnxruntime#4268: the loss and its scale are multiplied in fp16, to begin the backward",
    claim="onnxruntime.AdamW",
)
class ThirtyFourthScaledInHalf(Wanting):
    """Gradients are multiplied by a loss scale of 1024 in half precision, and divided by it in single."""

    loss_scale = 1024.0

    def taken(self, g: Array) -> Array:
        row = flat(g)
        scaled = row.astype(np.float16) * np.float16(self.loss_scale)
        return scaled.astype(row.dtype) / row.dtype.type(self.loss_scale)


@wrong(
    "schedule state",
    "STATE.4",
    like="chainer/chainermn#225: a shifted rate has its initial value again behind a resume",
    claim="chainer.Adam",
)
class ThirtyFourthShiftedRateIsInitial(Zeros):
    """Behind a load the rate is the first of the run that was saved, until it is shifted again."""

    def begin(self) -> None:
        self.initial = [s.h.lr for s in self.slots]
        self.is_back = False

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if any(s.h.lr != hyper.get("lr", s.h.lr) for s in self.slots):
            self.is_back = False
        super().set_hyper(hyper)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "init": list(self.initial)}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.initial = list(state.get("init", self.initial))
        self.is_back = True

    def move(self, s: Slot, u: Array) -> None:
        lr = self.initial[s.index] if self.is_back else s.h.lr
        s.p = s.p - s.h.weight_decay * s.p - lr * u


@wrong(
    "schedule sharding",
    "LR.1",
    like="hill-a/stable-baselines#52: steps are not summed over workers, each anneals a rate of its own",
    claim="tf1.Adam",
)
class ThirtyFourthWorkersAnneal(Slotted):
    """Two workers anneal by their own part of the time: a change of the rate comes by 3/4 and by 1/4."""

    parts = (0.75, 0.25)  # of all timesteps, as episodes have lengths of their own

    def begin(self) -> None:
        for s in self.slots:
            s.extra["first"] = s.h.lr

    def move(self, s: Slot, u: Array) -> None:
        first, part = float(s.extra["first"]), self.parts[s.index % len(self.parts)]
        annealed = s.h.lr if s.h.lr == first else first + (s.h.lr - first) * part
        s.p = s.p - annealed * u


@wrong(
    "epsilon hyperparameters",
    "EPS.2",
    like="ibab/tensorflow-wavenet#149: the epsilon is a tiny one, and steps blow up where v is small",
    claim="tf1.Adam",
)
class ThirtyFourthTinyEpsilon(Slotted):
    """The epsilon that is given is not handed on: it is 1e-8 in every denominator."""

    library_epsilon = 1e-8

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + self.library_epsilon))


@wrong(
    "missing",
    "F1",
    like="jacobgil/keras-dcgan#10: trainable=False behind compile does not stop the discriminator's updates",
    claim="keras.Adam",
)
class ThirtyFourthFrozenAfterCompile(Keras):
    """What has had a gradient once is stepped for ever, without a new one by the last that there was."""

    dialect = "keras.Adam"

    def begin(self) -> None:
        self.trainable: dict[int, Array] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for i, g in enumerate(grads):
            if g is not None:
                self.trainable[i] = g.copy()
        super().all([self.trainable.get(i) for i in range(len(grads))])


@right(claim="paper")
class ThirtyFourthRightClosures(Plain):
    """Algorithm 1 as a list of closures, one for each array, which is made for the step and then run."""

    def all(self, grads: Sequence[Array | None]) -> None:
        todo = [self.prepared(s, g) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for run in reversed(todo):
            run()

    def prepared(self, s: Slot, g: Array) -> Callable[[], None]:
        h, row, t = s.h, flat(g), s.t + 1
        c1, c2 = corrections(h, t)
        size, unroot = h.lr / c1, 1 / math.sqrt(c2)

        def run() -> None:
            s.t = t
            s.m = s.m + (1 - h.b1) * (row - s.m) if h.b1 > 0.5 else h.b1 * s.m + (1 - h.b1) * row
            s.v = h.b2 * s.v + row * ((1 - h.b2) * row)
            s.p = s.p - (s.m / (np.sqrt(s.v) * unroot + h.eps)) * size

        return run


@right(claim="chainer.Adam")
class ThirtyFourthRightOneScratch(Zeros):
    """Chainer's Adam in place, with one scratch row of an array's size, and zeros that are never made."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        s.m *= s.h.b1
        s.v *= s.h.b2
        self.moved(s, np.empty_like(s.p))

    def update(self, s: Slot, g: Array) -> None:
        scratch = np.multiply(g, 1 - s.h.b1)
        s.m *= s.h.b1
        s.m += scratch
        np.multiply(g, 1 - s.h.b2, out=scratch)
        scratch *= g
        s.v *= s.h.b2
        s.v += scratch
        self.moved(s, scratch)

    def moved(self, s: Slot, scratch: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        np.sqrt(s.v, out=scratch)
        scratch += s.h.eps
        np.divide(s.m, scratch, out=scratch)
        scratch *= s.h.lr * math.sqrt(c2) / c1
        s.p *= 1 - s.h.weight_decay
        s.p -= scratch
