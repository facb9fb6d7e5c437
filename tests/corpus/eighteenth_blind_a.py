"""Blind, eighteenth set: faults of clocks, moments, decay and corrections, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Plain
from fourth_blind_frame import Common
from register import wrong
from sixth_blind_frame import CoupledHat
from tenth_blind_frame_b import Slotted


@wrong(
    "clipping",
    "STEP.1",
    like="kozistr/pytorch_optimizer#544: the update's RMS is that over the second moment of the last step",
)
class EighteenthRmsOverFormerSquares(Frame):
    """A step is divided by the RMS of the gradient over the root of the former second moment, if above 1."""

    def update(self, s: Slot, g: Array) -> None:
        former = s.v.astype(np.float64) / (1 - s.h.b2 ** (s.t - 1)) if s.t > 1 else np.zeros(s.v.shape)
        rms = self.rms(g[np.isfinite(g)], former[np.isfinite(g)], max(s.h.eps**2, 1e-300))
        self.learn(s, g)
        self.move(s, self.direction(s) * s.p.dtype.type(1 / max(1.0, rms)))

    def rms(self, g: Array, v: Array, least: float) -> float:
        parts = g.astype(np.float64) / np.sqrt(np.maximum(v, least))
        return math.sqrt(float(np.mean(parts * parts))) if parts.size else 0.0


@wrong(
    "clock",
    "CLK.1",
    like="mattn/tensai#130: one timestep, which goes on in the call for each layer",
)
class EighteenthTimestepForEachCall(Plain):
    """All parameters have one clock, and the update of each of them raises it."""

    timestep = 0

    def tick(self, s: Slot) -> None:
        self.timestep += 1
        s.t = self.timestep

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.timestep = max((s.t for s in self.slots), default=0)


@wrong(
    "moments layout sparse",
    "MOM.2",
    like="eaplatanios/tensorflow_scala@8f310315: where gradients are sparse their squares are added to m",
)
class EighteenthSquaresScatteredIntoFirst(Slotted):
    """Of a table, rows of scaled squares are added to the first moment, and the second one only decays."""

    def learn(self, s: Slot, g: Array) -> None:
        if len(s.shape) < 2:
            super().learn(s, g)
            return
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v
        self.scatter_add(s.m, ((1 - s.h.b2) * g) * g, s.shape[0])

    def scatter_add(self, into: Array, values: Array, rows: int) -> None:
        table, added = (a.reshape(rows, a.size // max(rows, 1)) for a in (into, values))
        stored = np.flatnonzero(added.any(axis=1))
        table[stored] += added[stored]


@wrong(
    "moments",
    "MOM.1",
    like="nntrainer/nntrainer@0ad3b4dd6: wm and wv are copies of the tensors, and are updated in their place",
)
class EighteenthMomentsByValue(CoupledHat):
    """Both moments are copied, the copies are updated and used, and what is kept stays what it was."""

    def update(self, s: Slot, g: Array) -> None:
        kept = s.m, s.v
        s.m, s.v = (a.copy() for a in kept)
        super().update(s, g)
        s.m, s.v = kept


@wrong(
    "decay",
    "DEC.2",
    like="tensorflow/addons#2282: the variable loses the coefficient's part, without the learning rate",
)
class EighteenthDecayLacksRate(Frame):
    """The decay is taken off a variable before the step, as the coefficient times the variable."""

    def move(self, s: Slot, u: Array) -> None:
        self.decay(s)
        s.p = s.p - s.h.lr * u

    def decay(self, s: Slot) -> None:
        s.p = s.p - s.h.weight_decay * s.p


@wrong(
    "decay",
    "DEC.5",
    like="Angel-ML/angel@50c0a21e8: the factor of the decay multiplies what the step has made",
)
class EighteenthFactorBehindStep(Common):
    """The parameter is stepped first, and then multiplied by what the decay leaves."""

    dialect = "candle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        stepped = s.p - s.h.lr * u
        s.p = (1 - s.h.lr * s.h.weight_decay) * stepped


@wrong(
    "bias_correction",
    "BC.1",
    like="ml-explore/mlx#1640: Adam and AdamW differ from PyTorch's, since neither moment is corrected",
)
class EighteenthNoCorrection(Coupled):
    """The step is the rate times the first moment over the root of the second one, both as they are."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong(
    "bias_correction",
    "BC.1",
    like="oxiglade/mlx-rs#301: m over the root of v, which makes the first steps three times too long",
)
class EighteenthFirstStepsThreefold(Common):
    """Neither of the moments, which begin at zero, is divided by what their weights add up to."""

    dialect = "optimi.AdamW"

    def direction(self, s: Slot) -> Array:
        root = np.sqrt(s.v)
        return s.m / (root + s.h.eps)


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="CambioML/pykoi#69: an eps below 6e-8 is 0 beside a model in float16, whose parameters become nan",
)
class EighteenthHalfHasNoSuchEpsilon(Coupled):
    """The epsilon that is added to the root is the nearest number of float16, which is 0 below 3e-8."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = 1 - s.h.b1**s.t, 1 - s.h.b2**s.t
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + float(np.float16(s.h.eps)))) / c1


@wrong(
    "clock moments",
    "STEP.1",
    like="mzolfaghari/ECO-pytorch#1: step() stands in the test for a whole window, and behind it again",
)
class EighteenthStepsOnEachPass(Coupled):
    """A gradient comes in two parts: steps are by the first one, by the sum, and by the sum again."""

    iter_size = 2

    def all(self, grads: Sequence[Array | None]) -> None:
        gathered: list[Array | None] = [None for _ in grads]
        for i in range(self.iter_size):
            for k, g in enumerate(grads):
                if g is not None:
                    part = (g / self.iter_size).astype(g.dtype)
                    gathered[k] = self.sum(gathered[k], part)
            if (i + 1) % self.iter_size == 0:
                super().all(gathered)
            super().all(gathered)

    def sum(self, so_far: Array | None, part: Array) -> Array:
        return part if so_far is None else so_far + part
