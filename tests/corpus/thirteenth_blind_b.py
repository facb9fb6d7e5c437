"""Blind, thirteenth set: reports of a wrong decay, of other rules of one line, and right ones."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eighth_blind_frame import AscendingDecoupled
from fifth_blind_frame import Refusing
from fourth_blind_frame import Common
from register import right, wrong
from seventh_blind_frame import Cautious
from sixth_blind_frame import Unscaled, WantingCoupledHat, WantingHat
from tenth_blind_frame import ModulusPlain


@wrong("decay", "DEC.2", like="HorizonRobotics/alf#1302: p.mul_(1 - lr_scale * lr) lacks the weight decay")
class ThirteenthFactorOfRate(Frame):
    """Where there is a decay a parameter is multiplied by 1-lr, whatever the decay is."""

    dialect = "burn.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        if s.h.weight_decay > 0:
            s.p = s.p * (1 - s.h.lr)
        s.p = s.p - s.h.lr * u


@wrong(
    "coefficients decay",
    "NUM.4",
    like="pytorch/pytorch#64475: in floats 1 - lr * weight_decay is 1 for a small decay",
)
class ThirteenthKeptInSingle(Common):
    """What the decay leaves, 1-lr*weight_decay, is a float32 number, for parameters of every dtype."""

    dialect = "candle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        keep = float(np.float32(1) - np.float32(s.h.lr * s.h.weight_decay))
        s.p = keep * s.p - s.h.lr * u


@wrong(
    "decay",
    "DEC.2",
    like="clab/dynet#159: the factor that stands for the decay lacks the learning rate",
)
class ThirteenthLazyFactor(Refusing):
    """A parameter is a row times a factor, which each update multiplies by 1-weight_decay."""

    dialect = "llm.c.AdamW"

    def begin(self) -> None:
        self.rows = [s.p.copy() for s in self.slots]
        self.factors = [1.0 for _ in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        row, factor = self.rows[s.index], self.factors[s.index]
        row -= (s.h.lr / factor) * u
        factor *= 1 - s.h.weight_decay
        if factor < 0.25:  # before it becomes small it is multiplied into the row
            row *= factor
            factor = 1.0
        self.factors[s.index] = factor
        s.p = row * factor


@wrong(
    "decay cautious_decay",
    "DEC.6",
    like="tracel-ai/burn#3869: greater_elem(0.0) of the parameter and of the step are compared",
)
class ThirteenthSidesOfZero(Cautious):
    """What decays is where step and parameter are both above 0, or both not above it."""

    def mask(self, s: Slot, u: Array) -> Array:
        return (u > 0) == (s.p > 0)


@wrong(
    "decay hyperparameters",
    "DEC.1",
    like='Oneflow-Inc/oneflow#4835: .Attr("l2", 0.0) stands for the weight decay that is given',
)
class ThirteenthPenaltyNotPassed(WantingCoupledHat):
    """The attribute for the penalty is 0, whatever the decay is."""

    l2 = 0.0

    def penalized(self, s: Slot, g: Array) -> Array:
        return g + self.l2 * s.p if self.l2 else g


@wrong(
    "maximize decay",
    "MAX.1",
    like="pytorch/pytorch#75330: to flip the rate in the place of the gradient, as is proposed",
)
class ThirteenthRateFlipped(AscendingDecoupled):
    """To maximize, the rate is negated in the place of the gradient, and so the parameter grows."""

    dialect = "torchopt.AdamW"

    def turned(self, s: Slot, g: Array) -> Array:
        return g

    def move(self, s: Slot, u: Array) -> None:
        lr = -s.h.lr
        s.p = s.p * (1 - lr * s.h.weight_decay) - lr * u


@wrong(
    "complex",
    "CPX.2",
    like="google-deepmind/optax#279: x**2 stands where (x.conj() * x).real belongs",
)
class ThirteenthRealPartOfSquare(ModulusPlain):
    """Of a complex gradient the real part of its square is averaged, which may be below 0."""

    def square(self, s: Slot, g: Array) -> Array:
        parts = ((1 - s.h.b2) * g) * g
        return np.repeat(parts[0::2] - parts[1::2], 2) if s.dtype.kind == "c" else parts


@wrong(
    "amsgrad",
    "AMS.1",
    like="pytorch/pytorch#4034: old_max_exp_avg_sq_values.sqrt_().add_(eps), and then it is stored",
)
class ThirteenthMaximumInPlace(WantingHat):
    """The root of the maximum is drawn and epsilon added in the memory where the maximum is kept."""

    dialect = "qiskit.ADAM"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        below = np.maximum(s.top, s.v, out=s.top)
        np.sqrt(below, out=below)
        below += s.h.eps
        return np.asarray((math.sqrt(c2) / c1) * (s.m / below))


@right()
class ThirteenthOneMemory(Unscaled):
    """Parameter, moments and maximum are parts of one bytearray, in which every step is made."""

    def begin(self) -> None:
        for s in self.slots:
            memory = bytearray(max(4 * s.p.nbytes, 1))
            part: Array = np.ndarray((4, s.p.size), s.p.dtype, memory)
            part[0] = s.p
            s.p, s.m, s.v, s.top = part

    def learn(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g

    def move(self, s: Slot, u: Array) -> None:
        s.p *= 1 - s.h.weight_decay
        s.p -= s.h.lr * u


@right()
class ThirteenthComplements(WantingCoupledHat):
    """The corrections are the exponential function less 1, of t times a beta's logarithm."""

    dialect = "mindspore.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = (-math.expm1(s.t * math.log(b)) if b else 1.0 for b in (s.h.b1, s.h.b2))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))
