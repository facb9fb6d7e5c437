"""Blind, nineteenth set: faults of paths, windows, schedules and runs, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Keras, Nadam
from register import wrong
from sixth_blind_frame import WantingHat


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="afiaka87/glide-finetune#6: in half precision an eps of 1e-8 gives NaN behind the first step",
)
class NineteenthBHalfQuotient(Coupled):
    """Root, epsilon and quotient are numbers of float16, among which 1e-8 and small second moments are 0."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        half = np.float16
        below = np.sqrt((s.v / c2).astype(half)) + half(s.h.eps)
        return np.asarray(((s.m / c1).astype(half) / below).astype(s.p.dtype))


@wrong(
    "moments clock missing",
    "MOM.1",
    like="ooples/AiDotNet#1364: the path of vectors and that of tensors have moments and counters each",
)
class NineteenthBTwoPaths(Plain):
    """Steps in which a gradient is absent go another path, with moments and clocks that only it has."""

    def begin(self) -> None:
        self.other: list[tuple[Array, Array, int]] = [
            (np.zeros_like(s.m), np.zeros_like(s.v), 0) for s in self.slots
        ]

    def all(self, grads: Sequence[Array | None]) -> None:
        if all(g is not None for g in grads):
            super().all(grads)
        else:
            self.exchange()
            super().all(grads)
            self.exchange()

    def exchange(self) -> None:
        for i, s in enumerate(self.slots):
            here = s.m, s.v, s.t
            (s.m, s.v, s.t), self.other[i] = self.other[i], here

    def get_state(self) -> dict[str, Any]:
        rows = list(zip(self.slots, self.other, strict=True))
        return {
            **super().get_state(),
            "tensor_m": [self.shaped(s, m) for s, (m, _, _) in rows],
            "tensor_v": [self.shaped(s, v) for s, (_, v, _) in rows],
            "tensor_t": [t for _, (_, _, t) in rows],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        if "tensor_t" in state:
            self.exchange()
            names = {"m": "tensor_m", "v": "tensor_v", "t": "tensor_t"}
            super().set_state({name: state[kept] for name, kept in names.items()})
            self.exchange()
        super().set_state(state)


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="huggingface/diffusers#4387: lengths are multiplied by the micro-batches, and steps are not",
)
class NineteenthBLongerSchedule(Frame):
    """A schedule is four times as long as the run: what is in effect has gone a fourth of the way."""

    micro_batches = 4

    def begin(self) -> None:
        for s in self.slots:
            s.extra["first"] = s.h.lr

    def rate(self, s: Slot) -> float:
        first = float(s.extra["first"])
        return first + (s.h.lr - first) / self.micro_batches

    def move(self, s: Slot, u: Array) -> None:
        rate = self.rate(s)
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong(
    "loss_scale moments epsilon",
    "SCALE.1",
    like="keras-team/keras#21233: the wrapped optimizer divides by a factor that no loss was multiplied by",
)
class NineteenthBInnerFactor(Keras):
    """Gradients whose dynamic scale is gone already are divided by the inner optimizer's factor of 128."""

    loss_scale_factor = 128.0

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return np.asarray(row / row.dtype.type(self.loss_scale_factor))


@wrong(
    "moments clock",
    "STEP.1",
    like="tomhosking/torchseq#8: an epoch's end, which has too few examples for a step, is ignored",
)
class NineteenthBBelowThreshold(Frame):
    """Each third call is the end of an epoch, too small a batch for a step: its gradients are dropped."""

    sizes, threshold = (32, 32, 12), 32

    def begin(self) -> None:
        self.calls = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        size = self.sizes[self.calls % len(self.sizes)]
        self.calls += 1
        if size >= self.threshold:
            super().all(grads)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "calls": self.calls}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.calls = int(state.get("calls", self.calls))


@wrong(
    "decay",
    "DEC.2",
    like="OverLordGoldDragon/keras-adamw@b344d1a: a decay is normalized by 0 iterations",
)
class NineteenthBNoIterations(Nadam):
    """A weight decay is divided by the root of a number of iterations that nobody gave, and that is 0."""

    total_iterations = 0

    def move(self, s: Slot, u: Array) -> None:
        if s.h.weight_decay == 0:
            super().move(s, u)
        else:
            decay = s.h.weight_decay * float(np.sqrt(np.divide(1.0, self.total_iterations)))
            s.p = s.p - s.h.lr * decay * s.p - s.h.lr * u


@wrong(
    "isolation clock",
    "STATE.3",
    like="qiskit-community/qiskit-aqua#1007: t is set in the constructor, and a second run goes on from it",
)
class NineteenthBCountOfConstructor(WantingHat):
    """A run's first update has the number behind the last one of the run before; none is beyond maxiter."""

    dialect = "qiskit.ADAM"
    maxiter: ClassVar[int] = 10_000
    count: ClassVar[int] = 0

    def begin(self) -> None:
        for s in self.slots:
            s.t = NineteenthBCountOfConstructor.count

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if all(s.t < self.maxiter for s in self.slots):
            super().all(grads)
            NineteenthBCountOfConstructor.count = max((s.t for s in self.slots), default=0)
