"""Blind, thirty-eighth set, second half: faults of ranks and of saves that do not fit, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fourth_blind_frame import Common, Keras
from register import right, wrong
from sixth_blind_frame import Running


@wrong(
    "state sharding",
    "STATE.4",
    like="NVIDIA/Megatron-LM#1517: a distributed checkpoint does not load under another parallel layout",
)
class ThirtyEighthBOtherLayout(Common):
    """A save has the shards of two ranks, and four load it: a shard of another size is an error."""

    dialect = "apex.FusedAdam"
    saved, loaded = 2, 4

    def get_state(self) -> dict[str, Any]:
        shards = {}
        for name, a in self.kept():
            rows = [getattr(s, a) for s in self.slots]
            padded = [np.concatenate([row, np.zeros(row.size % self.saved, row.dtype)]) for row in rows]
            shards[name] = [np.split(row, self.saved) for row in padded]
        return {"t": [s.t for s in self.slots], "shards": shards}

    def set_state(self, state: dict[str, Any]) -> None:
        if "shards" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t = int(state["t"][s.index])
            for name, a in self.kept():
                shards = state["shards"][name][s.index]
                size = math.ceil(s.p.size / self.loaded)
                if any(shard.size != size for shard in shards):
                    raise ValueError(f"{name} of parameter {s.index}: a shard of {size} numbers is expected")
                setattr(s, a, np.concatenate(shards)[: s.p.size])


@wrong(
    "sharding layout",
    "MOM.1",
    like="NVIDIA-NeMo/Automodel#3822: what tensor-parallel ranks replicate is not synchronized",
)
class ThirtyEighthBReplicasApart(Frame):
    """Arrays of less than two dimensions are replicas: the first rank sees every other gradient in them."""

    dialect = "torch.AdamW"
    ranks = 2

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        if g.ndim > 1:
            return row
        local = np.zeros_like(row)
        local[:: self.ranks] = row[:: self.ranks]
        return local


@wrong(
    "state",
    "STATE.1",
    like="Nerogar/OneTrainer#1059: an older state lacks entries of a beta that is off: the first step fails",
)
class ThirtyEighthBEntryOfNewBeta(Frame):
    """A state without the entry of a newer version's beta is taken, and the first step seeks that entry."""

    dialect = "torch.AdamW"
    kourkoutas_beta = False

    def begin(self) -> None:
        for s in self.slots:
            s.extra["r_ema_grad_norm"] = 0.0

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            s.extra = {}
        super().set_state(state)

    def update(self, s: Slot, g: Array) -> None:
        mean = s.extra["r_ema_grad_norm"]
        if self.kourkoutas_beta:
            s.extra["r_ema_grad_norm"] = 0.9 * mean + 0.1 * float(np.sqrt(np.sum(g * g)))
        super().update(s, g)


@wrong(
    "state sharding",
    "STATE.4",
    like="radixark/Megatron-LM#66: the length of param_state is that of rank 0, for every rank",
)
class ThirtyEighthBLengthOfRankZero(Common):
    """Two ranks share the arrays, the second has one more if they are odd: it is not restored."""

    dialect = "transformer_engine.FusedAdam"

    def set_state(self, state: dict[str, Any]) -> None:
        length = len(self.slots) // 2
        ranks = self.slots[:length], self.slots[length:]
        fresh = [(s, s.m, s.v, s.top) for rank in ranks for s in rank[length:]]
        super().set_state(state)
        for s, m, v, top in fresh:
            s.m, s.v, s.top = m, v, top


@wrong(
    "nonfinite sharding",
    "NF.2",
    like="verl-project/verl#1506: each rank looks at its own norm, and steps or clears its gradients",
)
class ThirtyEighthBRanksDecideAlone(Frame):
    """Arrays are dealt to two ranks; one whose norm is not finite makes no step, and the other makes it."""

    dialect = "torch.AdamW"
    ranks = 2

    def all(self, grads: Sequence[Array | None]) -> None:
        left = list(grads)
        for rank in range(self.ranks):
            own = [self.taken(g) for g in grads[rank :: self.ranks] if g is not None]
            norm = math.sqrt(sum(float(np.sum(np.square(row, dtype=np.float64))) for row in own))
            if not math.isfinite(norm):
                left[rank :: self.ranks] = [None] * len(left[rank :: self.ranks])
        super().all(left)


