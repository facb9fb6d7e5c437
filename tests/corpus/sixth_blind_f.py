"""Blind, sixth set: right Adams of more dialects, each in a form that its own library does not have."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, Later, Refusing, Zeros
from fourth_blind_frame import Common, Hat, Uncorrected
from register import right
from sixth_blind_frame import CoupledHat, WantingCoupledHat, WantingHat


def adam(
    r: float, t: int, x: Array, g: Array, v: Array, h: Array, attributes: dict[str, float]
) -> list[Array]:
    """Return what ONNX' operator returns: the new parameter and both averages."""
    alpha, beta = attributes["alpha"], attributes["beta"]
    regularized = attributes["norm_coefficient"] * x + g
    v = alpha * v + (1 - alpha) * regularized
    h = beta * h + ((1 - beta) * regularized) * regularized
    rate = r * math.sqrt(1 - beta**t) / (1 - alpha**t)
    return [x - rate * (v / (np.sqrt(h) + attributes["epsilon"])), v, h]


@right()
class SixthRightOnnx(WantingCoupledHat):
    """ONNX' Adam: a function of rate, count, arrays and attributes, which keeps nothing."""

    def update(self, s: Slot, g: Array) -> None:
        attributes = {
            "alpha": s.h.b1, "beta": s.h.b2, "epsilon": s.h.eps, "norm_coefficient": s.h.weight_decay
        }  # fmt: skip
        s.p, s.m, s.v = adam(s.h.lr, s.t, s.p, g, s.m, s.v, attributes)


@right()
class SixthRightSklearn(WantingHat):
    """scikit-learn's Adam: lists of moments and updates are made whole, and then added to the parameters."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        rows = [self.taken(g) for g in grads if g is not None]
        for s in self.slots:
            self.tick(s)
        ms = [s.h.b1 * s.m + (1 - s.h.b1) * g for s, g in zip(self.slots, rows, strict=True)]
        vs = [s.h.b2 * s.v + ((1 - s.h.b2) * g) * g for s, g in zip(self.slots, rows, strict=True)]
        updates = []
        for s, m, v in zip(self.slots, ms, vs, strict=True):
            c1, c2 = corrections(s.h, s.t)
            updates.append((-s.h.lr * math.sqrt(c2) / c1) * (m / (np.sqrt(v) + s.h.eps)))
        for s, m, v, change in zip(self.slots, ms, vs, updates, strict=True):
            s.p, s.m, s.v = s.p + change, m, v


@right()
class SixthRightDlib(CoupledHat):
    """dlib's Adam: one rate alpha, a loop over pairs of moments, and the penalty inside of each."""

    dialect = "dlib.adam"

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        pull = h.weight_decay * s.p + g
        weighed = {"m": (h.b1, (1 - h.b1) * pull), "v": (h.b2, ((1 - h.b2) * pull) * pull)}
        for name, (kept, new) in weighed.items():
            setattr(s, name, kept * getattr(s, name) + new)
        s.p = s.p - (h.lr * (math.sqrt(c2) / c1)) * (s.m / (np.sqrt(s.v) + h.eps))


@right()
class SixthRightBrainpy(Refusing, Hat):
    """BrainPy's Adam: the parameter is multiplied by what the decay leaves of it, without a rate."""

    dialect = "brainpy.Adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = np.multiply(s.p, 1 - s.h.weight_decay) - s.h.lr * u


@right()
class SixthRightThinc(Later):
    """thinc's Adam: arrays are stepped in place, the decay of the updated parameter last of all."""

    dialect = "thinc.Adam"

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        weights, mom1, mom2 = (a.copy() for a in (s.p, s.m, s.v))
        mom1 *= h.b1
        mom1 += (1 - h.b1) * g
        mom2 *= h.b2
        mom2 += g * (g * (1 - h.b2))
        weights -= (h.lr * math.sqrt(c2) / c1) * (mom1 / (np.sqrt(mom2) + h.eps))
        weights -= (h.lr * h.weight_decay) * weights
        s.p, s.m, s.v = weights, mom1, mom2


