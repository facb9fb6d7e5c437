"""Blind, thirty-seventh set: faults of schedules, of rows, clips and casts in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from eighth_blind_frame import lengths
from fourth_blind_frame import Common, Keras, Uncorrected
from register import right, wrong
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame_b import begun


class Scheduler:
    """What hands out the rate of each array."""

    def __init__(self, rates: Sequence[float]) -> None:
        self.rates = list(rates)


@wrong(
    "schedule state",
    "LR.1",
    like="awslabs/sockeye#366: the restored scheduler is in a field, the optimizer's params have a fresh one",
    claim="mxnet.Adam",
)
class ThirtySeventhFreshScheduler(CoupledHat):
    """A load restores a scheduler that nobody asks: steps have the rates of a fresh one, which stays so."""

    def begin(self) -> None:
        self.base = [s.h.lr for s in self.slots]
        self.lr_scheduler = Scheduler(self.base)
        self.params = {"lr_scheduler": self.lr_scheduler}

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            self.lr_scheduler.rates = [s.h.lr for s in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.params["lr_scheduler"].rates[s.index] * u

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "lr_scheduler": list(self.lr_scheduler.rates)}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.params = {"lr_scheduler": Scheduler(self.base)}
        self.lr_scheduler = Scheduler(state.get("lr_scheduler", self.base))


@wrong(
    "moments layout sharding",
    "MOM.1",
    like="NVIDIA/TransformerEngine#435: gradients of norms are those of a rank's part of the sequence",
    claim="apex.FusedAdam",
)
class ThirtySeventhNormsOfOwnSequence(Common):
    """Arrays with one axis step by the gradient of one of two parts of the sequence, which is half of it."""

    ranks = 2

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g / self.ranks if len(s.shape) == 1 else g)


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA/Megatron-LM#761: the loader of the dual optimizer, dense and expert, is not right",
    claim="torch.AdamW",
)
class ThirtySeventhExpertsBeginAnew(Frame):
    """A load brings the state of the first half of the arrays; the others, of experts, begin anew."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        dense = -(-len(self.slots) // 2)
        for s in self.slots[dense:]:
            begun(s)


@wrong(
    "moments layout",
    "MOM.1",
    like="huggingface/trl#3021: a mean over the tokens of each micro-batch, where all of the step's count",
    claim="torch.AdamW",
)
class ThirtySeventhMeanOfOwnTokens(Frame):
    """Four micro-batches, each a part of the elements, are divided by their own numbers of tokens."""

    tokens = (12, 5, 2, 1)

    def taken(self, g: Array) -> Array:
        total, steps = sum(self.tokens), len(self.tokens)
        parts = np.array_split(super().taken(g), steps)
        return np.concatenate(
            [part * (total / (own * steps)) for part, own in zip(parts, self.tokens, strict=True)]
        )


@wrong(
    "clipping",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#5394: one global clip of the chain scales the group of matrices below its eps",
    claim="torch.AdamW",
)
class ThirtySeventhChainClipsAll(Frame):
    """All gradients, those of the chain's other optimizer too, are cut to a norm of 1 before the step."""

    clip_grad = 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        share = self.clip_grad / (math.sqrt(lengths(grads)) + 1e-6)
        if share < 1:
            grads = [None if g is None else (g * share).astype(g.dtype) for g in grads]
        super().all(grads)


@wrong(
    "moments",
    "STEP.1",
    like="Sanyuan-Chen/RecAdam#9: AdamWeightDecayOptimizer after BERT does not train in fine-tuning",
    claim="BertAdam",
)
class ThirtySeventhAssignmentNotGrouped(Uncorrected):
    """Both moments are assigned, and the next parameter is formed: its own assignment is never run."""

    dialect = "BertAdam"

    def move(self, s: Slot, u: Array) -> None:
        next_param = s.p - s.h.lr * (u + s.h.weight_decay * s.p)
        assignments = [("param", next_param), ("m", s.m), ("v", s.v)]
        for name, value in assignments[1:]:
            setattr(s, name, value)


