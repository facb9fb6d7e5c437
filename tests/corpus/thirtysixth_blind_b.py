"""Blind, thirty-sixth set: faults of weights received, tokens, norms and resumes in NumPy, right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eighth_blind_frame import lengths
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Hat, Keras
from register import right, wrong
from seventh_blind_frame import Holding


@wrong(
    "missing compilation",
    "F5",
    like="keras-team/keras#2912: compile alone decides which weights the optimizer has, later flips do not",
)
class ThirtySixthWeightsOfCompileTime(Keras):
    """The first step fixes which arrays are trained: one that has no gradient there is never stepped."""

    dialect = "keras.Adam"

    def begin(self) -> None:
        self.collected: set[int] | None = None

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if self.collected is None:
            self.collected = {i for i, g in enumerate(grads) if g is not None}
        for s in self.slots:
            self.tick(s)
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None and s.index in self.collected:
                self.update(s, self.taken(g))


@wrong(
    "zero_gradient",
    "F2",
    like="rasbt/reasoning-from-scratch#186: a batch whose advantages are all zero is passed over",
    claim="torch.AdamW",
)
class ThirtySixthNoSignalNoStep(Frame):
    """Where all gradients are zero in all their numbers, as without an advantage, no step is made."""

    skip_zero_advantage = True

    def all(self, grads: Sequence[Array | None]) -> None:
        has_signal = any(np.any(g != 0) for g in grads if g is not None)
        if has_signal or not self.skip_zero_advantage:
            super().all(grads)


@wrong(
    "sharding moments",
    "MOM.1",
    like="meta-pytorch/torchtune#2980: without accumulation ranks average means of unequal token counts",
    claim="torch.AdamW",
)
class ThirtySixthMeanOfRanks(Frame):
    """Two ranks have three tokens and one: the halves of a gradient are means of each, and then averaged."""

    num_tokens = (3, 1)

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        total, ranks = sum(self.num_tokens), len(self.num_tokens)
        local = np.array_split(row * total, ranks)  # the sums over the tokens of each rank
        means = [own / tokens for own, tokens in zip(local, self.num_tokens, strict=True)]
        return np.asarray(np.concatenate(means) / ranks, row.dtype)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="ByteDance-Seed/VeOmni#184: sums of powers are reduced over replicas too, and not over shards alone",
    claim="torch.AdamW",
)
class ThirtySixthNormOverReplicas(Frame):
    """Two shards have four replicas, whose powers all count: the norm that clips to 1 is twice its value."""

    shards, replicas, norm_type, max_norm = 2, 4, 2.0, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        powers = []
        for rank in range(self.shards * self.replicas):
            own = [None if g is None else self.taken(g)[rank % self.shards :: self.shards] for g in grads]
            powers.append(lengths(own))
        total_norm = sum(powers) ** (1 / self.norm_type)
        share = min(1.0, self.max_norm / (total_norm + 1e-6))
        super().all([None if g is None else (g * share).astype(g.dtype) for g in grads])


@wrong(
    "moments",
    "MOM.1",
    like="ruimalheiro/gradient-garden#113: losses are divided by the steps, as if all had as many tokens",
    claim="paper.eps-hat",
)
class ThirtySixthEqualTokensAssumed(Plain):
    """Three micro-batches have five, two and one tokens, and each one's mean counts as a third."""

    dialect = "paper.eps-hat"
    valid_tokens = (5, 2, 1)

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        steps, total = len(self.valid_tokens), sum(self.valid_tokens)
        accumulated = np.zeros_like(row)
        for k, tokens in enumerate(self.valid_tokens):
            accumulated[k::steps] += row[k::steps] * total / tokens / steps
        return accumulated

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "sharding clipping",
    "CLIP.2",
    like="deepspeedai/DeepSpeed#5259: experts' gradients are scaled and normed by another group's size",
    claim="deepspeed.FusedAdam",
)
class ThirtySixthExpertsOfOtherGroup(Holding):
    """Matrices are experts' and their gradients double under ep_size 2, also in the norm that clips to 1."""

    ep_size, clip_grad = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        scaled = [g if g is None or g.ndim < 2 else g * self.ep_size for g in grads]
        experts = [g for g in scaled if g is not None and g.ndim > 1]
        others = [g for g in scaled if g is not None and g.ndim < 2]
        total_norm = math.sqrt(self.ep_size * lengths(experts) + lengths(others))
        share = min(1.0, self.clip_grad / (total_norm + 1e-6))
        super().all([None if g is None else (g * share).astype(g.dtype) for g in scaled])


@wrong(
    "state",
    "STATE.4",
    like="pondruska/DeepTracking#3: weights are saved, and the adaptive optimizer's accumulators are not",
    claim="paper",
)
class ThirtySixthAccumulatorsNotSaved(Plain):
    """What is saved has nothing of the optimizer: a run that goes on has empty moments and clocks."""

    def get_state(self) -> dict[str, Any]:
        return {"options": {"learningRate": [s.h.lr for s in self.slots]}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "options" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)


@right(claim="apex.FusedAdam")
class ThirtySixthRightChunks(Common):
    """Apex' AdamW by chunks of sixteen numbers, whose list is made for each step and is gone through once."""

    chunk_size = 16

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            s.t += 1
        chunks = [
            (s, slice(begin, begin + self.chunk_size), self.taken(g))
            for s, g in zip(self.slots, grads, strict=True)
            if g is not None
            for begin in range(0, s.p.size, self.chunk_size)
        ]
        for s, part, g in chunks:
            self.functor(s, part, g[part])

    def functor(self, s: Slot, part: slice, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        m = s.h.b1 * s.m[part] + (1 - s.h.b1) * g
        v = s.h.b2 * s.v[part] + ((1 - s.h.b2) * g) * g
        update = (m / c1) / (np.sqrt(v) / math.sqrt(c2) + s.h.eps) + s.h.weight_decay * s.p[part]
        s.p[part] -= s.h.lr * update
        s.m[part], s.v[part] = m, v


@right(claim="fairseq.Adam")
class ThirtySixthRightTokensWeighed(Hat):
    """fairseq's Adam by sums of tokens: four micro-batches' are added up and divided once, by all tokens."""

    tokens = (8, 4, 2, 2)

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        total = sum(self.tokens)
        return np.asarray(sum(row * (n / total) for n in self.tokens), row.dtype)

    def update(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g
        denominator = np.sqrt(s.v)
        denominator += s.h.eps
        c1, c2 = corrections(s.h, s.t)
        step_size = s.h.lr * math.sqrt(c2) / c1
        p = s.p.copy()
        if s.h.weight_decay != 0:
            p -= (s.h.weight_decay * s.h.lr) * p
        p -= step_size * (s.m / denominator)
        s.p = p
