"""Blind, twenty-eighth set: faults of norms, windows, loads, clocks and rates in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fourth_blind_frame import Common
from register import wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "clipping mixed_precision",
    "CLIP.5",
    like="NVIDIA/apex#92: a wrapper around the fused Adam forms its clip norm in half, where it overflows",
    claim="apex.FusedAdam",
)
class TwentyEighthNormInHalf(Common):
    """Gradients are clipped to 1 by a norm in half precision: from 256 on it is inf, and they become 0."""

    max_grad_norm = 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.combined = 1.0
        norms = [np.float16(np.linalg.norm(flat(g))) for g in grads if g is not None]
        total = np.float16(0)
        for norm in norms:
            total = np.float16(total + norm * norm)
        clip = (float(np.sqrt(total)) + 1e-6) / self.max_grad_norm
        if clip > 1:
            self.combined = clip
        super().all(grads)

    def taken(self, g: Array) -> Array:
        return flat(g) / self.combined


@wrong(
    "moments",
    "MOM.1",
    like="huggingface/trl#583: zero_grad is called once a window, and not with each step of the optimizer",
    claim="torch.Adam",
)
class TwentyEighthZeroedOnceAWindow(Coupled):
    """Gradients are zeroed at the start of a window of four steps, and add up in the steps between."""

    window = 4

    def begin(self) -> None:
        for s in self.slots:
            s.extra["grad"] = 0.0

    def update(self, s: Slot, g: Array) -> None:
        if (s.t - 1) % self.window == 0:  # optimizer.zero_grad()
            s.extra["grad"] = 0.0
        s.extra["grad"] = s.extra["grad"] + g
        super().update(s, s.extra["grad"])


@wrong(
    "state",
    "STATE.4",
    like="bitsandbytes-foundation/bitsandbytes#1382: the first step behind load_state_dict is NaN",
    claim="torch.AdamW",
)
class TwentyEighthCodesByNewMaxima(Frame):
    """A load divides the first moment by the maxima of a new optimizer, which are 0: the step is NaN."""

    def begin(self) -> None:
        self.absmax = [0.0] * len(self.slots)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        with np.errstate(all="ignore"):
            for s in self.slots:
                codes = s.m / self.absmax[s.index]
                s.m = codes * self.absmax[s.index]

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        sizes = np.abs(s.m[np.isfinite(s.m)])
        largest = float(sizes.max()) if sizes.size else 0.0
        self.absmax[s.index] = math.ldexp(1.0, math.frexp(largest)[1] - 1)  # a power of two


@wrong(
    "all_missing clock",
    "CLK.4",
    like="facebookresearch/optimizers#149: a rank without gradients returns early, and its step falls behind",
    claim="apex.FusedAdam",
)
class TwentyEighthReturnsEarly(Common):
    """A step without any gradient returns at once: the common clock does not tick in it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        if all(g is None for g in grads):
            return
        super().all(grads)


@wrong(
    "hyperparameters",
    "LR.3",
    like="yifita/DSS#25: Adam is built with a rate that stands in the code, the config's is never used",
    claim="torch.Adam",
)
class TwentyEighthRateInTheCode(Coupled):
    """Adam is built with a learning rate of 0.01, whatever the configuration says."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, [{**hyper, "lr": 0.01} for hyper in hypers])


@wrong(
    "isolation",
    "STATE.1",
    like="hill-a/stable-baselines#613: a second learn() goes on with the moments of the first environment",
    claim="tf1.Adam",
)
class TwentyEighthSecondLearn(Slotted):
    """Slots live in one graph: a second optimizer of the same arrays begins with the first one's moments."""

    graph: ClassVar[dict[tuple[object, ...], tuple[int, Array, Array]]] = {}

    def name(self, s: Slot) -> tuple[object, ...]:
        return s.index, s.shape, s.dtype.str

    def begin(self) -> None:
        for s in self.slots:
            if self.name(s) in self.graph:
                s.t, m, v = self.graph[self.name(s)]
                s.m, s.v = m.copy(), v.copy()

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            self.graph[self.name(s)] = s.t, s.m.copy(), s.v.copy()


@wrong(
    "groups",
    "LR.4",
    like="ray-project/ray#4672: the rates of actor and critic are factors of their losses, with one Adam",
    claim="tf1.Adam",
)
class TwentyEighthRateInLoss(Slotted):
    """One Adam has the first group's rate; another group's is a factor of its gradient, which cancels."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.slots[0].h.lr * u

    def learn(self, s: Slot, g: Array) -> None:
        base = self.slots[0].h.lr
        coefficient = s.h.lr / base if base else 1.0
        super().learn(s, g if coefficient == 1 else coefficient * g)
