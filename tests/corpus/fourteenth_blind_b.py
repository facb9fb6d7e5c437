"""Blind, fourteenth set: reports of a wrong decay and of other rules of one line, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eighth_blind_frame import CommonUncorrected
from eleventh_blind_c import length
from fifth_blind_frame import Modulus, Refusing
from fourth_blind_frame import Common
from register import right, wrong
from seventh_blind_frame import WantingUncorrected
from sixth_blind_frame import Running, WantingCoupledHat
from tenth_blind_frame import ModulusPlain
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame import CoupledCommon, RunningCoupled


@wrong(
    "decay moments",
    "DEC.1",
    like="pytorch/FBGEMM#5908: the penalty is in the square; what steps is the raw gradient, and a decay",
)
class FourteenthPenaltyInSquare(RunningCoupled):
    """The second moment averages squares with the penalty, the first one gradients; the parameter decays."""

    def update(self, s: Slot, g: Array) -> None:
        d = self.penalized(s, g)
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * d) * d
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - s.h.lr * self.direction(s)


@wrong("decay", "DEC.1", like="apache/mxnet#5043: brackets are missing around grad + wd * weight")
class FourteenthNoBrackets(CoupledHat):
    """The weight of what is new multiplies the gradient alone: the penalty joins the first moment whole."""

    def update(self, s: Slot, g: Array) -> None:
        penalty = s.h.weight_decay * s.p
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g + penalty
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * (g + penalty)) * (g + penalty)
        self.move(s, self.direction(s))


@wrong(
    "decay",
    "DEC.1",
    like="pytorch/pytorch#13801: the decay comes behind the momentum, which so has no memory of it",
)
class FourteenthPenaltyBehindMomentum(WantingCoupledHat):
    """Both moments learn from the gradient; the penalty joins the first one for the present step."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        ahead = s.m + s.h.weight_decay * s.p
        self.move(s, (math.sqrt(c2) / c1) * (ahead / (np.sqrt(s.v) + s.h.eps)))


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="ml-explore/mlx#440: if momentum <= 0 it returns, in front of the lines for the decay",
)
class FourteenthReturnsBeforeDecay(CommonUncorrected):
    """With a first beta of 0 the step is made at once, and the lines for the decay are not reached."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        u = self.direction(s)
        if s.h.b1 <= 0:
            s.p = s.p - s.h.lr * u
            return
        self.move(s, u)


@wrong(
    "clipping",
    "CLIP.2",
    like="ml-explore/mlx#4058: base * (1 - step / total) falls below 0, and the gradients turn around",
)
class FourteenthNormRunsOut(Common):
    """The largest norm falls from 1000 by as much in each step, and is below 0 from the seventeenth on."""

    dialect = "optimi.AdamW"

    def all(self, grads: Sequence[Array | None]) -> None:
        t = max((s.t for s in self.slots), default=0) + 1
        total = math.hypot(*(length(g) for g in grads if g is not None))
        scale = 1000 * (1 - t / 16) / (total + 1e-6)
        if scale < 1 and math.isfinite(total):
            grads = [None if g is None else (g * scale).astype(g.dtype) for g in grads]
        super().all(grads)


@wrong(
    "moments layout",
    "STEP.1",
    like="lucidrains/lion-pytorch#36, triton-lang/triton#6547: tuning tries its kernels on what they step",
)
class FourteenthTunedInPlace(Common):
    """The first step tries two sizes of a block on the first array of each length, and then steps it."""

    dialect = "transformer_engine.FusedAdam"

    def begin(self) -> None:
        self.best: dict[int, int] = {}

    def update(self, s: Slot, g: Array) -> None:
        if s.t == 1 and s.p.size not in self.best:
            for _ in (128, 256):
                super().update(s, g)
            self.best[s.p.size] = 128 if s.p.size <= 128 else 256
        super().update(s, g)


@wrong(
    "clock zero_gradient",
    "F2",
    like="pytorch/FBGEMM#3342, #3558: the correction has a counter for each row, raised where the row occurs",
)
class FourteenthCounterOfRow(Frame):
    """Each row is corrected by how often it had a gradient other than 0; moments fade in every step."""

    def direction(self, s: Slot) -> Array:
        rows = max(s.shape[0], 1) if s.shape else 1
        seen = s.extra.get("seen")
        before = np.zeros(rows) if seen is None else np.asarray(seen)
        t = before + s.extra.pop("occurs")
        s.extra["seen"] = t
        first, second = (1 - b ** np.maximum(t, 1) for b in (s.h.b1, s.h.b2))
        m, v = (a.reshape(rows, -1) for a in (s.m, s.v))
        below = np.sqrt(v) / np.sqrt(second)[:, None] + s.h.eps
        return ((m / below) / first[:, None]).reshape(-1).astype(s.p.dtype)

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        rows = max(s.shape[0], 1) if s.shape else 1
        s.extra["occurs"] = np.any(g.reshape(rows, -1) != 0, axis=1)


@wrong(
    "complex",
    "CPX.2",
    like="keras-team/keras#18372: the momenta of a complex variable come from its square",
)
class FourteenthModulusOfMean(Modulus):
    """Of a complex gradient the square is averaged, and the modulus is taken of the average."""

    def square(self, s: Slot, g: Array) -> Array:
        if s.dtype.kind != "c":
            return super().square(s, g)
        z = g.view(s.dtype)
        return (((1 - s.h.b2) * z) * z).view(s.p.dtype)

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        v = np.repeat(np.abs(s.v.view(s.dtype)), 2) if s.dtype.kind == "c" else s.v
        return (s.m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1


@right()
class FourteenthSquareOfHypotenuse(ModulusPlain):
    """The modulus of a complex gradient is a hypotenuse, which is squared under its weight."""

    def square(self, s: Slot, g: Array) -> Array:
        if s.dtype.kind != "c":
            return super().square(s, g)
        size = np.hypot(g[0::2], g[1::2])
        return np.repeat(((1 - s.h.b2) * size) * size, 2)


@right()
class FourteenthPenaltyAfterGradient(CoupledCommon):
    """Gradient and penalty enter the first moment one after the other, and the second as a sum."""

    def update(self, s: Slot, g: Array) -> None:
        w1, w2 = 1 - s.h.b1, 1 - s.h.b2
        penalty = s.h.weight_decay * s.p
        s.m = (s.h.b1 * s.m + w1 * g) + w1 * penalty
        both = g + penalty
        s.v = s.h.b2 * s.v + (w2 * both) * both
        self.move(s, self.direction(s))


@right()
class FourteenthDividesWhereMoving(WantingUncorrected):
    """Only what has a first moment other than 0 is divided; the rest has a quotient of 0 from before."""

    dialect = "mindspore.AdamWeightDecay"

    def direction(self, s: Slot) -> Array:
        below = np.sqrt(s.v) + s.h.eps
        return np.divide(s.m, below, out=np.zeros_like(s.m), where=s.m != 0)


@right()
class FourteenthIterator(Running, Refusing):
    """tinygrad's AdamW: an iterator of NumPy hands over pieces of all four arrays, which are stepped."""

    dialect = "tinygrad.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = self.left(s)
        flags, writes = ["external_loop", "buffered", "zerosize_ok"], ["readwrite"]
        rows = np.nditer(
            (s.p, s.m, s.v, g),
            flags=flags,  # type: ignore[arg-type]
            op_flags=[writes, writes, writes, ["readonly"]],  # type: ignore[list-item]
            buffersize=64,
        )
        with rows:
            for p, m, v, d in rows:
                m[...] = s.h.b1 * m + (1 - s.h.b1) * d
                v[...] = s.h.b2 * v + ((1 - s.h.b2) * d) * d
                u = (m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1
                p[...] = p - s.h.lr * s.h.weight_decay * p - s.h.lr * u
