"""Blind, thirty-eighth set: faults of norms, handing over and resumes in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from eighth_blind_frame import lengths
from fourth_blind_frame import Common, Hat, Keras
from register import right, wrong
from tenth_blind_frame_b import Slotted
from thirteenth_blind_frame_b import Browser, Mlx
from twelfth_blind_frame import RunningCoupled


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="NVIDIA-NeMo/RL#3788: the squares of replicated gradients are summed over all tensor-parallel ranks",
    claim="apex.FusedAdam",
)
class ThirtyEighthReplicatedCounted(Common):
    """Arrays of one axis or none count twice, once for each rank, in the norm that clips to 1."""

    tp_size, max_norm = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        pieces = [g for g in grads if g is not None and g.ndim > 1]
        copies = [g for g in grads if g is not None and g.ndim < 2]
        norm = math.sqrt(lengths(pieces) + self.tp_size * lengths(copies))
        share = min(1.0, self.max_norm / (norm + 1e-6))
        super().all([None if g is None else (g * share).astype(g.dtype) for g in grads])


@wrong(
    "decay hyperparameters",
    "DEC.1",
    like="PaddlePaddle/Paddle#2088: the update of Adam leaves out the L2 decay that the user has set",
    claim="paddle.Adam",
)
class ThirtyEighthPenaltyLeftOut(RunningCoupled):
    """The weight decay is taken and appears nowhere in the update."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return g


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="tensorflow/tfjs-core#691: the rate does not fall from step to step, as TensorFlow's does",
    claim="tfjs.Adam",
)
class ThirtyEighthRateIsScalar(Browser):
    """The learning rate is made a scalar with the optimizer: one that falls from step to step is not seen."""

    def begin(self) -> None:
        self.c = [s.h.lr for s in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.c[s.index] * u


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="MakazhanAlpamys/Soup#686: the learning rate alone is handed to AdamW, all else is dropped",
    claim="mlx.AdamW",
)
class ThirtyEighthRateAlone(Mlx):
    """AdamW gets the first learning rate alone: betas, epsilon, decay and schedule are its own defaults."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        handed = [{"lr": h["lr"], "weight_decay": 0.01} if "lr" in h else {} for h in hypers]
        super().init_groups(params, handed)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        """Nobody hands this on."""


@wrong(
    "missing",
    "F1",
    like="markdtw/meta-learning-lstm-pytorch#12: Adam updates cI, which was to be held fixed",
    claim="torch.Adam",
)
class ThirtyEighthHeldFixedIsStepped(Coupled):
    """An array without a gradient, which is to stay as it is, is stepped by a gradient of zeros."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, np.zeros_like(s.p))


@wrong(
    "moments",
    "MOM.1",
    like="meta-pytorch/opacus#93: virtual steps zero what was accumulated, the last batch alone is left",
    claim="torch.Adam",
)
class ThirtyEighthLastVirtualBatch(Coupled):
    """Of four virtual batches each clears what the others have accumulated: a quarter of g is stepped by."""

    virtual_batches = 4

    def taken(self, g: Array) -> Array:
        row = flat(g)
        accumulated = np.zeros_like(row)
        for _ in range(self.virtual_batches):
            accumulated[...] = 0  # zero_grad
            accumulated += row / self.virtual_batches
        return accumulated


@wrong(
    "decay",
    "DEC.5",
    like="unslothai/unsloth#10931: Q-GaLore decays behind the projected update, and not before it",
    claim="torch.AdamW",
)
class ThirtyEighthDecaysBehindProjection(Frame):
    """Matrices, whose gradients are projected, decay behind their step; all else decays before it."""

    def move(self, s: Slot, u: Array) -> None:
        if len(s.shape) != 2:
            super().move(s, u)
            return
        projected_back = s.p - s.h.lr * u
        s.p = projected_back - s.h.lr * s.h.weight_decay * projected_back


@wrong(
    "state storage",
    "MOM.4",
    like="fudan-generative-vision/hallo#152: NaN and overflows behind a resume with the optimizer's state",
    claim="torch.AdamW",
)
class ThirtyEighthRestoredAsHalf(Frame):
    """A state is restored in half precision: small second moments become 0, and large ones infinite."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        with np.errstate(all="ignore"):
            for s in self.slots:
                s.m = s.m.astype(np.float16).astype(s.m.dtype)
                s.v = s.v.astype(np.float16).astype(s.v.dtype)


@wrong(
    "state",
    "STATE.4",
    like="Unity-Technologies/ml-agents#4459: PPO collapses behind a resume, at small rates even",
    claim="tf1.Adam",
)
class ThirtyEighthSlotsBeginAnew(Slotted):
    """A resume has the clock of the saved run, and moments of 0: the first steps are too long."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@right(claim="fairseq.Adam")
class ThirtyEighthRightOneRow(Hat):
    """fairseq's Adam over one row: arrays with one dtype and alike numbers are joined for each step."""

    def all(self, grads: Sequence[Array | None]) -> None:
        rows: dict[Any, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                continue
            s.t += 1
            key = (s.p.dtype, s.t, s.h.lr, s.h.b1, s.h.b2, s.h.eps, s.h.weight_decay)
            rows.setdefault(key, []).append((s, flat(g)))
        for (_, t, *numbers), members in rows.items():
            self.row(t, numbers, members)

    def row(self, t: int, numbers: list[float], members: list[tuple[Slot, Array]]) -> None:
        lr, b1, b2, eps, wd = numbers
        g = np.concatenate([own for _, own in members])
        p, m, v = (np.concatenate([getattr(s, a) for s, _ in members]) for a in "pmv")
        m += (1 - b1) * (g - m)
        v *= b2
        v += g * ((1 - b2) * g)
        size = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
        p -= (lr * wd) * p + size * (m / (np.sqrt(v) + eps))
        at = 0
        for s, own in members:
            end = at + own.size
            s.p, s.m, s.v = p[at:end].copy(), m[at:end].copy(), v[at:end].copy()
            at = end


@right(claim="keras.AdamW")
class ThirtyEighthRightKerasVariables(Keras):
    """Keras' AdamW: gradients become the change in memory of their own, the decay comes first."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        alpha = s.h.lr * math.sqrt(c2) / c1
        s.p = s.p - s.p * (s.h.weight_decay * s.h.lr)
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        weighed = g * (1 - s.h.b2)
        weighed *= g
        weighed -= s.v * (1 - s.h.b2)
        s.v = s.v + weighed
        below = np.sqrt(s.v)
        below += s.h.eps
        s.p -= (s.m / below) * alpha
