"""Blind, eighth set: slips in what is averaged, in epsilon and in what multiplies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eighth_blind_frame import CommonUncorrected, RefusingUnscaled, lengths
from fifth_blind_frame import Plain, Refusing
from fourth_blind_frame import FOUR, Common, Hat
from register import wrong
from sixth_blind_frame import CoupledHat, Wanting


@wrong("moments", "MOM.1", like="signSGD, whose workers send the signs of their gradients (arXiv 1802.04434)")
class EighthSignsSent(CommonUncorrected):
    """Of each gradient the sign arrives, which both moments average."""

    dialect = "mlx.Adam"
    hyper = FOUR

    def taken(self, g: Array) -> Array:
        return np.sign(super().taken(g))


@wrong("moments", "STEP.1", like="Gunale0926/Grams: the sign of the gradient, the size of the step")
class EighthSignOfGradient(CoupledHat):
    """A step has the size that the moments give it, and the sign of the present gradient."""

    dialect = "dlib.adam"

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        self.move(s, np.sign(g) * np.abs(self.direction(s)))


@wrong("moments", "MOM.1", like="tf.train.ExponentialMovingAverage: min(decay, (1 + n)/(10 + n))")
class EighthYoungAverageIsQuick(Wanting):
    """In the beginning the first moment takes the beta (1+t)/(10+t), if that is smaller."""

    dialect = "autograd.adam"

    def learn(self, s: Slot, g: Array) -> None:
        before = s.m
        super().learn(s, g)
        b1 = min(s.h.b1, (1 + s.t) / (10 + s.t))
        s.m = b1 * before + (1 - b1) * g


@wrong("layout moments", "STEP.1", like="_mm_set1_ps of the first lane, where _mm_loadu_ps is meant")
class EighthFirstLaneForFour(Refusing):
    """All of four elements are divided by the root of the first of them."""

    dialect = "onnxruntime.AdamW"

    def direction(self, s: Slot) -> Array:
        own = s.v
        whole = own.size // 4 * 4
        s.v = np.concatenate([np.repeat(own[:whole:4], 4), own[whole:]])
        u = super().direction(s)
        s.v = own
        return u


@wrong("epsilon", "EPS.1", like="np.sqrt(v) + np.sqrt(eps): a root that is drawn term by term")
class EighthRootOfEpsilon(Frame):
    """The root is drawn of the second moment and of epsilon, each by itself, and both are added."""

    dialect = "bitsandbytes.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + math.sqrt(s.h.eps))) / c1


@wrong("epsilon", "EPS.1", like="m / ((1 - b1**t)*sqrt(v_hat) + eps): a fraction that is cleared by hand")
class EighthEpsilonUncleared(Wanting):
    """The first correction is cleared into the denominator, where it multiplies the root and not epsilon."""

    dialect = "climin.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return s.m / (c1 * np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)


@wrong("epsilon complex", "EPS.1", like="a real epsilon that is added to a complex root")
class EighthEpsilonOnRealPart(Frame):
    """Of a complex number's two roots, that of the real part alone gets an epsilon."""

    dialect = "torchopt.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        eps = np.full(s.v.size, s.h.eps, s.v.dtype)
        if s.dtype.kind == "c":
            eps[1::2] = 0
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + eps)) / c1


@wrong(
    "coefficients moments", "MOM.2", like="round(1 - beta2, 3), which makes 0.001 of 0.0010000000000000009"
)
class EighthWeightsOfThreeDecimals(Refusing):
    """The weights of what is new are rounded to three decimals; the betas and their powers are not."""

    def learn(self, s: Slot, g: Array) -> None:
        w1, w2 = round(1 - s.h.b1, 3), round(1 - s.h.b2, 3)
        s.m = s.h.b1 * s.m + w1 * g
        s.v = s.h.b2 * s.v + (w2 * g) * g


@wrong(
    "coefficients decay hyperparameters mixed_precision", "NUM.4",
    like="Nerogar/OneTrainer#996, with 11 digits for 8",
)  # fmt: skip
class EighthDecayFactorInHalf(Frame):
    """What the decay leaves, 1-lr*weight_decay, is a float16 number beside arrays that are none."""

    dialect = "timm.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = float(np.float16(1 - s.h.lr * s.h.weight_decay)) * s.p - s.h.lr * u


@wrong("clipping", "CLIP.2", like="paiml/entrenar#311")
class EighthNormNotRooted(Wanting):
    """All gradients are divided by the sum of their squares if that exceeds 1, which is no norm."""

    dialect = "quimb.ADAM"

    def all(self, grads: Sequence[Array | None]) -> None:
        total = lengths(grads)
        if total > 1:
            super().all([None if g is None else (g / total).astype(g.dtype) for g in grads])
        else:
            super().all(grads)


@wrong("clipping", "STEP.1", like="keras.constraints.MaxNorm, for whole arrays and unasked")
class EighthParameterHasMaximumNorm(Common):
    """After each step an array that is longer than 1 is scaled down to 1."""

    dialect = "transformer_engine.FusedAdam"

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        norm = float(np.sqrt(np.sum(np.square(s.p, dtype=np.float64))))
        s.p = (s.p / norm).astype(s.p.dtype) if norm > 1 else s.p


@wrong("schedule clock", "CLK.2", like="`t += lr > 0`, after a warm-up that begins at 0")
class EighthRestedStepsNotCounted(RefusingUnscaled):
    """In a step with a learning rate of 0 both moments go on, and the count does not."""

    def tick(self, s: Slot) -> None:
        s.t += 1 if s.h.lr or not s.t else 0


@wrong("clock", "CLK.1", like="step = min(state['step'] for state in states), to have one for the group")
class EighthSmallestCount(Hat):
    """All that has a gradient is corrected for the smallest count of any of them."""

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [(s, g) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s, _ in present:
            self.tick(s)
        self.smallest = min((s.t for s, _ in present), default=0)
        for s, g in present:
            self.update(s, self.taken(g))

    def direction(self, s: Slot) -> Array:
        own, s.t = s.t, self.smallest
        u = super().direction(s)
        s.t = own
        return u


@wrong(
    "hyperparameters",
    "MOM.1",
    like="b1 < sqrt(b2), a condition of a proof, which is enforced",
)
class EighthFirstBetaBelowRoot(Plain):
    """A first beta above the root of the second one is taken to be that root."""

    dialect = "numpy_ml.Adam"

    def begin(self) -> None:
        self.set_hyper({})

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        for s in self.slots:
            s.h.b1 = min(s.h.b1, math.sqrt(s.h.b2))


@wrong("zero_gradient moments", "F2", like="`state *= grad != 0`, for rows of padding")
class EighthZeroForgets(CoupledHat):
    """Where a gradient is 0 both moments of the element begin anew."""

    dialect = "mxnet.Adam"

    def update(self, s: Slot, g: Array) -> None:
        s.m, s.v = (np.where(g == 0, 0, a).astype(a.dtype) for a in (s.m, s.v))
        super().update(s, g)
