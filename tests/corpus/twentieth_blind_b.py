"""Blind, twentieth set: faults of rates, sizes, rows and accumulation, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eighth_blind_frame import lengths
from fifth_blind_frame import Zeros
from fourth_blind_frame import Common
from register import wrong
from seventh_blind_frame import Holding
from tenth_blind_frame_b import Slotted, sixteen
from twelfth_blind_frame_b import CommonFour, Legacy


@wrong(
    "bias_correction",
    "BC.3",
    like="PennyLaneAI/pennylane#53: odd steps, and a test that passes: stepsize is corrected in its place",
)
class TwentiethStepsizeIsCorrected(CommonFour):
    """Each step multiplies the rate by its correction where it is kept, and so by all the former ones."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["corrected"] = 1.0

    def tick(self, s: Slot) -> None:
        super().tick(s)
        c1, c2 = corrections(s.h, s.t)
        s.extra["corrected"] *= math.sqrt(c2) / c1

    def direction(self, s: Slot) -> Array:
        return s.extra["corrected"] * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "layout",
    "STEP.1",
    like="NVIDIA/TransformerEngine#3136: sizes of tensors are signed and too short (int32, here int16)",
)
class TwentiethSizesWrap(Common):
    """A size is kept in 16 bits with a sign: chunks of an array from 32768 elements on are left out."""

    dialect = "transformer_engine.FusedAdam"
    chunk_size = 2048

    def update(self, s: Slot, g: Array) -> None:
        old = s.p, s.m, s.v
        super().update(s, g)
        done = np.zeros(s.p.size, np.bool_)
        for offset in range(0, s.p.size, self.chunk_size):
            n = min(sixteen(s.p.size) - offset, self.chunk_size)
            done[offset : offset + max(n, 0)] = True
        s.p, s.m, s.v = (np.where(done, new, was) for new, was in zip((s.p, s.m, s.v), old, strict=True))


def by_row(s: Slot, a: Array) -> Array:
    """Return a flat array as rows of its parameter's first axis."""
    return a.reshape(s.shape[0], -1) if a.size else a.reshape(0, 1)


@wrong(
    "zero_gradient sparse",
    "SPARSE.2",
    like="tensorflow/tensorflow#6460: rows that are absent keep m and v, which the dense update decays",
)
class TwentiethAbsentRowsAreKept(Slotted):
    """Rows whose gradient is 0 keep both moments and stay where they are."""

    def update(self, s: Slot, g: Array) -> None:
        old = s.p, s.m, s.v
        super().update(s, g)
        if s.shape:
            listed = np.any(by_row(s, g) != 0, axis=1, keepdims=True)
            s.p, s.m, s.v = (
                np.where(listed, by_row(s, new), by_row(s, was)).reshape(-1)
                for new, was in zip((s.p, s.m, s.v), old, strict=True)
            )


@wrong(
    "missing layout",
    "F1",
    like="deepspeedai/DeepSpeed#545: what a micro-step adds lacks None, and is added from the beginning on",
)
class TwentiethUnbalancedGradients(Holding):
    """The second of two micro-steps adds a row of the gradients that are there, from the first place on."""

    def all(self, grads: Sequence[Array | None]) -> None:
        if any(g is None for g in grads) and any(g is not None for g in grads):
            grads = self.accumulated(grads)
        super().all(grads)

    def accumulated(self, grads: Sequence[Array | None]) -> list[Array | None]:
        halves = [None if g is None else self.taken(g) / 2 for g in grads]
        averaged = np.concatenate(
            [np.zeros_like(s.p) if h is None else h for s, h in zip(self.slots, halves, strict=True)]
        )
        new = np.concatenate([h for h in halves if h is not None])
        averaged[: new.size] += new
        ends = np.cumsum([s.p.size for s in self.slots])[:-1]
        return [self.shaped(s, row.astype(s.p.dtype)) for s, row in zip(
            self.slots, np.split(averaged, ends), strict=True)]  # fmt: skip


@wrong(
    "sparse layout zero_gradient",
    "SPARSE.2",
    like="juntang-zhuang/Adabelief-Optimizer#20: full tensors are scattered to indices, nothing is gathered",
)
class TwentiethScattersFullTensor(Legacy):
    """Where rows have no gradient the others get the first rows of the update, not those of their index."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        change = s.h.lr * self.direction(s)
        indices = np.flatnonzero(np.any(by_row(s, g) != 0, axis=1)) if s.shape else np.arange(1)
        if not s.shape or len(indices) == s.shape[0]:
            s.p = s.p - change
        else:
            table = by_row(s, s.p).copy()
            table[indices] -= by_row(s, change)[: len(indices)]
            s.p = table.reshape(-1)


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="chainer/chainer#6299: the default epsilon of 1e-8 is 0 where it is a number of fp16",
)
class TwentiethEpsilonOfHalf(Zeros):
    """Epsilon is a number of float16: 1e-8 is 0 there, and what is larger is rounded."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        eps = float(np.float16(s.h.eps))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + eps))


@wrong(
    "clipping",
    "CLIP.1",
    like="petuum/adaptdl#26: sums are divided by their number inside step(), behind the user's clip",
)
class TwentiethClipsTheSum(Frame):
    """The sum of four micro-batches is clipped to a norm of 1, and only then divided by four."""

    accumulation, max_norm = 4, 1.0
    factor = 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        norm = self.accumulation * math.sqrt(lengths(grads))
        self.factor = self.max_norm / norm if norm > self.max_norm else 1.0
        super().all(grads)

    def taken(self, g: Array) -> Array:
        total = super().taken(g) * self.accumulation
        return total * self.factor / self.accumulation
