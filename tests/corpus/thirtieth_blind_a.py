"""Blind, thirtieth set: faults of storage, clipping, absent gradients, groups and corrections in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eighth_blind_frame import lengths
from fifth_blind_frame import CommonHat, Later, Plain
from register import right, wrong


def posits() -> Array:
    """Return the positive posits of 8 bits with one bit of exponent, in ascending order."""
    values = []
    for word in range(1, 128):
        bits = f"{word:07b}"
        regime = len(bits) - len(bits.lstrip(bits[0]))
        k = regime - 1 if bits[0] == "1" else -regime
        rest = bits[regime + 1 :].ljust(1, "0")
        digits = rest[1:]
        fraction = int(digits, 2) / 2 ** len(digits) if digits else 0.0
        values.append(4.0**k * 2.0 ** int(rest[0]) * (1 + fraction))
    return np.asarray(values)


TABLE = posits()
BETWEEN = (TABLE[1:] + TABLE[:-1]) / 2


def posited(a: Array) -> Array:
    """Return an array rounded to posits of 8 bits: what is not 0 neither underflows nor overflows."""
    near = np.copysign(TABLE[np.searchsorted(BETWEEN, np.abs(a))], a)
    return np.asarray(np.where(np.isfinite(a) & (a != 0), near, a), a.dtype)


@wrong(
    "storage",
    "MOM.4",
    like="hpc-ulisboa/posit-neuralnet#2: a state in posits of 8 bits gives no sensible results, 16 do",
    claim="paper",
)
class ThirtiethStateInPosits(Plain):
    """Both moments are kept in posits of 8 bits, of which the least is 2**-12."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.m, s.v = posited(s.m), posited(s.v)


@wrong(
    "clipping",
    "CLIP.2",
    like="nex-agi/weaver#7: the default of grad_clip_norm in AdamParams is another one than it is to be",
    claim="torch.AdamW",
)
class ThirtiethClipsUnasked(Frame):
    """Nobody asks for clipping, and the step clips all gradients to a common norm of 1."""

    grad_clip_norm = 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        norm = math.sqrt(lengths(grads))
        if norm > self.grad_clip_norm:
            share = self.grad_clip_norm / (norm + 1e-6)
            grads = [None if g is None else (g * share).astype(g.dtype) for g in grads]
        super().all(grads)


@wrong(
    "missing",
    "F1",
    like="PennyLaneAI/pennylane#2381: what is not marked as trainable is updated with the rest",
    claim="pennylane.Adam",
)
class ThirtiethUnmarkedAreUpdated(CommonHat):
    """An array that has no gradient goes on by the moments that it has."""

    dialect = "pennylane.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                self.move(s, self.direction(s))


@wrong(
    "groups decay",
    "LR.4",
    like="open-mmlab/mmengine#846: a module's lr multiplier overwrites the decay multipliers of its norms",
    claim="torch.AdamW",
)
class ThirtiethDecayUnderOwnRate(Frame):
    """Vectors whose group has a rate of its own decay by the first group's weight decay, not by their own."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        first = hypers[0] if hypers else {}
        settings = []
        for p, own in zip(params, hypers, strict=True):
            custom = own.get("lr") != first.get("lr")
            if custom and p.ndim < 2 and "weight_decay" in first:
                own = {**own, "weight_decay": first["weight_decay"]}
            settings.append(own)
        super().init_groups(params, settings)


@wrong(
    "bias_correction",
    "BC.1",
    like="asappresearch/revisit-bert-finetuning#2: BERT's AdamW leaves the bias correction out",
    claim="transformers4.AdamW",
)
class ThirtiethBertWithoutCorrection(Later):
    """The step is made of the moments as they are: neither is corrected."""

    correct_bias = False

    def direction(self, s: Slot) -> Array:
        if self.correct_bias:
            return super().direction(s)
        return s.m / (np.sqrt(s.v) + s.h.eps)


@right(claim="torch.AdamW")
class ThirtiethRightInPlaceChunks(Frame):
    """AdamW in place, chunk after chunk of 96 elements, with two buffers that are made once."""

    size = 96

    def begin(self) -> None:
        self.buffers: dict[Any, tuple[Array, Array]] = {}

    def update(self, s: Slot, g: Array) -> None:
        kind = s.p.dtype
        if kind not in self.buffers:
            self.buffers[kind] = np.empty(self.size, kind), np.empty(self.size, kind)
        c1, c2 = corrections(s.h, s.t)
        for begin in range(0, s.p.size, self.size):
            part = slice(begin, begin + self.size)
            p, d, m, v = s.p[part], g[part], s.m[part], s.v[part]
            above, below = (b[: p.size] for b in self.buffers[kind])
            np.multiply(m, s.h.b1, out=m)
            np.multiply(d, 1 - s.h.b1, out=above)
            np.add(m, above, out=m)
            np.multiply(d, 1 - s.h.b2, out=above)
            np.multiply(above, d, out=above)
            np.multiply(v, s.h.b2, out=v)
            np.add(v, above, out=v)
            np.sqrt(v, out=below)
            np.divide(below, math.sqrt(c2), out=below)
            np.add(below, s.h.eps, out=below)
            np.divide(m, below, out=above)
            np.multiply(above, s.h.lr / c1, out=above)
            np.multiply(p, 1 - s.h.lr * s.h.weight_decay, out=p)
            np.subtract(p, above, out=p)
