"""Blind, tenth set: faults of clocks, of states that are loaded and of rates, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fourth_blind_frame import Common, Keras
from register import wrong
from tenth_blind_frame_b import Undecayed


@wrong(
    "clock", "CLK.1", like="DiffSharp/DiffSharp#292, flashlight/flashlight#143: the count ticks in the loop"
)
class TenthCountsParameters(Common):
    """The one count ticks for every parameter in the loop, where it is due once in a step."""

    dialect = "optimi.AdamW"

    def all(self, grads: Sequence[Array | None]) -> None:
        count = self.slots[0].t if self.slots else 0
        for s, g in zip(self.slots, grads, strict=True):
            count += 1
            s.t = count
            if g is not None:
                self.update(s, self.taken(g))
        for s in self.slots:
            s.t = count


@wrong("clock", "CLK.2", like="root-project/root#5042: the time step goes with epochs, not with batches")
class TenthCountsEpochs(Undecayed):
    """The clock ticks once in an epoch, which is four steps long."""

    def tick(self, s: Slot) -> None:
        batches = s.extra.get("batches", 4 * s.t)
        s.t = 1 + batches // 4
        s.extra["batches"] = batches + 1


@wrong("clock", "CLK.2", like="guotong1988/BERT-pre-training#24: global_step is counted within and without")
class TenthCountsTwice(Keras):
    """The clock is counted up by the step and once more by who calls it: 2, 4, 6."""

    dialect = "transformers4.AdamWeightDecay"

    def tick(self, s: Slot) -> None:
        s.t += 2


@wrong(
    "bias_correction schedule",
    "BC.4",
    like="tenstorrent/tt-metal#53212: set_beta1 and set_beta2 do not form the powers anew",
)
class TenthPowersOfOldBetas(Frame):
    """The powers of the betas are products, in which steps before a change keep their old beta."""

    dialect = "timm.AdamW"

    def tick(self, s: Slot) -> None:
        for name, beta in (("power1", s.h.b1), ("power2", s.h.b2)):
            s.extra[name] = s.extra.get(name, beta**s.t) * beta
        s.t += 1

    def direction(self, s: Slot) -> Array:
        c1, c2 = 1 - s.extra["power1"], 1 - s.extra["power2"]
        return (s.m / (np.sqrt(s.v) / np.sqrt(c2).item() + s.h.eps)) / c1


@wrong(
    "state",
    "STATE.4",
    like="keras-team/keras#21247: m0, m1, v0, v1 is read as m0, v0, m1, v1",
)
class TenthVariablesInterleaved(Keras):
    """The saved variables are all first moments and then all second ones; they are loaded as pairs."""

    dialect = "keras.Adam"

    def get_state(self) -> dict[str, Any]:
        rows = [self.shaped(s, row) for name in ("m", "v") for s in self.slots for row in (getattr(s, name),)]
        return {"iterations": [s.t for s in self.slots][:1], "variables": rows}

    def set_state(self, state: dict[str, Any]) -> None:
        rows = state["variables"]
        for s, m, v in zip(self.slots, rows[::2], rows[1::2], strict=True):
            if m.shape != s.shape or v.shape != s.shape:
                raise ValueError(f"shapes {m.shape} and {v.shape} do not fit {s.shape}")
            s.t = int(state["iterations"][0])
            s.m, s.v = flat(m).copy(), flat(v).copy()


@wrong(
    "groups schedule",
    "LR.1",
    like="speedinghzl/pytorch-segmentation-toolbox#12: optimizer.param_groups[0]['lr'] = lr",
)
class TenthRateOfFirstGroup(Frame):
    """A new learning rate is set in the first group alone."""

    dialect = "paddle.AdamW"

    first: list[Slot]

    def init(self, params: Sequence[Array], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.first = self.slots

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.first = self.slots[:1]

    def set_lr(self, lr: float) -> None:
        for s in self.first:
            s.h.lr = float(lr)