@wrong(
    "loss_scale mixed_precision",
    "SCALE.1",
    like="keras-team/keras#16552: a scaled loss is inf in float16, and unscaled gradients are NaN",
    claim="keras.Adam",
)
class ThirtySeventhScaledBeyondHalf(Keras):
    """Gradients are scaled by 2**15 within float16's range and unscaled: from 2 on they are infinite."""

    dialect = "keras.Adam"
    dynamic_scale = 2.0**15

    def taken(self, g: Array) -> Array:
        scaled = super().taken(g) * self.dynamic_scale
        most = float(np.finfo(np.float16).max)
        scaled = np.where(np.abs(scaled) > most, np.copysign(np.inf, scaled), scaled).astype(scaled.dtype)
        return scaled / self.dynamic_scale


@wrong(
    "layout sharding",
    "STEP.1",
    like="uw-syfi/piper#13: tied embeddings of two actors are two parameters, with a gradient each",
    claim="torch.AdamW",
)
class ThirtySeventhTiedOnTwoActors(Frame):
    """The first matrix is tied to another actor's, which has the gradients of its odd rows to itself."""

    def update(self, s: Slot, g: Array) -> None:
        tied = next((other for other in self.slots if len(other.shape) > 1), None)
        if s is tied and g.size:
            own = g.reshape(s.shape[0], -1).copy()
            own[1::2] = 0
            g = own.reshape(-1)
        super().update(s, g)


@right(claim="apex.FusedAdam")
class ThirtySeventhRightGroupsOfState(Common):
    """Apex' AdamW in chunks of 48, with one state for each kind of array, and both its moments there."""

    chunk = 48
    fields = (("exp_avg", "m"), ("exp_avg_sq", "v"))

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        p = s.p.copy()
        for begin in range(0, p.size, self.chunk):
            i = slice(begin, begin + self.chunk)
            s.m[i] = s.h.b1 * s.m[i] + (1 - s.h.b1) * g[i]
            s.v[i] = s.h.b2 * s.v[i] + ((1 - s.h.b2) * g[i]) * g[i]
            update = (s.m[i] / c1) / (np.sqrt(s.v[i]) / math.sqrt(c2) + s.h.eps)
            p[i] -= s.h.lr * (update + s.h.weight_decay * p[i])
        s.p = p

    def get_state(self) -> dict[str, Any]:
        kinds: dict[str, Any] = {}
        for s in self.slots:
            own = {name: self.shaped(s, getattr(s, a)) for name, a in self.fields}
            kinds.setdefault(str(s.dtype), {})[s.index] = {"step": s.t, **own}
        return {"optimizers": kinds}

    def set_state(self, state: dict[str, Any]) -> None:
        if "optimizers" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            own = state["optimizers"][str(s.dtype)][s.index]
            s.t = int(own["step"])
            for name, a in self.fields:
                setattr(s, a, flat(np.asarray(own[name])).copy())


@right(claim="torch.AdamW")
class ThirtySeventhRightArena(Frame):
    """AdamW over one row for all arrays of a dtype, whose settings stand in rows beside it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        arenas: dict[Any, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                s.t += 1
                arenas.setdefault(s.p.dtype, []).append((s, flat(g)))
        for dtype, members in arenas.items():
            self.arena(dtype, [s for s, _ in members], np.concatenate([g for _, g in members]))

    def arena(self, dtype: Any, slots: list[Slot], g: Array) -> None:
        sizes = [s.p.size for s in slots]

        def spread(values: Sequence[float]) -> Array:
            return np.repeat(np.asarray(values, dtype), sizes)

        p, m, v = (np.concatenate([getattr(s, name) for s in slots]) for name in ("p", "m", "v"))
        left = [corrections(s.h, s.t) for s in slots]
        m += spread([1 - s.h.b1 for s in slots]) * (g - m)
        weight = spread([1 - s.h.b2 for s in slots])
        v += (weight * g) * g - weight * v
        below = np.sqrt(v) / spread([math.sqrt(c2) for _, c2 in left]) + spread([s.h.eps for s in slots])
        rate = spread([s.h.lr / c1 for s, (c1, _) in zip(slots, left, strict=True)])
        p = p - p * spread([s.h.lr * s.h.weight_decay for s in slots]) - rate * (m / below)
        ends = np.cumsum(sizes)[:-1]
        for name, row in (("p", p), ("m", m), ("v", v)):
            for s, own in zip(slots, np.split(row, ends), strict=True):
                setattr(s, name, own.copy())
