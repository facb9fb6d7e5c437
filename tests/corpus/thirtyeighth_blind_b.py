"""Blind, thirty-eighth set: faults of histories, averages and lists of groups in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fifth_blind_frame import Dozat, Plain
from fourth_blind_frame import Common
from register import right, wrong


@wrong(
    "state storage mixed_precision",
    "STATE.4",
    like="huggingface/diffusers#6552: behind a resume the parameters that are trained are halves",
    claim="torch.AdamW",
)
class ThirtyEighthResumesInHalf(Frame):
    """Behind a load the parameters are kept in half precision, and steps that are too small are lost."""

    weight_dtype: Any = None

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.weight_dtype = np.float16
        with np.errstate(all="ignore"):
            for s in self.slots:
                self.cast(s)

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        self.cast(s)

    def cast(self, s: Slot) -> None:
        if self.weight_dtype is not None:
            s.p = s.p.astype(self.weight_dtype).astype(s.p.dtype)


@wrong(
    "moments",
    "MOM.1",
    like="intel/ipex-llm#2640: each call of optimize() clears the history, and with it both moments",
    claim="paper",
)
class ThirtyEighthHistoryCleared(Plain):
    """A call of optimize() makes ten steps and begins with moments of 0; the counter goes on."""

    iterations = 10

    def learn(self, s: Slot, g: Array) -> None:
        if (s.t - 1) % self.iterations == 0:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)
        super().learn(s, g)


@wrong(
    "sharding moments",
    "MOM.1",
    like="NVIDIA/Megatron-LM#1446: the final layernorm's main_grad differs over ranks right before the step",
    claim="apex.FusedAdam",
)
class ThirtyEighthFinalNormNotReduced(Common):
    """The last array of one axis is stepped by its gradient over this rank's half of the sequence alone."""

    ranks = 2

    def update(self, s: Slot, g: Array) -> None:
        vectors = [x.index for x in self.slots if len(x.shape) == 1]
        own = g / self.ranks if vectors and s.index == vectors[-1] else g
        super().update(s, own)


@wrong(
    "moments layout",
    "STEP.1",
    like="huggingface/pytorch-image-models#1182: an average begins at the first weights and stays near them",
    claim="timm.AdamW",
)
class ThirtyEighthAverageOfFirstWeights(Frame):
    """Handed out is an average that begins at the first weights and hardly moves: its decay is 0.9998."""

    dialect = "timm.AdamW"
    ema_decay = 0.9998

    def begin(self) -> None:
        self.ema = [s.p.copy() for s in self.slots]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step(grads)
        with np.errstate(all="ignore"):
            for s in self.slots:
                self.ema[s.index] = self.ema_decay * self.ema[s.index] + (1 - self.ema_decay) * s.p
        return [self.shaped(s, average) for s, average in zip(self.slots, self.ema, strict=True)]

    def get_state(self) -> dict[str, Any]:
        raw = [self.shaped(s, s.p) for s in self.slots]
        return {**super().get_state(), "raw": raw}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s, p in zip(self.slots, state.get("raw", []), strict=False):
            s.p = flat(np.asarray(p)).copy()


@wrong(
    "groups",
    "LR.4",
    like="QitaoZhao/ContextAware-PoseFormer#12: a string for a list of names leaves the second group empty",
    claim="torch.Adam",
)
class ThirtyEighthSecondGroupEmpty(Coupled):
    """No name is found in the list of the second group: all arrays train at the first group's rate."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        lower = [h for h in hypers[:1] if "lr" in h]
        super().init_groups(params, [{**h, "lr": lower[0]["lr"]} if lower else h for h in hypers])


@right(claim="torch.NAdam")
class ThirtyEighthRightMuOfDict(Dozat):
    """NAdam with L2 as a plain dict of numbers for each step, and two additions to the parameter."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        d = g + s.p * h.weight_decay
        numbers = self.numbers(s)
        s.m = s.m + (1 - h.b1) * (d - s.m)
        s.v = s.v * h.b2 + d * ((1 - h.b2) * d)
        below = np.sqrt(s.v) / numbers["root"] + h.eps
        after_gradient = s.p - numbers["gradient"] * (d / below)
        s.p = after_gradient - numbers["moment"] * (s.m / below)

    def numbers(self, s: Slot) -> dict[str, float]:
        mu, mu_next = (s.h.b1 * (1 - 0.5 * 0.96 ** ((s.t + k) * s.h.momentum_decay)) for k in (0, 1))
        return {
            "root": math.sqrt(1 - s.h.b2**s.t),
            "gradient": s.h.lr * (1 - mu) / (1 - s.mu),
            "moment": s.h.lr * mu_next / (1 - s.mu * mu_next),
        }


@right(claim="torch.AdamW")
class ThirtyEighthRightBlocksInPlace(Frame):
    """AdamW by blocks of 96 elements with two buffers, all in place; the state is a list of dicts."""

    block = 96

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        size, root, keep = s.h.lr / c1, math.sqrt(c2), 1 - s.h.lr * s.h.weight_decay
        s.p = s.p.copy()
        for begin in range(0, g.size, self.block):
            part = slice(begin, begin + self.block)
            p, m, v, d = s.p[part], s.m[part], s.v[part], g[part]
            one, two = np.empty_like(d), np.empty_like(d)
            np.subtract(d, m, out=one)
            one *= 1 - s.h.b1
            m += one
            np.multiply(d, 1 - s.h.b2, out=two)
            two *= d
            v *= s.h.b2
            v += two
            np.sqrt(v, out=two)
            two /= root
            two += s.h.eps
            np.divide(m, two, out=one)
            one *= size
            p *= keep
            p -= one

    def get_state(self) -> dict[str, Any]:
        own = [
            {"step": s.t, "exp_avg": self.shaped(s, s.m), "exp_avg_sq": self.shaped(s, s.v)}
            for s in self.slots
        ]
        return {"params": own}

    def set_state(self, state: dict[str, Any]) -> None:
        if "params" not in state:
            super().set_state(state)
            return
        for s, own in zip(self.slots, state["params"], strict=True):
            s.t = int(own["step"])
            s.m, s.v = (flat(np.asarray(own[name])).copy() for name in ("exp_avg", "exp_avg_sq"))
