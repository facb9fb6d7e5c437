"""Blind, twentieth set: faults of decays, rates and stored moments, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Modulus, Plain
from register import wrong
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame_b import begun


@wrong(
    "decay mixed_precision",
    "NUM.1",
    like="PaddlePaddle/Paddle#35124: the CPU kernel of AdamW is wrong for parameters of float64",
)
class TwentiethBDecayOfFloats(Frame):
    """The rate and the coefficient of the decay are floats, also where the parameter is of float64."""

    dialect = "paddle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        share = np.float32(s.h.lr) * np.float32(s.h.weight_decay)
        s.p = s.p - s.p.dtype.type(share) * s.p - s.h.lr * u


@wrong(
    "moments clock",
    "STATE.1",
    like="FluxML/Optimisers.jl#29: update(st, x, gs) is none of the right forms, and runs all the same",
)
class TwentiethBStateOfTheCall(Modulus):
    """The state is not where the step looks for it: each call makes a new one, and is a first update."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                begun(s)
        super().all(grads)


@wrong(
    "decay",
    "DEC.1",
    like="tracel-ai/burn#543: the transformation that all optimizers share for weight_decay has a bug",
)
class TwentiethBPenaltyOfLastGradient(Coupled):
    """The penalty is a share of the gradient of the step before, where it should be of the parameter."""

    dialect = "burn.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        last = s.extra.get("grad_last_step")
        s.extra["grad_last_step"] = g.copy()
        return g if last is None else np.asarray(last * s.p.dtype.type(s.h.weight_decay) + g)


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="DeepLabCut/DeepLabCut#2393: Adam is stepped with the rates of the schedule that SGD had",
)
class TwentiethBScheduleOfDescent(Slotted):
    """Whatever rate is given, a table that was made for plain descent says with which one a step is made."""

    multi_step = ((10, 0.005), (430, 0.02), (730, 0.002), (1030, 0.001))

    def rate(self, t: int) -> float:
        return next((rate for end, rate in self.multi_step if t <= end), self.multi_step[-1][1])

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.rate(s.t) * u


@wrong(
    "storage zero_gradient",
    "MOM.1",
    like="MrNeRF/LichtFeld-Studio#2066: no code of the moments stands for an m of 0, and v becomes 0",
)
class TwentiethBNoCodeOfZero(Plain):
    """The least m that is kept is 1e-19, that of 0 as well, while a small v becomes 0: rows at rest drift."""

    least_m, least_v = 1e-19, 1e-38

    def begin(self) -> None:
        for s in self.slots:
            self.encode(s)

    def encode(self, s: Slot) -> None:
        least = np.copysign(s.m.dtype.type(self.least_m), s.m)
        s.m = np.where(np.abs(s.m) < self.least_m, least, s.m)
        s.v = np.where(s.v < self.least_v, s.v.dtype.type(0), s.v)

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        self.encode(s)


def code_book(signed: bool) -> Array:
    """Return the numbers of a dynamic map, in ascending order."""
    exponents = 7
    numbers = [0.0, 1.0]
    for i in range(exponents):
        power = 10.0 ** (i - exponents + 1)
        ends = np.linspace(0.1, 1, 2 ** (i if signed else i + 1) + 1)
        middles = (ends[:-1] + ends[1:]) / 2 * power
        numbers += [*middles, *(-middles if signed else ())]
        if not signed:  # items of the last pass, which stand in every pass here
            ends = np.linspace(0.1, 1, 3)
            numbers += [*((ends[:-1] + ends[1:]) / 2 * power)]
    return np.sort(np.asarray(numbers, np.float32))


@wrong(
    "storage moments",
    "STORE.14",
    like="kohya-ss/sd-scripts#523: with a newer bitsandbytes the loss of 8-bit AdamW is NaN in any dtype",
)
class TwentiethBBookTooLong(Frame):
    """Moments have codes of 8 bits; the map of v has 270 numbers, so that codes of the largest wrap."""

    dialect = "bitsandbytes.AdamW"
    blocksize = 256
    signed, unsigned = code_book(True), code_book(False)

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.m, s.v = self.kept_as(self.signed, s.m), self.kept_as(self.unsigned, s.v)

    def kept_as(self, book: Array, row: Array) -> Array:
        between = (book[:-1] + book[1:]) / 2
        out = np.zeros_like(row)
        for begin in range(0, row.size, self.blocksize):
            block = row[begin : begin + self.blocksize].astype(np.float32)
            absmax = np.abs(block).max()
            codes = np.searchsorted(between, block / (absmax or np.float32(1))).astype(np.uint8)
            out[begin : begin + self.blocksize] = book[codes] * absmax
        return out
