"""Blind, nineteenth set: faults of corrections, counts and rows, and right Adams."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from blind_frame import Array, Coupled, Frame, Hyper, Slot, corrections, flat
from fifth_blind_frame import Plain, Refusing, Zeros
from fourth_blind_frame import FOUR, Common
from ninth_blind_frame_b import Single, wanted
from register import right, wrong
from twelfth_blind_frame_b import Stored


@wrong(
    "bias_correction",
    "BC.1",
    like="RubixML/ML@1dbda769f: the first Adam takes the moments as they are",
)
class NineteenthBNothingCorrected(Plain):
    """Neither moment is corrected for its start at 0."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong(
    "hyperparameters decay moments",
    "STEP.1",
    like="chainer/chainer#7124: eta and weight_decay_rate are handed to AdamW's rule in swapped order",
)
class NineteenthBSwappedArguments(Zeros):
    """The weight decay stands where eta belongs, before the whole bracket, and eta's 1 is the decay in it."""

    eta = 1.0

    def move(self, s: Slot, u: Array) -> None:
        self.apply(s, u, s.h.weight_decay, self.eta)

    def apply(self, s: Slot, u: Array, eta: float, weight_decay_rate: float) -> None:
        s.p = s.p - eta * (s.h.lr * u + weight_decay_rate * s.p)


@wrong(
    "groups schedule hyperparameters",
    "LR.4",
    like="Jittor/jittor#210: a step has the optimizer's lr, whatever a group's own is",
)
class NineteenthBRateOfOptimizer(Coupled):
    """The optimizer has one learning rate, with which parameters of all groups are stepped."""

    lr = 0.0

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.lr = self.slots[0].h.lr if self.slots else 0.0

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        self.lr = float(hyper.get("lr", self.lr))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.lr * u


@wrong(
    "layout sparse",
    "SPARSE.3",
    like="nerfstudio-project/gsplat#426: indices are made before rows are pruned, and used behind it",
)
class NineteenthBStaleIndices(Stored):
    """In each second update a row was pruned before it: every row is stepped by the gradient of another."""

    def update(self, s: Slot, g: Array) -> None:
        if s.t % 2 == 0 and s.shape:
            g = flat(np.roll(g.view(s.dtype).reshape(s.shape), 1, axis=0))
        super().update(s, g)


@wrong(
    "clock state bias_correction",
    "STATE.1",
    like="mimoralea/gdrl#24: the shared count is copied to 'steps', and 'step' is what is read",
)
class NineteenthBPrivateCount(Coupled):
    """The clock of the state is shared and is saved; corrections have a count of this object's own."""

    def begin(self) -> None:
        self.step_of = [0 for _ in self.slots]
        self.steps_of = [0 for _ in self.slots]

    def tick(self, s: Slot) -> None:
        super().tick(s)
        self.steps_of[s.index] = s.t
        self.step_of[s.index] += 1

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, self.step_of[s.index])
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "bias_correction",
    "BC.1",
    like="fastai/swiftai#13: the average is multiplied by its correction, where it is to be divided",
)
class NineteenthBTimesCorrection(Frame):
    """The first moment is multiplied by 1-b1**t."""

    dialect = "fastai.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return c1 * s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)


Values = dict[str, Any]
Callback = Callable[[Hyper, Values], Values]


def weight_decay(h: Hyper, x: Values) -> Values:
    """Return the parameter when it has decayed."""
    return {"p": x["p"] * (1 - h.lr * h.weight_decay)}


def average_grad(h: Hyper, x: Values) -> Values:
    """Return the average of gradients, damped."""
    return {"grad_avg": x["grad_avg"] * h.b1 + x["grad"] * (1 - h.b1)}


def average_sqr_grad(h: Hyper, x: Values) -> Values:
    """Return the average of their squares, damped."""
    return {"sqr_avg": x["sqr_avg"] * h.b2 + (x["grad"] * (1 - h.b2)) * x["grad"]}


def adam_step(h: Hyper, x: Values) -> Values:
    """Return the parameter when it has been stepped."""
    debias1, debias2 = corrections(h, x["step"])
    below = np.sqrt(x["sqr_avg"]) / math.sqrt(debias2) + h.eps
    return {"p": x["p"] - (h.lr / debias1) * (x["grad_avg"] / below)}


@right(claim="fastai.Adam")
class NineteenthBRightCallbacks(Frame):
    """fastai's Adam: a list of callbacks, each of which returns what it changes of a parameter's state."""

    dialect = "fastai.Adam"
    cbs: tuple[Callback, ...] = (weight_decay, average_grad, average_sqr_grad, adam_step)

    def update(self, s: Slot, g: Array) -> None:
        values: Values = {"p": s.p, "grad": g, "grad_avg": s.m, "sqr_avg": s.v, "step": s.t}
        for cb in self.cbs:
            values |= cb(s.h, values)
        s.p, s.m, s.v = values["p"], values["grad_avg"], values["sqr_avg"]


