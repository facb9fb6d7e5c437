"""Blind, twenty-eighth set: faults of resumes, averages, rows and shards, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from eighth_blind_frame import lengths
from register import wrong
from sixth_blind_frame import Running
from twelfth_blind_frame_b import Stored


@wrong(
    "schedule state",
    "LR.3",
    like="Lightning-AI/pytorch-lightning#4655: behind a resume the rate falls an epoch later than without it",
)
class TwentyEighthBRateLagsBehindResume(Frame):
    """Behind a load a new learning rate is that of the step after the next: the next one has the old rate."""

    dialect = "torch.AdamW"

    def begin(self) -> None:
        self.resumed, self.waiting = False, dict[str, float]()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.resumed = any(s.t for s in self.slots)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if self.resumed and "lr" in hyper:
            self.waiting = {"lr": hyper["lr"]}
            hyper = {name: value for name, value in hyper.items() if name != "lr"}
        super().set_hyper(hyper)

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        super().set_hyper(self.waiting)
        self.waiting = {}


@wrong(
    "state",
    "STATE.4",
    like="Megvii-BaseDetection/YOLOX#1318: averaged weights alone are saved, and training resumes from them",
)
class TwentyEighthBResumesFromAverage(Frame):
    """A saved state has the averages of the parameters, and a load makes these the parameters."""

    dialect = "torch.AdamW"

    def begin(self) -> None:
        self.updates, self.ema = 0, [s.p.copy() for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.updates += 1
        decay = 0.9998 * (1 - math.exp(-self.updates / 2000))
        for s in self.slots:
            self.ema[s.index] = (decay * self.ema[s.index] + (1 - decay) * s.p).astype(s.p.dtype)

    def get_state(self) -> dict[str, Any]:
        averages = [self.shaped(s, self.ema[s.index]) for s in self.slots]
        return {**super().get_state(), "model": averages, "updates": self.updates}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "model" in state:
            self.updates = int(state["updates"])
            for s in self.slots:
                s.p = flat(np.asarray(state["model"][s.index], s.dtype)).copy()
                self.ema[s.index] = s.p.copy()


def quantized(row: Array) -> Array:
    """Return a row as numbers of eight bits have it, in blocks of 16 with a scale each."""
    new = row.copy()
    for begin in range(0, row.size, 16):
        block = row[begin : begin + 16]
        scale = np.max(np.abs(block)) / 127
        if scale > 0:
            new[begin : begin + 16] = np.round(block / scale) * scale
    return new


@wrong(
    "state storage",
    "STATE.4",
    like="NVIDIA/Megatron-LM#6666: a load quantizes what was quantized, and not the masters of FP32",
)
class TwentyEighthBRequantizedOnLoad(Frame):
    """A load takes matrices from their quantized copies, where the others come from the masters."""

    dialect = "torch.AdamW"

    def get_state(self) -> dict[str, Any]:
        model = [self.shaped(s, quantized(s.p) if len(s.shape) > 1 else s.p) for s in self.slots]
        return {**super().get_state(), "model": model}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "model" in state:
            for s in self.slots:
                s.p = flat(np.asarray(state["model"][s.index], s.dtype)).copy()


@wrong(
    "epsilon",
    "EPS.1",
    like="jettify/pytorch-optimizer#240: an epsilon of Adam's scale is added under the root as well",
)
class TwentyEighthBEpsilonUnderRootToo(Coupled):
    """Epsilon stands beside the root, and a second time under it, where it has the scale of g*g."""

    dialect = "torch.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v + s.h.eps) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "sparse moments",
    "SPARSE.1",
    like="dmlc/dgl#2451: a row that is listed twice is not added up before the state is updated",
)
class TwentyEighthBEntriesOneByOne(Stored):
    """Even rows of matrices are listed twice, with half the gradient each: each entry is a step."""

    dialect = "torch.SparseAdam"

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) < 2 or not s.p.size:
            super().update(s, g)
            return
        width = s.p.size // s.shape[0]
        twice = (np.arange(s.p.size) // width) % 2 == 0
        super().update(s, np.where(twice, g / 2, g).astype(g.dtype))
        once = s.p, s.m, s.v
        super().update(s, (g / 2).astype(g.dtype))
        s.p, s.m, s.v = (np.where(twice, new, old) for new, old in zip((s.p, s.m, s.v), once, strict=True))


@wrong(
    "bias_correction clock",
    "BC.1",
    like="deepspeedai/DeepSpeed#7820: each call in one global step multiplies the powers once more",
)
class TwentyEighthBPowerOfSubgroup(Running):
    """Each array is a sub-group: in one step the powers of the betas are one higher from each to the next."""

    dialect = "deepspeed.CPUAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.calls = 0
        super().all(grads)

    def left(self, s: Slot) -> tuple[float, float]:
        again, self.calls = self.calls, self.calls + 1
        return 1 - s.extra["power1"] * s.h.b1**again, 1 - s.extra["power2"] * s.h.b2**again


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="PrimeIntellect-ai/OpenDiloco#6: the plain utility clips by the norm of a rank's own shards",
)
class TwentyEighthBNormOfOwnShards(Frame):
    """Two ranks have half of each array, and each clips its halves to 1 by the norm of these alone."""

    dialect = "torch.AdamW"
    ranks, max_norm = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        shards = [np.array_split(flat(g), self.ranks) for g in grads if g is not None]
        norms = [math.sqrt(lengths([own[rank] for own in shards])) for rank in range(self.ranks)]
        self.factors = [min(1.0, self.max_norm / (norm + 1e-6)) for norm in norms]
        super().all(grads)

    def taken(self, g: Array) -> Array:
        shards = zip(np.array_split(flat(g), self.ranks), self.factors, strict=True)
        return np.concatenate([own * own.dtype.type(factor) for own, factor in shards])