@right()
class ThirtyEighthBRightBackfilled(Coupled):
    """Adam with L2 whose entries are filled in where a state that is loaded does not have them."""

    dialect = "torch.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra.setdefault("r_ema_grad_norm", 0.0)

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            s.extra = {}
        super().set_state(state)
        self.begin()

    def learn(self, s: Slot, g: Array) -> None:
        assert "r_ema_grad_norm" in s.extra
        s.m += (1 - s.h.b1) * (g - s.m)
        s.v += ((1 - s.h.b2) * g) * g - (1 - s.h.b2) * s.v


@right()
class ThirtyEighthBRightWide(Frame):
    """AdamW in long doubles, whose rows are rounded as they are stored."""

    dialect = "torch.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        h, wide, kept = s.h, np.longdouble, s.p.dtype
        c1, c2 = corrections(h, s.t)
        p, d, m, v = (row.astype(wide) for row in (s.p, g, s.m, s.v))
        m = m - (m - d) * (1 - h.b1)
        v = v * h.b2 + d * (1 - h.b2) * d
        step = m / (np.sqrt(v) / math.sqrt(c2) + h.eps) * (h.lr / c1)
        p = p * (1 - wide(h.lr) * h.weight_decay) - step
        s.p, s.m, s.v = (row.astype(kept) for row in (p, m, v))


@right()
class ThirtyEighthBRightLanes(Running):
    """DeepSpeed's CPU Adam in lanes of eight numbers, and the tail of a row number by number."""

    dialect = "deepspeed.CPUAdam"
    lanes = 8

    def update(self, s: Slot, g: Array) -> None:
        whole = s.p.size - s.p.size % self.lanes
        pieces = [slice(i, i + self.lanes) for i in range(0, whole, self.lanes)]
        pieces += [slice(i, i + 1) for i in range(whole, s.p.size)]
        rows = s.p.copy(), s.m.copy(), s.v.copy()
        for piece in pieces:
            self.lane(s, g[piece], *(row[piece] for row in rows))
        s.p, s.m, s.v = rows

    def lane(self, s: Slot, g: Array, p: Array, m: Array, v: Array) -> None:
        h, (c1, c2) = s.h, self.left(s)
        m *= h.b1
        m += g * (1 - h.b1)
        v *= h.b2
        v += (g * (1 - h.b2)) * g
        below = np.sqrt(v) * (1 / math.sqrt(c2)) + h.eps
        p -= p * (h.lr * h.weight_decay)
        p -= (m / below) * (h.lr / c1)


@right()
class ThirtyEighthBRightVariables(Keras):
    """Keras' AdamW with one iteration count, whose slots are saved by path and assigned in place."""

    dialect = "keras.AdamW"

    def get_state(self) -> dict[str, Any]:
        saved: dict[str, Any] = {"iterations": self.slots[0].t if self.slots else 0}
        for s in self.slots:
            saved[f"v{s.index}/momentum"], saved[f"v{s.index}/velocity"] = (
                self.shaped(s, row) for row in (s.m, s.v)
            )
        return saved

    def set_state(self, state: dict[str, Any]) -> None:
        if "iterations" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t = int(state["iterations"])
            s.m[...] = flat(np.asarray(state[f"v{s.index}/momentum"]))
            s.v[...] = flat(np.asarray(state[f"v{s.index}/velocity"]))

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.p -= s.p * (s.h.lr * s.h.weight_decay)
        s.m += (g - s.m) * (1 - s.h.b1)
        s.v += (g * (1 - s.h.b2)) * g - s.v * (1 - s.h.b2)
        s.p -= (s.m / (np.sqrt(s.v) + s.h.eps)) * (s.h.lr * math.sqrt(c2) / c1)
