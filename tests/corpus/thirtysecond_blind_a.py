"""Blind, thirty-second set: faults of loads, powers, weights, norms and replays in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from fifth_blind_frame import Plain
from fourth_blind_frame import Keras
from register import right, wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "state",
    "STATE.4",
    like="nntrainer/nntrainer#1854: each train() reloads the optimizer's variables from the first load path",
    claim="paper",
)
class ThirtySecondReloadedByTrain(Plain):
    """A train() has five steps, and each behind a load begins with the loaded moments and clocks again."""

    iterations = 5

    def begin(self) -> None:
        self.load_path: dict[str, Any] | None = None
        self.done = 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.load_path, self.done = self.get_state(), 0

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.load_path is not None and self.done % self.iterations == 0:
            super().set_state(self.load_path)
        self.done += 1
        super().all(grads)


@wrong(
    "bias_correction clock",
    "BC.1",
    like="PersiaML/PERSIA#123: powers belong to a feature group, and each single embedding's update has them",
    claim="paper",
)
class ThirtySecondPowersPerEmbedding(Plain):
    """All rows of a table share the powers of the betas, and each row's update multiplies them once more."""

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) < 2 or not s.p.size:
            super().update(s, g)
            return
        self.learn(s, g)
        rows = s.shape[0]
        calls = (s.t - 1) * rows + np.arange(1, rows + 1)
        c1, c2 = (
            np.repeat(1 - np.power(b, calls, dtype=np.float64), s.p.size // rows).astype(s.p.dtype)
            for b in (s.h.b1, s.h.b2)
        )
        self.move(s, (s.m / (np.sqrt(s.v) / np.sqrt(c2) + s.h.eps)) / c1)


@wrong(
    "state clock",
    "STATE.4",
    like="tensorflow/tensorflow#49208: on resuming at an initial_epoch the optimizer's iterations begin at 0",
    claim="keras.Adam",
)
class ThirtySecondIterationsFromZero(Keras):
    """Behind a load the iterations count from 0; the moments are the loaded ones."""

    dialect = "keras.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.t = 0


@wrong(
    "moments",
    "MOM.1",
    like="keras-team/keras#58: the first Adam weighs old moments and new gradients wrongly",
    claim="keras.Adam",
)
class ThirtySecondWeightsExchanged(Keras):
    """In both averages the beta is the weight of what is new, and what it lacks to 1 that of what is old."""

    dialect = "keras.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * g + (1 - s.h.b1) * s.m
        s.v = (s.h.b2 * g) * g + (1 - s.h.b2) * s.v


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="LBANN/lbann#2376: weights that are not sharded are in the global norm once for each rank",
    claim="paper",
)
class ThirtySecondUnshardedCountedByRank(Plain):
    """All of four ranks have the vectors, which count four times in the norm that gradients are cut by."""

    ranks, value = 4, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        total = 0.0
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                own = float(np.sum(np.square(flat(g), dtype=np.float64)))
                total += own if len(s.shape) > 1 else self.ranks * own
        self.factor = self.value / math.sqrt(total) if total > self.value**2 else 1.0
        super().all(grads)

    def taken(self, g: Array) -> Array:
        row = flat(g)
        return row * row.dtype.type(self.factor) if self.factor != 1 else row


@wrong(
    "compilation moments",
    "STEP.3",
    like="tracel-ai/burn#5779: a captured step is replayed, and optimizers do not carry on as in eager steps",
    claim="burn.AdamW",
)
class ThirtySecondReplayOfCapture(Frame):
    """The third step is captured; each later one is its replay, which reads the moments and time it had."""

    dialect = "burn.AdamW"
    warmup = 2

    def begin(self) -> None:
        self.calls = 0
        self.captured: list[tuple[Array, Array, int]] = []

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.calls == self.warmup:
            self.captured = [(s.m.copy(), s.v.copy(), s.t) for s in self.slots]
        elif self.calls > self.warmup:
            for s, g, (m, v, t) in zip(self.slots, grads, self.captured, strict=True):
                if g is not None:
                    s.m, s.v, s.t = m.copy(), v.copy(), t
        self.calls += 1
        super().all(grads)


@right(claim="torch.AdamW")
class ThirtySecondRightInPlace(Frame):
    """AdamW in place in its own rows, with one more row for the step, and with corrections by expm1."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        c1, c2 = (-math.expm1(s.t * math.log(b)) if b else 1.0 for b in (h.b1, h.b2))
        root = math.sqrt(c2)
        s.m *= h.b1
        s.m += (1 - h.b1) * g
        square = (1 - h.b2) * g
        square *= g
        s.v *= h.b2
        s.v += square
        above = np.sqrt(s.v)
        above /= root
        above += h.eps
        np.divide(s.m, above, out=above)
        above *= h.lr / c1
        s.p *= 1 - h.lr * h.weight_decay
        s.p -= above


@right(claim="tf1.Adam")
class ThirtySecondRightRowByRow(Slotted):
    """TensorFlow 1's Adam, which goes through the rows of a table one by one, the last one first."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        alpha = s.h.lr * math.sqrt(c2) / c1
        rows = s.shape[0] if len(s.shape) > 1 and s.p.size else 1
        p, m, v, d = (a.reshape(rows, -1) if s.p.size else a[None] for a in (s.p, s.m, s.v, g))
        for i in reversed(range(rows)):
            m[i] = s.h.b1 * m[i] + d[i] * (1 - s.h.b1)
            v[i] = s.h.b2 * v[i] + (d[i] * (1 - s.h.b2)) * d[i]
            p[i] -= alpha * (m[i] / (np.sqrt(v[i]) + s.h.eps))
