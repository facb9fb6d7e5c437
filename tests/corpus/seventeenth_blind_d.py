"""Blind, seventeenth set: faults of decay, clocks and rates, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from eighth_blind_frame import lengths
from fifth_blind_frame import CorrectedRate, Plain
from fourteenth_blind_frame_b import FormerKeras
from register import wrong
from thirteenth_blind_frame_b import Browser
from twelfth_blind_frame import shortened


def finite(g: Array | None) -> Array | None:
    """Return a gradient with 0 for what counts in no norm."""
    return None if g is None else np.where(np.isfinite(g), g, 0)


@wrong(
    "decay",
    "DEC.4",
    like="apache/mxnet#10494: where the gradient is stopped the decay alone is in it, and makes whole steps",
)
class SeventeenthBDecayIsNormalised(CorrectedRate):
    """The weight decay joins the gradient, and is divided by the root of its own square."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g + s.h.weight_decay * s.p)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "epsilon bias_correction clock",
    "STEP.1",
    like="clab/dynet@f9bfec9e: m is multiplied by the root, and the count is raised behind the update",
)
class SeventeenthBTimesTheRoot(Plain):
    """The first moment is multiplied by the denominator, and corrected for the count before, 0 at first."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = (s.p.dtype.type(c) for c in corrections(s.h, s.t - 1))
        s.p = s.p - s.h.lr * ((s.m / c1) * (np.sqrt(s.v / c2) + s.h.eps))


@wrong(
    "state clock",
    "STATE.4",
    like="tensorflow/tensorflow#48947: optimizer.iterations is not what it was after saving and loading",
)
class SeventeenthBIterationsOfNewModel(FormerKeras):
    """A loaded state has the moments that were saved, and the count of iterations of a new model."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state, "t": self.iterations()})

    def iterations(self) -> int:
        return 0


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="clab/dynet@1fafed45: the status sets the number of updates to 0, which the correction counts by",
)
class SeventeenthBStatusBeginsCountAnew(Browser):
    """After every fourth update the status is printed, and the clock is 0; the moments stay."""

    report = 4

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            if s.t >= self.report:
                self.status(s)

    def status(self, s: Slot) -> None:
        s.t = 0


@wrong(
    "clipping decay",
    "CLIP.1",
    like="Oneflow-Inc/oneflow#6496: the graph adds L2 to the gradients, and clips the sum",
)
class SeventeenthBRegularizedThenClipped(Coupled):
    """What is scaled down to the norm 2, all parameters together, are gradients with L2 in them."""

    max_norm = 2.0

    def all(self, grads: Sequence[Array | None]) -> None:
        both = list(zip(self.slots, grads, strict=True))
        whole = [None if g is None else self.penalized(s, self.taken(g)) for s, g in both]
        norm = lengths([finite(g) for g in whole]) ** 0.5 / self.max_norm
        for s, g in zip(self.slots, whole, strict=True):
            if g is not None:
                self.tick(s)
                self.learn(s, shortened(g, norm))
                self.move(s, self.direction(s))


@wrong(
    "schedule",
    "LR.1",
    like="d8ahazard/sd_dreambooth_extension#273: made for training steps, advanced by accumulation steps",
)
class SeventeenthBScheduleInOtherUnits(Plain):
    """The schedule goes on once in four steps: the rate makes a quarter of its way from the first one."""

    accumulation = 4

    def begin(self) -> None:
        for s in self.slots:
            s.extra["first"] = s.h.lr

    def set_lr(self, lr: float) -> None:
        for s in self.slots:
            first = float(s.extra["first"])
            s.h.lr = first + (lr - first) / self.accumulation


@wrong(
    "clipping",
    "CLIP.1",
    like="tenstorrent/tt-metal#17568: clipped behind every backward, and not once before the step",
)
class SeventeenthBPartialSumsClipped(Coupled):
    """A gradient comes in four parts, and the sum of those so far is clipped to the norm 1 each time."""

    parts = 4

    def all(self, grads: Sequence[Array | None]) -> None:
        norm, share = lengths([finite(g) for g in grads]) ** 0.5, 0.0
        for _ in range(self.parts):
            share += 1 / self.parts
            share /= max(share * norm, 1.0)
        super().all([None if g is None else (g * g.real.dtype.type(share)).astype(g.dtype) for g in grads])
