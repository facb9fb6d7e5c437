"""Blind, thirty-ninth set, second half: loss scales, clips, splits and saves, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Keras, Uncorrected, brained
from register import right, wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "loss_scale",
    "SCALE.2",
    like="tensorflow/tensorflow#38357: the dynamic loss scale is 1 at least, and each step is skipped",
)
class ThirtyNinthBScaleNotBelowOne(Keras):
    """Gradients that overflow float16 at a loss scale of 1 are skipped in each step: it goes no lower."""

    dialect = "keras.AdamW"
    largest = 65504.0

    def begin(self) -> None:
        self.loss_scale = 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [np.abs(self.taken(g)) for g in grads if g is not None]
        if any(bool(np.any(row * self.loss_scale > self.largest)) for row in rows):
            self.loss_scale = max(self.loss_scale / 2, 1.0)
            return
        super().all(grads)


@wrong(
    "state missing",
    "STATE.4",
    like="deepspeedai/DeepSpeed#2653: frozen weights have no state, and checkpoints mishandle them",
)
class ThirtyNinthBFrozenNotCounted(Frame):
    """A save lists the states of those that had a gradient; a load deals them out from the first on."""

    dialect = "torch.AdamW"

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        trained = [s.index for s in self.slots if s.t > 0]
        return {"partitions": {name: [values[i] for i in trained] for name, values in whole.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "partitions" not in state:
            super().set_state(state)
            return
        whole = super().get_state()
        for name, values in state["partitions"].items():
            whole[name][: len(values)] = values
        for s in self.slots:
            if whole["m"][s.index].shape != s.shape:
                raise ValueError(f"shape of {s.index}: {whole['m'][s.index].shape} is not {s.shape}")
        super().set_state(whole)


@wrong(
    "clipping",
    "CLIP.3",
    like="NVIDIA/DeepLearningExamples#293: BertAdam clips each parameter's gradient by its own norm",
)
class ThirtyNinthBOwnNorm(Uncorrected):
    """Each gradient whose own norm is above 1 is clipped to it."""

    dialect = "BertAdam"
    max_grad_norm = 1.0

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        norm = float(np.sqrt(np.sum(np.square(row, dtype=np.float64))))
        return row * (self.max_grad_norm / (norm + 1e-6)) if norm > self.max_grad_norm else row


@wrong(
    "epsilon hyperparameters",
    "EPS.2",
    like="ibab/tensorflow-wavenet#147: with Adam's own epsilon a step blows up late in training",
)
class ThirtyNinthBOwnEpsilon(Slotted):
    """The epsilon that is given is not handed on: it is Adam's 1e-8 always."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + 1e-8))


@wrong(
    "state schedule",
    "STATE.4",
    like="Nerogar/OneTrainer#1604: a resumed cosine has a new length, and its progress is not clamped",
)
class ThirtyNinthBCosineRisesAgain(Frame):
    """Behind a load the rate follows a cosine of twenty steps more, whose progress goes on past its end."""

    dialect = "torch.AdamW"
    more, start = 20, -1

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.start = max((s.t for s in self.slots), default=0)

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr
        if self.start >= 0:
            lr *= 0.5 * (1 + math.cos(math.pi * (s.t - self.start) / self.more))
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "storage mixed_precision",
    "STORE.3",
    like="flagos-ai/TransformerEngine-FL#34: the remainder in int16 is a scaled and clamped difference",
)
class ThirtyNinthBClampedRemainder(Common):
    """A parameter is a bfloat16 and an int16 remainder: 2**16 times their difference, rounded and clamped."""

    dialect = "transformer_engine.FusedAdam"
    unit = 65536.0

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        high = brained(s.p)
        remainder = np.clip(np.rint((s.p - high) * self.unit), -32768, 32767)
        s.p = np.where(np.isfinite(s.p), high + remainder / self.unit, s.p).astype(s.p.dtype)


@right(claim="paper")
class ThirtyNinthBRightExpm1(Plain):
    """The corrections are formed of logarithms, and the moments are moved by their distance."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = (-math.expm1(s.t * math.log(b)) if b > 0 else 1.0 for b in (s.h.b1, s.h.b2))
        return (s.m * (1 / c1)) / (np.sqrt(s.v / c2) + s.h.eps)

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m - (1 - s.h.b1) * (s.m - g)
        s.v = s.v + ((1 - s.h.b2) * g * g - (1 - s.h.b2) * s.v)


@right(claim="apex.FusedAdam")
class ThirtyNinthBRightChunks(Common):
    """The fused launch: a list of chunks of 64 elements over all arrays, each stepped by itself."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.tick(s)
        pairs = [(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s, _ in pairs:
            s.p, s.m, s.v = s.p.copy(), s.m.copy(), s.v.copy()
        chunks = [(s, g, slice(i, i + 64)) for s, g in pairs for i in range(0, s.p.size, 64)]
        for s, g, part in chunks:
            h, x, d = s.h, s.p[part], g[part]
            c1, c2 = corrections(h, s.t)
            m = s.m[part] = h.b1 * s.m[part] + (1 - h.b1) * d
            v = s.v[part] = h.b2 * s.v[part] + (1 - h.b2) * d * d
            update = (m / c1) / (np.sqrt(v / c2) + h.eps) + h.weight_decay * x
            s.p[part] = x - h.lr * update


@right(claim="torch.AdamW")
class ThirtyNinthBRightOneBuffer(Frame):
    """One buffer of three rows for each parameter: decay is a factor, and the step's length a number."""

    def update(self, s: Slot, g: Array) -> None:
        h, buffer = s.h, np.stack([s.p, s.m, s.v])
        weights = np.array([1 - h.lr * h.weight_decay, h.b1, h.b2], buffer.dtype)[:, None]
        buffer *= weights
        buffer[1] += (1 - h.b1) * g
        buffer[2] += g * ((1 - h.b2) * g)
        c1, c2 = corrections(h, s.t)
        buffer[0] -= (h.lr / c1) * (buffer[1] / (np.sqrt(buffer[2]) * (1 / math.sqrt(c2)) + h.eps))
        s.p, s.m, s.v = (np.array(row) for row in buffer)
