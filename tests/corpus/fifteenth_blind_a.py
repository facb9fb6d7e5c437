"""Blind, fifteenth set: faults of absent gradients, states, memory and steps, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fourth_blind_frame import FOUR, Keras, Uncorrected
from ninth_blind_frame import Powers
from register import wrong
from sixth_blind_frame import ZerosHat
from thirteenth_blind_frame_b import MlxPlain


@wrong(
    "missing",
    "F1",
    like="andreped/GradientAccumulator#82: between the updates that are due Adam is given gradients of zero",
)
class FifteenthZerosBetween(Keras):
    """Where no gradient is due yet a zero one is passed on: moments decay and the parameter moves."""

    dialect = "tf_keras.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        filled = [np.zeros_like(s.p) if g is None else g for s, g in zip(self.slots, grads, strict=True)]
        super().all(filled)


@wrong(
    "state",
    "STATE.4",
    like="neuroailab/tfutils#72: the optimizer's own variables are not in the list of those that are saved",
)
class FifteenthSlotsNotListed(Powers):
    """What is saved is the number of steps alone, without moments and powers, which are as they were made."""

    def get_state(self) -> dict[str, Any]:
        return {"global_step": max((s.t for s in self.slots), default=0)}

    def set_state(self, state: dict[str, Any]) -> None:
        if "m" in state:
            super().set_state(state)


def apart(p: Array) -> tuple[Array, Array]:
    """Return a copy of an array in a copy of its memory, and that memory from its first number on."""
    root: Array = p
    while isinstance(root.base, np.ndarray):
        root = root.base
    if root.dtype != p.dtype or not root.flags.forc or p.size == 0:
        own = np.array(p, order="C")
        return own, own.reshape(-1)
    line = root.ravel(order="K").copy()
    first = (p.__array_interface__["data"][0] - root.__array_interface__["data"][0]) // p.itemsize
    view: Array = np.ndarray(p.shape, p.dtype, line, first * p.itemsize, p.strides)
    return view, line[first : first + p.size]


@wrong(
    "layout",
    "STEP.1",
    like="ooples/AiDotNet.Tensors#322: kernels walk linearly through memory, and look at lengths alone",
)
class FifteenthWalksMemory(Frame):
    """A parameter is stepped where its numbers would be in memory if they followed each other."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.memory = [apart(p) for p in params]

    def update(self, s: Slot, g: Array) -> None:
        line = self.walked(s)
        row = flat(line).copy()
        s.p = np.concatenate([row, s.p[row.size :]])
        super().update(s, g)
        line[...] = s.p[: row.size].view(line.dtype).reshape(line.shape)

    def walked(self, s: Slot) -> Array:
        return self.memory[s.index][1]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step(grads)
        return [view.copy() for view, _ in self.memory]


@wrong(
    "layout moments",
    "STEP.1",
    like="mitsuba-renderer/mitsuba2#291: new values go into the dictionary, whose update() nobody calls",
)
class FifteenthSceneNotUpdated(ZerosHat):
    """New parameters stand in the optimizer's own table; the scene goes on with those of the beginning."""

    def begin(self) -> None:
        self.scene = [self.shaped(s, s.p) for s in self.slots]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step(grads)
        return [p.copy() for p in self.scene]


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="PaddlePaddle/Paddle#30895: decay and step do not act on the same master copy of a parameter",
)
class FifteenthMasterOfStepAlone(Frame):
    """The decay is of one copy of the parameter, the step of another, which is what remains."""

    dialect = "paddle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        copy = s.p.copy()
        self.decay(s, copy)
        s.p = s.p - s.h.lr * u

    def decay(self, s: Slot, p: Array) -> None:
        p -= s.h.lr * s.h.weight_decay * p


@wrong(
    "moments hyperparameters",
    "STEP.1",
    like="flwrlabs/flower#893: the mean difference stands in the last step where m_t is due",
)
class FifteenthNoMomentumInStep(MlxPlain):
    """The step is along the gradient, divided by the root; the first moment is kept and never used."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        self.move(s, g / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "bias_correction",
    "BC.1",
    like="dmlc/gluon-nlp#499: BERTAdam corrects the bias, and the official optimizer does not",
)
class FifteenthBertCorrected(Uncorrected):
    """Both moments are corrected, in a rate over the plain root, where none is to be."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * super().direction(s)


@wrong(
    "layout moments",
    "MOM.1",
    like="gorgonia/gorgonia#414, gorgonia/tensor#70: a scalar by a tensor of one number leaves that as it is",
)
class FifteenthScalarFirst(Coupled):
    """A number times an array of one element is that array: weights of averages and the rate are lost."""

    def times(self, a: float, x: Array) -> Array:
        return a * x if x.size > 1 else x

    def learn(self, s: Slot, g: Array) -> None:
        s.m = self.times(s.h.b1, s.m) + self.times(1 - s.h.b1, g)
        s.v = self.times(s.h.b2, s.v) + self.times(1 - s.h.b2, g) * g

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.times(s.h.lr, u)


@wrong(
    "moments",
    "STEP.1",
    like="SlopDotCash/asi#2806: the step of an error is multiplied by the error again, which makes an ascent",
)
class FifteenthErrorOfOutputAgain(Frame):
    """The step is multiplied by the error: minus the last number of the last gradient, the output's bias."""

    dialect = "paper"
    hyper = FOUR

    def all(self, grads: Sequence[Array | None]) -> None:
        there = [flat(g) for g in grads if g is not None and g.size]
        self.error = -float(there[-1][-1]) if there else 0.0
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + self.error * (s.h.lr * u)
