"""Blind, twenty-second set: faults of rates, clocks, rows, scales and masters, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from ninth_blind_frame_b import Wanting
from register import wrong
from sixth_blind_frame import Running, Unscaled
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame import RunningCoupled
from twelfth_blind_frame_b import Stored


@wrong(
    "schedule hyperparameters",
    "LR.1",
    like="Unity-Technologies/ml-agents#2567: the rate always decays to 0 at max_steps, for SAC as well",
)
class TwentySecondBDecaysToMaxSteps(Slotted):
    """The rate that is given falls along a line, to 1e-10 at the 500th update."""

    max_steps, end_learning_rate = 500, 1e-10

    def move(self, s: Slot, u: Array) -> None:
        part = min(s.t - 1, self.max_steps) / self.max_steps
        rate = (s.h.lr - self.end_learning_rate) * (1 - part) + self.end_learning_rate
        s.p = s.p - rate * u


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="tinygrad/tinygrad#10: t does not rise by 1 once in each step of the optimizer",
)
class TwentySecondBRisesInLoop(Wanting):
    """The one clock rises for each parameter in the loop over them, and not once in a step."""

    dialect = "tinygrad.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s, g in zip(self.slots, grads, strict=True):
            for other in self.slots:
                self.tick(other)
            if g is not None:
                self.update(s, self.taken(g))


@wrong(
    "state storage",
    "STATE.4",
    like="databricks/flashoptim#3: a distributed checkpoint corrupts the compressed state; the loss explodes",
)
class TwentySecondBScalesStayBehind(Frame):
    """Of the second moment a load takes the codes alone: the scales are those that were there before it."""

    dialect = "flashoptim.FlashAdamW"
    group_size = 32

    def scales(self, row: Array) -> Array:
        starts = range(0, row.size, self.group_size)
        greatest = [np.max(row[at : at + self.group_size]) for at in starts]
        return np.repeat(np.asarray(greatest, row.dtype), self.group_size)[: row.size]

    def set_state(self, state: dict[str, Any]) -> None:
        before = [self.scales(s.v) for s in self.slots]
        super().set_state(state)
        for s, scale in zip(self.slots, before, strict=True):
            own = self.scales(s.v)
            codes = np.divide(s.v, own, out=np.zeros_like(s.v), where=own != 0)
            s.v = codes * scale


@wrong(
    "sparse zero_gradient decay",
    "SPARSE.2",
    like="tensorflow/tensorflow#21789: the sparse update of a decoupled weight decay has a bug",
)
class TwentySecondBListedRowsDecay(Unscaled):
    """Of a matrix with rows of zero gradients the sparse path decays those rows alone that are listed."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        u = self.direction(s)
        decayed = s.h.weight_decay * s.p
        if len(s.shape) > 1 and s.p.size:
            listed = (g.reshape(s.shape[0], -1) != 0).any(axis=1)
            decayed = (decayed.reshape(s.shape[0], -1) * listed[:, None]).reshape(-1)
        s.p = s.p - decayed - s.h.lr * u


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="PaddlePaddle/Paddle#4934: Adam ignores an annealed learning rate",
)
class TwentySecondBAnnealingIgnored(RunningCoupled):
    """The update uses the rate that the optimizer was made with; a later one goes nowhere."""

    def set_lr(self, lr: float) -> None:
        pass

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({name: value for name, value in hyper.items() if name != "lr"})


@wrong(
    "storage mixed_precision moments",
    "STORE.2",
    like="PaddlePaddle/Paddle#78773: sharded Muon's AdamW does not update its master weights as it should",
)
class TwentySecondBMasterNeverWritten(Running):
    """Each step begins at a master weight, and writes the parameter alone: the master stays where it was."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        super().begin()
        self.master_weights = [s.p.copy() for s in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        master = self.master_weights[s.index]
        s.p = master * (1 - s.h.lr * s.h.weight_decay) - s.h.lr * u


@wrong(
    "storage moments nonfinite",
    "STORE.9",
    like="inclusionAI/AReno#537: one scale is for a whole bucket, so that an outlier sets everyone's",
)
class TwentySecondBScaleOfBucket(Frame):
    """Moments of all parameters are rounded to 8 bits with one scale, that of the largest or of a NaN."""

    dialect = "torchao.AdamW"

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.packed("m", 127)
        self.packed("v", 255)

    def packed(self, name: str, top: int) -> None:
        rows = [getattr(s, name) for s in self.slots]
        scale = float(np.max([np.max(np.abs(row), initial=0.0) for row in rows], initial=0.0)) / top
        for s, row in zip(self.slots, rows, strict=True):
            if scale != 0:
                setattr(s, name, np.asarray(np.rint(row / scale) * scale, row.dtype))


class Cntk(Stored):
    """Epsilon hat without decay, in which absent gradients are skipped."""

    dialect = "paper.eps-hat"


@wrong(
    "moments",
    "MOM.1",
    like="microsoft/CNTK#3675: the routine adamUpdate of the learner is wrong",
)
class TwentySecondBGradientWhole(Cntk):
    """The gradient goes into the first moment as it is, where its share of 1-b1 belongs."""

    def learn(self, s: Slot, g: Array) -> None:
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        s.m = s.h.b1 * s.m + g

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        ada = 1 / (np.sqrt(s.v) + s.h.eps)
        return (math.sqrt(c2) / c1) * (s.m * ada)


@wrong(
    "hyperparameters moments",
    "MOM.2",
    like="microsoft/CNTK#2063: 0.999 for the variance is read as a time constant, and no net converges",
)
class TwentySecondBTimeConstant(Cntk):
    """The second beta is taken for a time constant: what decays the second moment is exp(-1/b2)."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, [self.as_momentum(given) for given in hypers])

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(self.as_momentum(hyper))

    def as_momentum(self, given: dict[str, float]) -> dict[str, float]:
        if "b2" not in given:
            return given
        return {**given, "b2": math.exp(-1 / given["b2"]) if given["b2"] > 0 else 0.0}
