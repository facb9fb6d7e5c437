"""Blind, thirty-third set, second half: faults of saves, norms and starts, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Hat, Keras
from register import wrong
from sixth_blind_frame import Unscaled
from twelfth_blind_frame_b import Stored


@wrong(
    "missing layout",
    "F1",
    like="keras-team/keras#19534: accumulators of all variables are paired with the gradients that are left",
)
class ThirtyThirdBAccumulatorOfPlace(Keras):
    """Gradients go to accumulators by their place among those that are there: past a None it is wrong."""

    dialect = "keras.Adam"

    def begin(self) -> None:
        self.accumulated = [np.zeros_like(s.p) for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        filtered = [self.taken(g) for g in grads if g is not None]
        for accumulator, g in zip(self.accumulated, filtered, strict=False):
            accumulator += g
        super().all([None if g is None else a for g, a in zip(grads, self.accumulated, strict=True)])
        for accumulator in self.accumulated:
            accumulator[...] = 0


@wrong(
    "loss_scale clipping",
    "SCALE.2",
    like="facebookresearch/fairseq#4555: the norm is of scaled sums in fp16, and is unscaled when it is inf",
)
class ThirtyThirdBNormOverflows(Hat):
    """The norm is taken in half precision, of scaled sums: where it is infinite, a step is skipped for it."""

    dialect = "fairseq.Adam"
    sample_size, smallest, largest = 64, 1e-4, 65504.0

    def begin(self) -> None:
        self.loss_scale = 128.0

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [np.asarray(self.taken(g), np.float64) for g in grads if g is not None]
        norm = np.sqrt(sum(float(np.sum(row * row)) for row in rows))
        if not norm * self.sample_size * self.loss_scale <= self.largest:
            self.loss_scale /= 2
            if self.loss_scale <= self.smallest:
                raise FloatingPointError(f"minimum loss scale reached ({self.smallest})")
            return
        super().all(grads)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "loss_scale": self.loss_scale}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.loss_scale = float(state.get("loss_scale", self.loss_scale))


@wrong(
    "mixed_precision storage",
    "NUM.1",
    like="TUDB-Labs/mLoRA#11: adapters are trained by AdamW in fp16, and become NaN",
)
class ThirtyThirdBAllInHalf(Frame):
    """Parameters, gradients, moments and epsilon are float16: 1e-8 is 0 there, and squares overflow."""

    dialect = "torch.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        h, half = s.h, np.float16
        grad, p, m, v = (row.astype(half) for row in (g, s.p, s.m, s.v))
        m = h.b1 * m + (1 - h.b1) * grad
        v = h.b2 * v + (1 - h.b2) * (grad * grad)
        denominator = np.sqrt(v) / np.sqrt(half(1 - h.b2**s.t)) + half(h.eps)
        p = p - half(h.lr * h.weight_decay) * p
        p = p - half(h.lr / (1 - h.b1**s.t)) * (m / denominator)
        s.p, s.m, s.v = (new.astype(old.dtype) for new, old in ((p, s.p), (m, s.m), (v, s.v)))


@wrong(
    "state clock",
    "STATE.4",
    like="deeplearning4j/deeplearning4j#1711: the optimizer object counts, and the model is saved without it",
)
class ThirtyThirdBCountOfObject(Stored):
    """Moments are saved with the model, and the iteration is not: behind a load it is 0 again."""

    dialect = "paper.eps-hat"

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        return {"updater": {name: whole[name] for name, _ in self.kept()}}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state.get("updater", state), "t": 0})


@wrong(
    "moments",
    "MOM.3",
    like="Oneflow-Inc/oneflow#2082: the initializer of m and v has to be mended",
)
class ThirtyThirdBUniformMoments(Plain):
    """No initializer is named for m and v, so they begin with the one of the library: uniform in 0 to 1."""

    def begin(self) -> None:
        for s in self.slots:
            generator = np.random.default_rng(s.index)
            s.m, s.v = (generator.random(s.p.size).astype(s.p.dtype) for _ in range(2))


@wrong(
    "moments aliasing hyperparameters",
    "STEP.1",
    like="tensorflow/addons#741: with MovingAverage around it nothing is updated, the loss stays what it was",
)
class ThirtyThirdBAverageAssigned(Unscaled):
    """Behind each step the variable is assigned its average, which was taken at the start and never moves."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["average"] = s.p.copy()

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = np.array(s.extra["average"])


@wrong(
    "groups decay",
    "LR.4",
    like="aiqm/torchani#279: the first layer of each atomic network decays, and that of NeuroChem does not",
)
class ThirtyThirdBNetworksFirstLayer(Frame):
    """Networks have four arrays each, and the first one decays by what was given for the one behind it."""

    dialect = "torch.AdamW"
    layers = 4

    def move(self, s: Slot, u: Array) -> None:
        first = s.index % self.layers == 0 and s.index + 1 < len(self.slots)
        weight_decay = (self.slots[s.index + 1] if first else s).h.weight_decay
        s.p = s.p - s.h.lr * weight_decay * s.p - s.h.lr * u


@wrong(
    "state clock",
    "STATE.4",
    like="pytorch/FBGEMM#3228: split_optimizer_states has two momenta, and not the iter of Adam",
)
class ThirtyThirdBSplitWithoutIter(Common):
    """A save has both momenta of each table: what loads it corrects them by the iter that it has itself."""

    dialect = "apex.FusedAdam"

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        return {"momentum1": whole["m"], "momentum2": whole["v"]}

    def set_state(self, state: dict[str, Any]) -> None:
        if "momentum1" in state:
            state = {"m": state["momentum1"], "v": state["momentum2"]}
        super().set_state({**state, "t": [s.t for s in self.slots]})