@right()
class SixthRightFastai(Frame):
    """fastai's Adam: closures for what is averaged and how it steps, called one after the other."""

    dialect = "fastai.Adam"

    def begin(self) -> None:
        self.callbacks: tuple[Callable[[Slot, Array], None], ...] = (
            self.weight_decay, self.stat("m", "b1", lambda g, w: w * g),
            self.stat("v", "b2", lambda g, w: (w * g) * g), self.adam_step,
        )  # fmt: skip

    def update(self, s: Slot, g: Array) -> None:
        for callback in self.callbacks:
            callback(s, g)

    def weight_decay(self, s: Slot, g: Array) -> None:
        if s.h.weight_decay:
            s.p = s.p * (1 - s.h.lr * s.h.weight_decay)

    def stat(
        self, name: str, beta: str, new: Callable[[Array, float], Array]
    ) -> Callable[[Slot, Array], None]:
        def average(s: Slot, g: Array) -> None:
            b = float(getattr(s.h, beta))
            setattr(s, name, b * getattr(s, name) + new(g, 1 - b))

        return average

    def adam_step(self, s: Slot, g: Array) -> None:
        debias1, debias2 = corrections(s.h, s.t)
        below = np.sqrt(s.v) / math.sqrt(debias2) + s.h.eps
        s.p = s.p - (s.h.lr / debias1) * (s.m / below)


@right()
class SixthRightApexCoupled(Coupled, Common):
    """Apex' Adam with L2: chunks of 16 elements of all arrays are one launch, which a list describes."""

    dialect = "apex.FusedAdam"
    options = {"adam_w_mode": "False"}  # noqa: RUF012

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.tick(s)
            s.p, s.m, s.v = (a.copy() for a in (s.p, s.m, s.v))
        pairs = [(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        launch = [(s, g, slice(i, i + 16)) for s, g in pairs for i in range(0, g.size, 16)]
        for s, g, part in launch:
            self.chunk(s, g[part], part)

    def chunk(self, s: Slot, g: Array, part: slice) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        p, m, v = (a[part] for a in (s.p, s.m, s.v))
        g = g + h.weight_decay * p
        m[:] = h.b1 * m + (1 - h.b1) * g
        v[:] = h.b2 * v + ((1 - h.b2) * g) * g
        p -= h.lr * ((m / c1) / (np.sqrt(v) / math.sqrt(c2) + h.eps))


@right()
class SixthRightRiverUncorrected(CommonHat):
    """river's AMSGrad without corrections: a stack of three rows goes through the whole step."""

    dialect = "river.AMSGrad"
    options = {"correct_bias": "False"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        rows = np.stack([s.m, s.v, s.top])
        rows[:2] *= np.array([[s.h.b1], [s.h.b2]], rows.dtype)
        rows[0] += (1 - s.h.b1) * g
        rows[1] += ((1 - s.h.b2) * g) * g
        rows[2] = np.maximum.reduce(rows[1:])
        s.m, s.v, s.top = rows
        s.p = s.p - s.h.lr * (s.m / (np.sqrt(s.top) + s.h.eps))


@right()
class SixthRightMlx(Common):
    """MLX' AdamW with corrections: each array is stepped as a column, transposed twice."""

    dialect = "mlx.AdamW"
    options = {"bias_correction": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        s.p, s.m, s.v = (a[:, None] for a in (s.p, s.m, s.v))
        super().update(s, g[:, None])
        s.p, s.m, s.v = (a.T[0] for a in (s.p, s.m, s.v))


@right()
class SixthRightChainerMaximum(Zeros):
    """Chainer's AMSGrad: the maximum is the second moment plus what the old maximum exceeds it by."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.where(s.v >= s.top, s.v, np.where(np.isnan(s.v), s.v, s.top))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


@right()
class SixthRightBert(Uncorrected):
    """BertAdam: the step is the sum of quotient and decay, drawn from one buffer for all parameters."""

    def begin(self) -> None:
        self.room = np.empty(max((s.p.nbytes for s in self.slots), default=0), np.uint8)

    def move(self, s: Slot, u: Array) -> None:
        step = self.room[: s.p.nbytes].view(s.p.dtype)
        np.multiply(s.p, s.h.weight_decay, out=step)
        step += u
        step *= s.h.lr
        s.p = s.p - step
