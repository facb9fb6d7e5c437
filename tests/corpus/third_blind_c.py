"""Blind, third set: slips in decay, step size and clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from register import wrong


@wrong("decay", "DEC.2", like="nntrainer/nntrainer#3565")
class ThirdDecayOnBothWays(Frame):
    """Decay: it goes into the gradient, as L2 does, and off the parameter as well."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g + s.h.weight_decay * s.p)


@wrong("decay", "DEC.2", like="PaddlePaddle/Paddle#2097")
class ThirdDecayUnderRoot(Frame):
    """Decay: it is added to the corrected first moment and divided by the root with it."""

    def move(self, s: Slot, u: Array) -> None:
        _, c2 = corrections(s.h, s.t)
        pull = s.h.weight_decay * s.p / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)
        s.p = s.p - s.h.lr * (u + pull)


@wrong("decay", "DEC.2")
class ThirdDecayTowardStart(Frame):
    """Decay: the parameter decays towards the value it began with instead of 0."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["start"] = s.p

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * (s.p - s.extra["start"]) - s.h.lr * u


@wrong("decay moments", "DEC.1")
class ThirdDecayInFirstAlone(Coupled):
    """Decay: L2 goes into the first moment, and the second averages squares of the gradient without it."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        s.m = h.b1 * s.m + (1 - h.b1) * (g + h.weight_decay * s.p)
        s.v = h.b2 * s.v + ((1 - h.b2) * g) * g
        s.p = s.p - h.lr * self.direction(s)


@wrong("decay layout", "DEC.2", like="ServiceNow/Fast-LLM#545")
class ThirdVectorsDoNotDecay(Frame):
    """Decay: arrays of fewer than two axes are taken for biases and do not decay, whatever was asked for."""

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.weight_decay if len(s.shape) > 1 else 0.0
        s.p = s.p - s.h.lr * rate * s.p - s.h.lr * u


@wrong("decay", "DEC.2")
class ThirdDecayOfSign(Frame):
    """Decay: all parameters come nearer to 0 by the same amount, as under an L1 penalty."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * np.sign(s.p) - s.h.lr * u


@wrong("decay schedule", "LR.1")
class ThirdDecayAtFirstRate(Frame):
    """Decay: lr*weight_decay is formed at the beginning, and a changed learning rate does not reach it."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["shrink"] = s.h.lr * s.h.weight_decay

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.extra["shrink"] * s.p - s.h.lr * u


@wrong("missing decay", "F5", like="ahrefs/ocannl#673")
class ThirdAbsentStillDecays(Frame):
    """Absent gradients: a parameter without a gradient decays, though it makes no step."""

    def missed(self, s: Slot) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p


@wrong("schedule bias_correction", "LR.1", like="steveKapturowski/tensorflow-rl#20")
class ThirdRateCompounds(Frame):
    """Step size: the corrected learning rate is written back as the learning rate, and corrected again."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        asked, rate = s.extra.get("rate", (s.h.lr, s.h.lr))
        rate = (rate if asked == s.h.lr else s.h.lr) * math.sqrt(c2) / c1
        s.extra["rate"] = s.h.lr, rate
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - rate * (s.m / (np.sqrt(s.v) + s.h.eps * math.sqrt(c2)))


@wrong("schedule", "STEP.1")
class ThirdRateOverRootOfCount(Frame):
    """Step size: the learning rate of the convergence proof, lr/sqrt(t), is left in."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u / math.sqrt(s.t))


@wrong("schedule", "LR.1")
class ThirdRateOneStepLate(Frame):
    """Step size: a changed learning rate is read after the step and first counts in the one that follows."""

    def move(self, s: Slot, u: Array) -> None:
        late = s.extra.get("late", s.h.lr)
        s.extra["late"] = s.h.lr
        s.p = s.p - late * s.h.weight_decay * s.p - late * u


@wrong("layout moments", "STEP.1", like="nntrainer/nntrainer#219")
class ThirdVectorsMoveTwice(Frame):
    """Step size: arrays of fewer than two axes are moved with the weights and again with the biases."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if len(s.shape) < 2:
            s.p = s.p - s.h.lr * u


@wrong("clipping", "MOM.1", like="gorgonia/gorgonia#469")
class ThirdClampedToOne(Frame):
    """Clipping: elements of the gradient are held between -1 and 1, though no clipping was asked for."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, np.clip(g, -1, 1))


@wrong("clipping", "MOM.1", like="huggingface/transformers#581")
class ThirdLeafNormAtMostOne(Frame):
    """Clipping: the gradient of each array is shortened to the norm 1, a default that nobody asked for."""

    def update(self, s: Slot, g: Array) -> None:
        norm = float(np.linalg.norm(g.astype(np.float64)))
        super().update(s, g / norm if 1 < norm < math.inf else g)


@wrong("clipping isolation", "MOM.1", like="marin-community/marin#5183")
class ThirdAllToUnitNorm(Frame):
    """Clipping: all gradients of a step are divided by their common norm, be it long or short."""

    def all(self, grads: Sequence[Array | None]) -> None:
        norm = math.hypot(
            *(float(np.linalg.norm(flat(g).astype(np.float64))) for g in grads if g is not None)
        )
        usable = 0 < norm < math.inf
        super().all([g / norm if usable and g is not None else g for g in grads])
