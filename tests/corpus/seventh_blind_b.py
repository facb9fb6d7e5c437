"""Blind, seventh set: slips in corrections, clocks, epsilon and the maximum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CorrectedRate, Refusing
from fourth_blind_frame import Keras
from register import wrong
from seventh_blind_frame import Inside, InsideCorrected, LegacyMaximum, OptaxMaximum, ZerosMaximum
from sixth_blind_frame import Running, Wanting


def quick_power(b: float, t: int) -> float:
    """Return b**t by a logarithm and an exponential that are straight between powers of two."""
    if not b:
        return 0.0
    mantissa, exponent = math.frexp(b)
    logarithm = t * (exponent - 2 + 2 * mantissa)
    whole = math.floor(logarithm)
    return math.ldexp(1 + logarithm - whole, whole)


@wrong("bias_correction coefficients", "BC.1", like="tenstorrent/tt-metal#27072")
class SeventhQuickPower(Refusing):
    """The power of a beta comes from a quick function, straight between powers of two."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1 - quick_power(b, s.t) for b in (s.h.b1, s.h.b2))
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("clock bias_correction", "CLK.2", like="keras-team/keras#19990")
class SeventhCountsMicroSteps(Keras):
    """The count is that of the batches, of which four make a step."""

    dialect = "keras.Adam"

    def tick(self, s: Slot) -> None:
        s.t += 4


@wrong("bias_correction", "BC.1", like="google-deepmind/optax#1423: a flag for each correction")
class SeventhFlagOfFirstIgnored(OptaxMaximum):
    """The flag that leaves the first moment uncorrected is accepted, and changes nothing."""

    options = {"bias_correction_mu": "False"}  # noqa: RUF012


@wrong("bias_correction clock layout", "BC.1", like="tiny-dnn/tiny-dnn tiny_dnn/optimizers/optimizer.h")
class SeventhPowersOncePerWeight(InsideCorrected):
    """The powers begin at the betas, and each weight multiplies them on before it is stepped."""

    def left(self, s: Slot) -> tuple[Array | float, Array | float]:
        counts = 2 + (s.t - 1) * s.v.size + np.arange(s.v.size)
        c1, c2 = ((1 - b ** counts.astype(np.float64)).astype(s.v.dtype) for b in (s.h.b1, s.h.b2))
        return c1, c2


@wrong("epsilon", "EPS.1", like="denom = sqrt(v).add_(eps), and exp_avg / (denom + eps) two lines below")
class SeventhEpsilonTwice(Refusing):
    """Epsilon is added where the root is drawn, and where something is divided by it."""

    dialect = "onnxruntime.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps + s.h.eps)) / c1


@wrong("epsilon moments", "EPS.1", like="(m_hat + eps) / (sqrt(v_hat) + eps)")
class SeventhEpsilonAbove(Wanting):
    """Epsilon stands in the denominator and in the numerator: where all is 0, the quotient is 1."""

    dialect = "brain_js.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / c1 + s.h.eps) / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)


@wrong("epsilon", "EPS.4", like="NVIDIA/apex apex/contrib/csrc/optimizers/fused_adam_cuda_kernel.cu")
class SeventhInsideCorrected(Inside):
    """Epsilon joins the corrected second moment under the root, where it should join the plain one."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / np.sqrt(s.v / c2 + s.h.eps)) / c1


@wrong("epsilon", "EPS.1", like="kozistr/pytorch_optimizer#397")
class SeventhMaximumWithEpsilonInside(Frame):
    """Under AMSGrad epsilon joins the corrected maximum, under the root."""

    dialect = "torchao.AdamW"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (s.m / np.sqrt(s.top / c2 + s.h.eps)) / c1


@wrong(
    "epsilon moments mixed_precision", "NUM.1", like="ports to C without libm: ten turns of Newton's method"
)
class SeventhRootOfTenTurns(Wanting):
    """The root is what ten turns of Newton's method make of 1: never below 1/1024."""

    dialect = "toygrad.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        v, root = s.v / c2, np.ones_like(s.v)
        for _ in range(10):
            root = 0.5 * (root + v / root)
        return (s.m / (root + s.h.eps)) / c1


@wrong("amsgrad bias_correction", "AMS.1", like="v_hat kept beside its own correction")
class SeventhMaximumKeepsCorrection(LegacyMaximum):
    """The maximum is corrected as it was when it was reached, and not as the present step is."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        then = s.extra.get("then", np.ones_like(s.v))
        s.extra["then"] = np.where(s.v >= s.top, c2, then).astype(s.v.dtype)
        s.top = np.maximum(s.top, s.v)
        return (np.sqrt(s.extra["then"]) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


@wrong("amsgrad", "AMS.1", like="vhat = max(vhat, g*g) in a lecture's notes")
class SeventhMaximumOfSquares(ZerosMaximum):
    """The maximum is that of the squares, and not of what averages them."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.extra["square"] = g * g

    def highest(self, s: Slot) -> Array:
        return np.maximum(s.top, s.extra["square"])


@wrong("state bias_correction", "STATE.4", like="tenstorrent/tt-metal#53212")
class SeventhPowersOfDefaultsLoaded(Running, Wanting):
    """After a load the powers are those of 0.9 and 0.999, and are multiplied on by the betas that are set."""

    dialect = "tinygrad.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.extra.update(power1=0.9**s.t, power2=0.999**s.t)


@wrong("state clock", "STATE.4", like="a count that is that of the last line in a log")
class SeventhClockByTens(CorrectedRate):
    """The count that is saved is the last one that ten divides."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {**state, "t": [t // 10 * 10 for t in state["t"]]}
