"""Blind, thirty-third set: faults of decays, norms, phases and chunks in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from eighth_blind_frame import lengths
from fifth_blind_frame import CorrectedRate
from register import right, wrong
from sixth_blind_frame import Running
from twelfth_blind_frame_b import Stored


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="CarperAI/trlx#53: the configured weight_decay never reaches the optimizer, which has its own",
    claim="torch.AdamW",
)
class ThirtyThirdDecayNotHandedOver(Frame):
    """The weight decay that is configured goes nowhere: all arrays decay by the library's 0.01."""

    default = 0.01

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * self.default * s.p - s.h.lr * u


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="PaddlePaddle/Paddle#74080: in a pipeline each stage clips by the norm of its own gradients alone",
    claim="paddle.AdamW",
)
class ThirtyThirdNormOfStage(Running):
    """The arrays are those of two stages, the first half and the rest: each clips to 1 by its own norm."""

    dialect = "paddle.AdamW"
    stages, clip_norm = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        size = max(1, -(-len(grads) // self.stages))
        clipped: list[Array | None] = []
        for begin in range(0, len(grads), size):
            own = grads[begin : begin + size]
            share = self.clip_norm / max(math.sqrt(lengths(own)), self.clip_norm)
            clipped += [None if g is None else (g * share).astype(g.dtype) for g in own]
        super().all(clipped)


@wrong(
    "clipping",
    "CLIP.2",
    like="allenai/OLMo#601: clipping under DDP and FSDP's no_shard is not torch's",
    claim="torch.AdamW",
)
class ThirtyThirdNormOfReplicas(Frame):
    """Squares are summed over two ranks that both have all gradients: the norm that clips to 1 is too big."""

    world_size, max_norm = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        squares = [lengths(grads)] * self.world_size  # what each rank has, as for pieces
        share = min(1.0, self.max_norm / (math.sqrt(sum(squares)) + 1e-6))
        super().all([None if g is None else (g * share).astype(g.dtype) for g in grads])


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="fastai/fastai#369: a phase makes a new optimizer, and the stepper has been given the old one",
    claim="fastai.Adam",
)
class ThirtyThirdStepperKeepsOld(Frame):
    """New values make a new optimizer, and the stepper goes on with the old one: no change is ever seen."""

    dialect = "fastai.Adam"

    def begin(self) -> None:
        self.opt = [s.h for s in self.slots]  # the same as the stepper's, until a phase ends

    def set_hyper(self, hyper: dict[str, float]) -> None:
        self.opt = [replace(h) for h in self.opt]
        for h in self.opt:
            h.read(hyper)


@wrong(
    "aliasing moments clipping",
    "STEP.1",
    like="hpcaitech/ColossalAI#2496: with accumulation under Gemini all logits are 0 behind one step",
    claim="deepspeed.CPUAdam",
)
class ThirtyThirdChunkIsZeroed(Running):
    """Gradients accumulate in the chunk of the parameters: zeroing them behind a step zeroes those."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        chunks = super().step(grads)  # copies of the master weights, which stay
        self.zero_grad(chunks)
        return chunks

    def zero_grad(self, chunks: list[Array]) -> None:
        for chunk in chunks:
            chunk[...] = 0


@wrong(
    "moments aliasing",
    "MOM.1",
    like="dmlc/dgl#3971: rows of the state are written before their asynchronous copy has come",
    claim="torch.SparseAdam",
)
class ThirtyThirdCopyNotAwaited(Stored):
    """Moments go through a pinned buffer, which is read too early: stored is what was copied before."""

    def begin(self) -> None:
        self.pinned: dict[Any, Array] = {}

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.m, s.v = self.to_host(s.m), self.to_host(s.v)

    def to_host(self, row: Array) -> Array:
        buffer = self.pinned.setdefault((row.size, row.dtype), np.zeros_like(row))
        read = buffer.copy()
        buffer[...] = row  # the copy ends here
        return read


@wrong(
    "decay",
    "DEC.4",
    like="mlcommons/algorithmic-efficiency#809: the bias correction does not scale the decay",
    claim="mxnet.AdamW",
)
class ThirtyThirdDecayUncorrected(CorrectedRate):
    """The corrections are in the step's rate and not in that of the decay."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - s.h.lr * u


@right(claim="mxnet.AdamW")
class ThirtyThirdRightRateFirst(CorrectedRate):
    """MXNet's AdamW: one corrected rate, as a number of float64, for step and decay; all in place."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        rate = np.multiply(s.h.lr, math.sqrt(c2) / c1)
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g
        change = np.sqrt(s.v)
        change += s.h.eps
        np.divide(s.m, change, out=change)
        change += s.h.weight_decay * s.p
        change *= float(rate)
        s.p = s.p - change


@right(claim="torch.Adam")
class ThirtyThirdRightIterIsSaved(Coupled):
    """Adam with L2 whose state is split by name, each with its iter as an array without axes."""

    names = (("exp_avg", "m"), ("exp_avg_sq", "v"))

    def get_state(self) -> dict[str, Any]:
        split = {}
        for s in self.slots:
            own = {name: self.shaped(s, getattr(s, a)) for name, a in self.names}
            split[f"table{s.index}"] = {"iter": np.asarray(s.t, np.int64), **own}
        return {"split_optimizer_states": split}

    def set_state(self, state: dict[str, Any]) -> None:
        if "split_optimizer_states" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            own = state["split_optimizer_states"][f"table{s.index}"]
            s.t = int(own["iter"])
            for name, a in self.names:
                setattr(s, a, flat(np.asarray(own[name])).copy())

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = s.v + (((1 - s.h.b2) * g) * g - (1 - s.h.b2) * s.v)
