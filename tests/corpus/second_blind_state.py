"""Blind, second set: clocks, freezing, Nesterov, saving and layout of other Adams' bugs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot
from register import equivalent, wrong


@wrong("clock zero_gradient", "F2", like="uc-vision/taichi-splatting#17")
class FreshClockOfElement(Frame):
    """An element is corrected for the number of its gradients that were not 0."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.extra["seen"] = s.extra.get("seen", np.zeros(g.shape)) + (g != 0)

    def direction(self, s: Slot) -> Array:
        seen = np.maximum(s.extra["seen"], 1)
        c1, c2 = ((1 - b**seen).astype(s.m.dtype) for b in (s.h.b1, s.h.b2))
        u: Array = (s.m / (np.sqrt(s.v) / np.sqrt(c2) + s.h.eps)) / c1
        return u


@wrong("clock", "CLK.1", like="deepspeedai/DeepSpeed#5775")
class FreshClockOfWholeSteps(Frame):
    """The common clock ticks only in a step in which no gradient is absent."""

    dialect = "apex.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        whole = all(g is not None for g in grads)
        for s in self.slots:
            s.t += whole or s.t == 0
        super().all(grads)

    def tick(self, s: Slot) -> None:
        pass


@wrong("missing", "F5", like="pytorch/pytorch#62135")
class FreshThawCatchesUp(Frame):
    """When a gradient comes again, the moments fade by as many steps as there was none."""

    def missed(self, s: Slot) -> None:
        s.extra["gone"] = s.extra.get("gone", 0) + 1

    def learn(self, s: Slot, g: Array) -> None:
        gone = s.extra.pop("gone", 0)
        s.m, s.v = s.h.b1**gone * s.m, s.h.b2**gone * s.v
        super().learn(s, g)


@wrong("zero_gradient", "F2", like="tensorflow/tensorflow#23668")
class FreshLazyRows(Frame):
    """Rows of a matrix whose gradient is 0 throughout are passed over."""

    def update(self, s: Slot, g: Array) -> None:
        before = s.p, s.m, s.v
        super().update(s, g)
        if len(s.shape) > 1 and g.size:
            still = np.repeat((g.reshape(s.shape[0], -1) == 0).all(axis=1), g.size // s.shape[0])
            s.p, s.m, s.v = (
                np.where(still, old, new) for old, new in zip(before, (s.p, s.m, s.v), strict=True)
            )


class Dozat(Coupled):
    """Dozat's schedule; two methods say what its factors are."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")

    def rate(self, s: Slot) -> float:
        return s.h.momentum_decay

    def factor(self, s: Slot, k: int) -> float:
        return s.h.b1 * (1 - 0.5 * math.pow(0.96, k * self.rate(s)))

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        mu, ahead = self.factor(s, s.t), self.factor(s, s.t + 1)
        s.mu *= mu
        own, look = s.h.lr * (1 - mu) / (1 - s.mu), s.h.lr * ahead / (1 - s.mu * ahead)
        denominator = np.sqrt(s.v) / math.sqrt(1 - s.h.b2**s.t) + s.h.eps
        s.p = s.p - own * (g / denominator) - look * (s.m / denominator)


@wrong("nesterov", "NES.1", like="mlpack/mlpack#1279")
class FreshScheduleLate(Dozat):
    """The schedule of the momentum is called with t-1, as if its first step were 0."""

    def factor(self, s: Slot, k: int) -> float:
        return super().factor(s, k - 1)


@wrong("nesterov hyperparameters", "NES.1", like="deeplearning4j/deeplearning4j#6646")
class FreshMomentumDecayFixed(Dozat):
    """The decay of the momentum is 0.004, whatever is given."""

    def rate(self, s: Slot) -> float:
        return 4e-3


@wrong("moments state", "MOM.3", like="pytorch/torchtitan#4382")
class FreshDummyStep(Coupled):
    """The state is made by a step with a gradient of 0, and the penalty gets into the moments."""

    def begin(self) -> None:
        for s in self.slots:
            self.learn(s, self.penalized(s, np.zeros_like(s.p)))


@equivalent("what is saved is copied before the next step, as torch's own state has to be (pytorch#196083)")
class FreshStateHandedOut(Frame):
    """The saved state is the moments' own memory, in which the next steps go on."""

    def learn(self, s: Slot, g: Array) -> None:
        w1, w2 = 1 - s.h.b1, 1 - s.h.b2
        s.m *= s.h.b1
        s.m += w1 * g
        s.v *= s.h.b2
        s.v += (w2 * g) * g

    def get_state(self) -> dict[str, Any]:
        live = {a: [getattr(s, a).view(s.dtype).reshape(s.shape) for s in self.slots] for a in ("m", "v")}
        return {**super().get_state(), **live}


@wrong("state", "STATE.1", like="deeplearning4j/deeplearning4j#4898")
class FreshCorrectedIsSaved(Frame):
    """The corrected moments are saved, and loaded as if they were the moments."""

    def get_state(self) -> dict[str, Any]:
        saved = super().get_state()
        for s in self.slots:
            if s.t:
                saved["m"][s.index] = saved["m"][s.index] / (1 - s.h.b1**s.t)
                saved["v"][s.index] = saved["v"][s.index] / (1 - s.h.b2**s.t)
        return saved


@wrong("state", "STATE.4", like="ooples/AiDotNet.Tensors#260")
class FreshLoadsExchanged(Frame):
    """What was saved as the first moment is loaded into the second one, and the other way round."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state, "m": state["v"], "v": state["m"]})


@wrong("state clock", "STATE.4", like="HorizonRobotics/alf#1678")
class FreshFirstClockLoaded(Frame):
    """After a load all parameters have the clock of the first."""

    def set_state(self, state: dict[str, Any]) -> None:
        clocks = state["t"]
        super().set_state({**state, "t": clocks[0] if isinstance(clocks, list) and clocks else clocks})


@wrong("layout", "NUM.5", like="hpcaitech/ColossalAI#633")
class FreshRowsForElements(Frame):
    """The number of rows is taken for the number of elements: only so many of a matrix are stepped."""

    def update(self, s: Slot, g: Array) -> None:
        before = s.p, s.m, s.v
        super().update(s, g)
        if len(s.shape) > 1:
            made = np.arange(g.size) < s.shape[0] * (2 if s.dtype.kind == "c" else 1)
            s.p, s.m, s.v = (
                np.where(made, new, old) for old, new in zip(before, (s.p, s.m, s.v), strict=True)
            )


@wrong("layout", "NUM.5", like="bytedance/lightseq#98")
class FreshSmallArraysStay(Frame):
    """Arrays of fewer than 1024 elements get no block of threads, and stay as they are."""

    def update(self, s: Slot, g: Array) -> None:
        if g.size >= 1024:
            super().update(s, g)


@wrong("layout", "NUM.5", like="deepspeedai/DeepSpeed#1643")
class FreshWrittenIntoFirst(Frame):
    """The new values of parameter i are written into the first one, from its element i on."""

    out: list[Array]

    def begin(self) -> None:
        self.out = [self.shaped(s, s.p) for s in self.slots]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        made = super().step(grads)
        first = made[0].reshape(-1).copy() if made else np.zeros(0)
        for i, p in enumerate(made):
            values = p.reshape(-1)[: max(0, first.size - i)]
            first[i : i + values.size] = values if first.dtype.kind == "c" else values.real
        return [a.copy() if i else first.reshape(made[0].shape) for i, a in enumerate(self.out)]
