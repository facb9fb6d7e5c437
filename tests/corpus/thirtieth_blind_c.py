"""Blind, thirtieth set: faults of names, of filters and of resumed rates in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fifth_blind_frame import Later
from fourth_blind_frame import Common
from register import right, wrong
from tenth_blind_frame_b import After, Slotted


@wrong(
    "clipping hyperparameters",
    "CLIP.3",
    like="explosion/spaCy#4967: callers set the attribute by its former name, and the clip stays as it was",
    claim="thinc.Adam",
)
class ThirtiethClipByFormerName(After):
    """Clipping is switched off by a name that nothing reads: each gradient is cut to a norm of 1."""

    grad_clip = 1.0

    def begin(self) -> None:
        self.max_grad_norm = 0.0  # what the caller means by it

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        norm = math.sqrt(float(np.sum(np.square(row, dtype=np.float64))))
        if self.grad_clip and norm >= self.grad_clip:
            return row * (self.grad_clip / norm)
        return row


@wrong(
    "groups",
    "LR.4",
    like="huggingface/lerobot#280: the filter never matches, and the backbone trains with the main group",
    claim="torch.AdamW",
)
class ThirtiethBackboneInMainGroup(Frame):
    """A filter by name finds nothing: all arrays are in the first group, with its rate and all the rest."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        names = [f"backbone.{i}" if own != hypers[0] else f"head.{i}" for i, own in enumerate(hypers)]
        own = [i for i, name in enumerate(names) if name.startswith("model.backbone")]
        settings = [hypers[i] if i in own else hypers[0] for i in range(len(hypers))]
        super().init_groups(params, settings)


@wrong(
    "schedule state",
    "STATE.4",
    like="mozilla/DeepSpeech#2377: a continued run begins at the configured rate, not at the one it had",
    claim="tf1.Adam",
)
class ThirtiethReachedRateIsLost(Slotted):
    """Behind a load the rate begins again where the saved run began, and falls from there."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra.update(configured=s.h.lr, again=1.0)

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            s.extra["reached"] = s.h.lr
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if s.extra.get("reached"):
                s.extra["again"] *= s.extra["configured"] / s.extra.pop("reached")

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.extra["again"] * u


@wrong(
    "state hyperparameters",
    "STATE.4",
    like="pytorch/pytorch#32021: a load overwrites the rate that the constructor has just been given",
    claim="torch.Adam",
)
class ThirtiethLoadTakesOldRate(Coupled):
    """A load brings the rate of the saved run, in the place of the one that the new one was made with."""

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "param_groups": [{"lr": s.h.lr} for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s, group in zip(self.slots, state.get("param_groups", []), strict=False):
            s.h.lr = group["lr"]


@right(claim="apex.FusedAdam")
class ThirtiethRightJoinedRows(Common):
    """One row for all arrays of one dtype that have the same settings; it is stepped and cut up again."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.tick(s)
        rows: dict[Any, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                rows.setdefault((s.p.dtype, s.t, *vars(s.h).values()), []).append((s, flat(g)))
        for pairs in rows.values():
            self.together([s for s, _ in pairs], np.concatenate([g for _, g in pairs]))

    def together(self, slots: list[Slot], g: Array) -> None:
        h, (c1, c2) = slots[0].h, corrections(slots[0].h, slots[0].t)
        p, m, v = (np.concatenate([getattr(s, name) for s in slots]) for name in ("p", "m", "v"))
        m += (1 - h.b1) * (g - m)
        v += ((1 - h.b2) * g) * g - (1 - h.b2) * v
        update = (m / c1) / (np.sqrt(v) * (1 / math.sqrt(c2)) + h.eps) + h.weight_decay * p
        p -= h.lr * update
        ends = np.cumsum([s.p.size for s in slots])[:-1]
        for name, row in (("p", p), ("m", m), ("v", v)):
            for s, part in zip(slots, np.split(row, ends), strict=True):
                setattr(s, name, part.copy())


@right(claim="transformers4.AdamW")
class ThirtiethRightOwnLayout(Later):
    """BERT's AdamW with its corrections: a dictionary for each parameter is its state, and two forms load."""

    def get_state(self) -> dict[str, Any]:
        return {
            "state": {
                str(s.index): {
                    "step": s.t,
                    "exp_avg": self.shaped(s, s.m),
                    "exp_avg_sq": self.shaped(s, s.v),
                }
                for s in self.slots
            }
        }

    def set_state(self, state: dict[str, Any]) -> None:
        if "state" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            own = state["state"][str(s.index)]
            s.t = int(own["step"])
            s.m, s.v = (flat(np.asarray(own[name])).copy() for name in ("exp_avg", "exp_avg_sq"))

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        step_size = s.h.lr * math.sqrt(c2) / c1
        moved = s.p - step_size * (s.m / (np.sqrt(s.v) + s.h.eps))
        s.p = moved + moved * (-s.h.lr * s.h.weight_decay)
