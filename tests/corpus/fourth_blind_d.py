"""Blind, fourth set: slips in absence, in the maximum, the look-ahead, the sign, and complex numbers."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot, corrections
from fourth_blind_frame import FOUR, Ahead, Hat, Nadam, Optax, Uncorrected, lookahead
from register import wrong

AMSGRAD = {"amsgrad": "True"}


@wrong("missing", "F1", like="zero_grad(set_to_none=False)")
class FourthZeroAfterFirst(Frame):
    """Once a parameter has had a gradient, an absent one acts as a zero one; before, it is skipped."""

    def missed(self, s: Slot) -> None:
        if s.t:
            self.tick(s)
            self.update(s, np.zeros_like(s.p))


@wrong("missing", "F5", like="tensorflow/tensorflow#23668")
class FourthThawLonger(Frame):
    """The first step after a freeze is longer, by as many steps as there was no gradient."""

    def missed(self, s: Slot) -> None:
        s.extra["skipped"] = s.extra.get("skipped", 0) + 1

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u * (1 + s.extra.pop("skipped", 0)))


@wrong("missing", "F1", like="chainer.Adam, which takes None for zeros")
class FourthChainerSkips(Hat):
    """A parameter without a gradient stands still, where None is claimed to act as zeros."""

    dialect = "chainer.Adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.weight_decay * s.p - s.h.lr * u


@wrong("amsgrad bias_correction", "AMS.1", like="pytorch/pytorch#142041")
class FourthMaximumCorrectedTwice(Coupled):
    """The maximum is that of corrected second moments, and is corrected once more where it is used."""

    options = AMSGRAD

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v / c2)
        return (s.m / (np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("amsgrad complex", "AMS.1", like="pytorch/pytorch#104989")
class FourthMaximumLexicographic(Coupled):
    """The greater of two complex second moments is the one whose real part is greater."""

    options = AMSGRAD

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top.view(s.dtype), s.v.view(s.dtype)).view(s.top.dtype)
        return (s.m / (np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("bias_correction", "BC.1", like="online-ml/river#185")
class FourthOptaxFirstUncorrected(Optax):
    """AMSGrad: the first moment is used as it is, as in the paper, where it is claimed to be corrected."""

    dialect = "optax.amsgrad"
    hyper = (*FOUR, "eps_root")

    def direction(self, s: Slot) -> Array:
        s.top = np.maximum(s.top, s.v / corrections(s.h, s.t)[1])
        return s.m / (np.sqrt(s.top + s.h.eps_root) + s.h.eps)


@wrong("bias_correction", "BC.2", like="online-ml/river#185")
class FourthPaperMaximumCorrected(Uncorrected):
    """AMSGrad: both moments are corrected, as libraries do it and the paper does not."""

    dialect = "paper.AMSGrad"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (s.m / (np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("nesterov", "NES.1", like="tf_keras/src/optimizers/nadam.py (_u_product_counter)")
class FourthKerasProductPerParameter(Nadam):
    """The product of the schedule, one for all, is multiplied on for each parameter, not for the step."""

    def tick(self, s: Slot) -> None:
        s.t += 1

    def update(self, s: Slot, g: Array) -> None:
        for other in self.slots:
            other.mu *= lookahead(s, s.t)
        super().update(s, g)


@wrong("nesterov bias_correction moments", "NES.2", like="FluxML/Flux.jl#224")
class FourthNadamSecondTimesBeta(Ahead):
    """The second moment looks ahead as the first one does: it is multiplied by b2 before its correction."""

    dialect = "optax.nadam"
    hyper = (*FOUR, "eps_root")

    def root(self, s: Slot) -> Array:
        c2 = corrections(s.h, s.t)[1]
        return np.sqrt(s.h.b2 * s.v + s.h.eps_root * c2) / math.sqrt(c2) + s.h.eps


@wrong("maximize nesterov", "MAX.1", like="pytorch/pytorch#127214")
class FourthNadamLookAheadDownhill(Coupled):
    """To maximize, the moments take the negative gradient, and the look-ahead the one that came."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")
    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, self.penalized(s, -g))
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        s.mu *= now
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * self.penalized(s, g)
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


@wrong("maximize moments", "MAX.1", like="kozistr/pytorch_optimizer#528")
class FourthMomentNegated(Coupled):
    """To maximize, the first moment is negated in its own memory, from where the next step averages on."""

    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g - s.h.weight_decay * s.p)
        np.negative(s.m, out=s.m)
        self.move(s, self.direction(s))


@wrong("complex", "CPX.1", like="pytorch/pytorch#59998, tensorflow/tensorflow#38541")
class FourthComplexSquare(Frame):
    """The square of a complex gradient and the root of its average are complex numbers themselves."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        m, v, z = (a.view(s.dtype) for a in (s.m, s.v, g))
        m, v = s.h.b1 * m + (1 - s.h.b1) * z, s.h.b2 * v + ((1 - s.h.b2) * z) * z
        self.move(s, ((m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1).view(s.p.dtype))
        s.m, s.v = m.view(s.p.dtype), v.view(s.p.dtype)
