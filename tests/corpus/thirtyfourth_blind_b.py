"""Blind, thirty-fourth set: faults of loads, clips, dtypes and shared arrays in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from eighth_blind_frame import lengths
from fifth_blind_frame import Later
from register import right, wrong
from tenth_blind_frame import ModulusPlain
from tenth_blind_frame_b import CoupledHat, Wanting


@wrong(
    "bias_correction",
    "BC.1",
    like="ml-explore/mlx#1623: AdamW makes no bias correction, and trains otherwise than PyTorch's",
    claim="torch.AdamW",
)
class ThirtyFourthNothingCorrected(Frame):
    """Neither moment is corrected for its start at zero: what is divided are the moments themselves."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong(
    "state hyperparameters schedule",
    "STATE.4",
    like="pfnet/pfrl#76: a load brings the optimizer, and a new task begins with the last one's decayed rate",
    claim="torch.Adam",
)
class ThirtyFourthLoadBringsOldRate(Coupled):
    """A load overwrites the rate and all other numbers that are configured with those of the saved run."""

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "groups": [asdict(s.h) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s, saved in zip(self.slots, state.get("groups", []), strict=False):
            s.h.read(saved)


@wrong(
    "clipping",
    "CLIP.2",
    like="huggingface/transformers#986: what accumulates is clipped behind each backward, early ones often",
    claim="transformers4.AdamW",
)
class ThirtyFourthClippedEachBackward(Later):
    """Quarters of an array have their gradients from four batches; behind each the sum is clipped to 1."""

    batches, max_grad_norm = 4, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [None if g is None else flat(g) for g in grads]
        total = [None if row is None else np.zeros_like(row) for row in rows]
        for batch in range(self.batches):
            for row, own in zip(rows, total, strict=True):
                if row is not None and own is not None:
                    begin, end = (row.size * k // self.batches for k in (batch, batch + 1))
                    own[begin:end] += row[begin:end]
            share = self.max_grad_norm / (math.sqrt(lengths(total)) + 1e-6)
            if share < 1:
                total = [None if own is None else own * own.dtype.type(share) for own in total]
        super().all(total)


@wrong(
    "storage mixed_precision",
    "MOM.4",
    like="FluxML/Optimisers.jl#150: betas are scalars of Float64, and so is a step of Float32",
    claim="optimisers_jl.Adam",
)
class ThirtyFourthBetasPromote(ModulusPlain):
    """Betas are arrays of float64 without axes, which make both moments of float32 float64."""

    def learn(self, s: Slot, g: Array) -> None:
        b1, b2 = (np.asarray(b, np.float64) for b in (s.h.b1, s.h.b2))
        s.m = b1 * s.m + (1 - b1) * g
        s.v = b2 * s.v + self.square(s, g)

    def move(self, s: Slot, u: Array) -> None:
        s.p = (s.p - s.h.lr * u).astype(s.p.dtype)

    def shaped(self, s: Slot, row: Array) -> Array:
        if row.dtype == s.p.dtype:
            return super().shaped(s, row)
        wide = np.complex128 if s.dtype.kind == "c" else np.float64
        return row.view(wide).reshape(s.shape).copy()


@wrong(
    "aliasing state",
    "STATE.3",
    like="FluxML/Optimisers.jl#113: adjust makes a new tree around the same moments, and both step in them",
    claim="optimisers_jl.Adam",
)
class ThirtyFourthTreesShareMoments(ModulusPlain):
    """A state that is handed out or taken has the very moments of the optimizer, which steps in place."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += self.square(s, g)

    def get_state(self) -> dict[str, Any]:
        own = {
            name: [getattr(s, a).view(s.dtype).reshape(s.shape) for s in self.slots]
            for name, a in self.kept()
        }
        return {**super().get_state(), **own}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            for name, a in self.kept():
                if name in state:
                    setattr(s, a, flat(np.asarray(state[name][s.index])))


@wrong(
    "moments",
    "MOM.1",
    like="yjxiong/caffe#96: a convolution zeroes its own gradient in backward, the last batch alone stays",
    claim="mxnet.Adam",
)
class ThirtyFourthLastBatchOfIterSize(CoupledHat):
    """Of two batches that make a gradient, those with more than one axis have the last one's half alone."""

    iter_size = 2

    def update(self, s: Slot, g: Array) -> None:
        diff = np.zeros_like(g)
        for _ in range(self.iter_size):
            if len(s.shape) > 1:
                diff[...] = 0  # by backward itself
            diff += g
        super().update(s, diff / self.iter_size)


@right(claim="optimisers_jl.Adam")
class ThirtyFourthRightTreeOfTuples(ModulusPlain):
    """Adam whose state is a tuple of each array, of copies; moments are averaged out of place."""

    def get_state(self) -> dict[str, Any]:
        return {"tree": [(self.shaped(s, s.m), self.shaped(s, s.v), s.t) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        if "tree" not in state:
            super().set_state(state)
            return
        for s, (m, v, t) in zip(self.slots, state["tree"], strict=True):
            s.m, s.v, s.t = flat(np.asarray(m)).copy(), flat(np.asarray(v)).copy(), int(t)

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        m = s.h.b1 * s.m + (1 - s.h.b1) * g
        v = s.h.b2 * s.v + self.square(s, g)
        s.p = s.p - (m * (1 / c1)) / (np.sqrt(v) * (1 / math.sqrt(c2)) + s.h.eps) * s.h.lr
        s.m, s.v = m, v


@right(claim="onnxruntime.AdamW")
class ThirtyFourthRightChunks(Wanting):
    """AdamW over chunks of all arrays, 32 elements each, which are listed first and stepped from the last."""

    chunk = 32

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        chunks: list[tuple[Slot, Array, slice]] = []
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                s.t += 1
                s.p, s.m, s.v = s.p.copy(), s.m.copy(), s.v.copy()
                parts = (slice(k, k + self.chunk) for k in range(0, s.p.size, self.chunk))
                chunks += [(s, flat(g), part) for part in parts]
        while chunks:
            self.one(*chunks.pop())

    def one(self, s: Slot, g: Array, part: slice) -> None:
        h, d, (c1, c2) = s.h, g[part], corrections(s.h, s.t)
        p, m, v = s.p[part], s.m[part], s.v[part]  # views
        m += (1 - h.b1) * (d - m)
        v += ((1 - h.b2) * d) * d - (1 - h.b2) * v
        below = np.sqrt(v) / math.sqrt(c2) + h.eps
        p -= h.lr * h.weight_decay * p + (h.lr / c1) * (m / below)