@right(claim="candle.AdamW")
class NineteenthBRightScales(Common):
    """candle's AdamW: corrections are scales that multiply, and what has decayed is a tensor of its own."""

    dialect = "candle.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        scale_m, scale_v = (1 / c for c in corrections(h, s.t))
        next_m = s.m * h.b1 + g * (1 - h.b1)
        next_v = s.v * h.b2 + g * (g * (1 - h.b2))
        m_hat, root_hat = next_m * scale_m, np.sqrt(next_v) * math.sqrt(scale_v)
        next_theta = s.p * (1 - h.lr * h.weight_decay)
        s.p = next_theta - (m_hat / (root_hat + h.eps)) * h.lr
        s.m, s.v = next_m, next_v


@right(claim="sklearn.Adam")
class NineteenthBRightListsOfUpdates(Single):
    """scikit-learn's Adam: lists of moments by comprehension, one corrected rate, and a list of updates."""

    dialect = "sklearn.Adam"
    hyper = FOUR

    def build(self) -> None:
        self.time, self.ms, self.vs = 0, self.zeros(), self.zeros()

    def updates(self, grads: Sequence[Array]) -> list[Array]:
        self.time += 1
        self.ms = [self.b1 * m + (1 - self.b1) * g for m, g in zip(self.ms, grads, strict=True)]
        self.vs = [self.b2 * v + ((1 - self.b2) * g) * g for v, g in zip(self.vs, grads, strict=True)]
        c1, c2 = self.corrections(self.time)
        rate = self.lr * math.sqrt(c2) / c1
        return [-rate * (m / (np.sqrt(v) + self.eps)) for m, v in zip(self.ms, self.vs, strict=True)]

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        changes = self.updates([g for g in grads if g is not None])
        self.params = [p + change for p, change in zip(self.params, changes, strict=True)]

    def get_state(self) -> dict[str, Any]:
        return {"t": self.time, "m": self.together(self.ms), "v": self.together(self.vs)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.time = max(self.clocks(state), default=0)
        self.ms, self.vs = self.taken(state["m"]), self.taken(state["v"])


class Record(NamedTuple):
    """What is remembered of a parameter that has been updated before."""

    time: int
    moment_1: Array
    moment_2: Array


@right(claim="burn.AdamW")
class NineteenthBRightOptionalRecord(Frame):
    """burn's AdamW: a parameter has no record before its first update, which makes it of the gradient."""

    dialect = "burn.AdamW"

    def begin(self) -> None:
        self.records: dict[int, Record] = {}

    def transformed(self, h: Hyper, g: Array, record: Record | None) -> tuple[Array, Record]:
        first, second = g * (1 - h.b1), (g * (1 - h.b2)) * g
        if record is None:
            record = Record(1, first, second)
        else:
            record = Record(record.time + 1, record.moment_1 * h.b1 + first, record.moment_2 * h.b2 + second)
        c1, c2 = corrections(h, record.time)
        return (record.moment_1 / c1) / (np.sqrt(record.moment_2) / math.sqrt(c2) + h.eps), record

    def update(self, s: Slot, g: Array) -> None:
        delta, record = self.transformed(s.h, g, self.records.pop(s.index, None))
        self.records[s.index] = record
        s.p = (s.p - s.p * (s.h.lr * s.h.weight_decay)) - delta * s.h.lr
        s.t, s.m, s.v = record

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.records = {s.index: Record(s.t, s.m, s.v) for s in self.slots if s.t}


@right(claim="ggml.AdamW")
class NineteenthBRightParameterTensor(Refusing):
    """ggml's AdamW: an operator with a tensor of seven settings, which goes over the rows of a weight."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        pars = np.array([h.lr, h.b1, h.b2, h.eps, h.weight_decay, 1 / c1, 1 / c2])
        ne00 = s.p.size // s.shape[0] if s.shape and s.p.size else max(s.p.size, 1)
        for row in zip(*(a.reshape(-1, ne00) for a in (s.p, g, s.m, s.v)), strict=True):
            self.row(pars.tolist(), *row)

    def row(self, pars: list[float], w: Array, g: Array, m: Array, v: Array) -> None:
        alpha, beta1, beta2, eps, wd, beta1h, beta2h = pars
        m[...] = m * beta1 + g * (1 - beta1)
        v[...] = v * beta2 + g * (g * (1 - beta2))
        vh = np.sqrt(v) * math.sqrt(beta2h) + eps
        w[...] = w * (1 - alpha * wd) - alpha * ((m * beta1h) / vh)
