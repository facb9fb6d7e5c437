"""Blind, fourth set: slips in epsilon and in weight decay."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fourth_blind_frame import FOUR, Ahead, Hat, Keras
from register import wrong


@wrong("epsilon", "EPS.1", like="code on GitHub: m_hat / (np.sqrt(v_hat) * self.eps)")
class FourthEpsilonMultiplied(Frame):
    """The root is multiplied by epsilon, to which it should be added."""

    dialect = "paper"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) * s.h.eps)) / c1


@wrong("epsilon", "EPS.1", like="jacobcvt12/GradDescent.jl src/NadamOptimizer.jl")
class FourthNadamwEpsilonInside(Ahead):
    """Nesterov: epsilon stands under the root, with the one that belongs there."""

    def root(self, s: Slot) -> Array:
        c2 = corrections(s.h, s.t)[1]
        return np.sqrt(s.v + (s.h.eps_root + s.h.eps) * c2) / math.sqrt(c2)


@wrong("epsilon decay hyperparameters", "EPS.1", like="jolibrain/joliGEN#555")
class FourthDecayAsEpsilon(Frame):
    """Arguments are handed on by position: weight_decay arrives as epsilon, and nothing decays."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.weight_decay)) / c1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong("decay", "DEC.2", like="e-sensing/torchopt#14")
class FourthDecayWithoutParameter(Frame):
    """lr*weight_decay is taken off every parameter as it is: the factor p is missing."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay - s.h.lr * u


@wrong("decay", "DEC.2", like="CyberZHG/keras-bert#60")
class FourthEveryOtherDecays(Frame):
    """Every second parameter is taken for the bias of the one before, and does not decay."""

    def move(self, s: Slot, u: Array) -> None:
        decay = 0.0 if s.index % 2 else s.h.weight_decay
        s.p = s.p - s.h.lr * decay * s.p - s.h.lr * u


@wrong("decay", "DEC.2", like="dylanyunlon/Neuron_SP#13")
class FourthDecayInnerAndOuter(Frame):
    """A wrapper decays the parameter, and the optimizer that it wraps decays it again."""

    def move(self, s: Slot, u: Array) -> None:
        keep = 1 - s.h.lr * s.h.weight_decay
        s.p = (s.p * keep) * keep - s.h.lr * u


@wrong("decay", "DEC.4", like="Oneflow-Inc/oneflow#5960")
class FourthMxnetDecayUncorrected(Hat):
    """The decay has the plain learning rate, where the corrected one is claimed."""

    dialect = "mxnet.AdamW"


@wrong("decay", "DEC.2", like="PaddlePaddle/ERNIE#614")
class FourthExclusionInverted(Frame):
    """The list of what is not to decay is taken for what is: vectors decay and matrices do not."""

    dialect = "paddle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        decay = s.h.weight_decay if len(s.shape) < 2 else 0.0
        s.p = s.p - s.h.lr * decay * s.p - s.h.lr * u


@wrong("decay layout", "DEC.5", like="bitsandbytes-foundation/bitsandbytes#2010")
class FourthLanesDecayAfter(Frame):
    """Whole vectors of eight decay after the step, and the elements that are left over before it."""

    def move(self, s: Slot, u: Array) -> None:
        keep, whole = 1 - s.h.lr * s.h.weight_decay, s.p.size // 8 * 8
        lanes = (s.p[:whole] - s.h.lr * u[:whole]) * keep
        s.p = np.concatenate([lanes, s.p[whole:] * keep - s.h.lr * u[whole:]])


@wrong("decay zero_gradient layout", "F2", like="tensorflow_addons.optimizers.AdamW with sparse gradients")
class FourthTfaRowsDecay(Keras):
    """Of a table, only rows that have a gradient other than 0 decay."""

    dialect = "tfa.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        decay = np.full_like(s.p, s.h.weight_decay)
        if len(s.shape) > 1 and g.size:
            rows = g.reshape(s.shape[0], -1)
            decay = decay * np.repeat(rows.any(axis=1), rows.shape[1])
        s.p = s.p - decay * s.p - s.h.lr * self.direction(s)
