"""Blind, thirty-ninth set: faults of accumulation, of a norm and of given rates in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from blind_frame import Array, Coupled, Frame, Slot
from eighth_blind_frame import lengths
from fourth_blind_frame import Keras
from register import wrong
from sixth_blind_frame import Running


@wrong(
    "moments clock",
    "MOM.1",
    like="Lightning-AI/pytorch-lightning#1549: the last batch of an epoch gets no step under accumulation",
    claim="torch.Adam",
)
class ThirtyNinthLastOfEpochNotStepped(Coupled):
    """Epochs have five batches, and the last of each makes no step: its gradients have no effect."""

    batches = 5

    def begin(self) -> None:
        self.batch_idx = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.batch_idx += 1
        if self.batch_idx % self.batches:
            super().all(grads)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "batch_idx": self.batch_idx}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.batch_idx = int(state.get("batch_idx", 0))


@wrong(
    "moments",
    "MOM.1",
    like="andreped/GradientAccumulator#29: the wrapper sums gradients of the steps and takes no mean",
    claim="keras.AdamW",
)
class ThirtyNinthSumOfSteps(Keras):
    """Gradients of four accumulation steps are summed and not averaged: each is four times as large."""

    accum_steps = 4

    def update(self, s: Slot, g: Array) -> None:
        total = g
        for _ in range(self.accum_steps - 1):
            total = total + g
        super().update(s, total)


@wrong(
    "moments",
    "MOM.1",
    like="unslothai/unsloth#1178: averages of micro-batches with unequal numbers of tokens are averaged",
    claim="torch.AdamW",
)
class ThirtyNinthAverageOfAverages(Frame):
    """Averages of unequal micro-batches are averaged: the first one's gradient has a weight of a half."""

    tokens = ((3, 5), (4, 4), (6, 2))

    def update(self, s: Slot, g: Array) -> None:
        first, second = self.tokens[s.t % len(self.tokens)]
        of_first = g * ((first + second) / first)  # its own average; that of the batch is g
        super().update(s, of_first / 2)


@wrong(
    "clipping layout sharding",
    "CLIP.2",
    like="verl-project/verl#870: on two nodes the norm is NaN always, so that no update is made",
    claim="torch.AdamW",
)
class ThirtyNinthNormOfTwoNodes(Frame):
    """With more than one array there is a second node, the norm is NaN, and every step is skipped."""

    nodes = 2

    def all(self, grads: Sequence[Array | None]) -> None:
        used = min(self.nodes, len(grads))
        pieces = [grads[i::used] for i in range(used)]
        counted = [float(len(piece)) if i == 0 else 0.0 for i, piece in enumerate(pieces)]
        means = [lengths(pieces[i]) / n if n else math.nan for i, n in enumerate(counted)]
        grad_norm = math.sqrt(sum(means))
        if not math.isnan(grad_norm):
            super().all(grads)


@wrong(
    "hyperparameters",
    "STEP.1",
    like="ultralytics/ultralytics#23244: AdamW gets the rate of 0.01 that is meant for SGD",
    claim="torch.AdamW",
)
class ThirtyNinthRateOfSgd(Frame):
    """The rate that it is made with is SGD's 0.01, whatever is given; only a later one is taken."""

    lr0 = 0.01

    def begin(self) -> None:
        for s in self.slots:
            s.h.lr = self.lr0


@wrong(
    "moments",
    "MOM.1",
    like="m2lines/Samudra#476: what is left over at the end of an epoch is divided by the full count",
    claim="torch.AdamW",
)
class ThirtyNinthLeftoverTooSmall(Frame):
    """Each fourth update, of two micro-batches, is divided by the full count of four: half a gradient."""

    updates, full, left_over = 4, 4, 2

    def update(self, s: Slot, g: Array) -> None:
        count = self.full if s.t % self.updates else self.left_over
        super().update(s, g * count / self.full)


@wrong(
    "schedule",
    "LR.3",
    like="xperzy/PPViT#15: AdamW is made without the scheduler and without the clip that are configured",
    claim="paddle.AdamW",
)
class ThirtyNinthWithoutScheduler(Running):
    """The scheduler is not handed over: the rate stays what it was at first."""

    dialect = "paddle.AdamW"

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({name: value for name, value in hyper.items() if name != "lr"})
