"""Blind, twenty-fourth set: faults of fits, clocks, shapes, groups and contexts, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from blind_frame import Array, Coupled, Frame, Slot
from fourth_blind_frame import Keras
from register import wrong
from tenth_blind_frame_b import After
from twelfth_blind_frame_b import begun


@wrong(
    "moments clock",
    "MOM.1",
    like="keras-team/keras#13750: training by calls of fit, an epoch each, resets the optimizer in each call",
)
class TwentyFourthBFitBeginsAnew(Keras):
    """A call of fit is ten steps, and in the next one the moments and the iterations begin at 0."""

    dialect = "keras.Adam"
    steps_per_fit = 10

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if self.slots and self.slots[0].t >= self.steps_per_fit:
            for s in self.slots:
                begun(s)
        super().all(grads)


@wrong(
    "clock decay",
    "CLK.2",
    like="keras-team/keras#19998: iterations advance, and the decay is applied, in each micro-step",
)
class TwentyFourthBEachMicroStepCounts(Keras):
    """An update is four micro-steps, each of which counts as an iteration and decays the parameters."""

    gradient_accumulation_steps = 4

    def tick(self, s: Slot) -> None:
        s.t += self.gradient_accumulation_steps

    def move(self, s: Slot, u: Array) -> None:
        for _ in range(self.gradient_accumulation_steps):
            s.p = s.p - s.h.lr * s.h.weight_decay * s.p
        s.p = s.p - s.h.lr * u


@wrong(
    "layout",
    "STEP.1",
    like="explosion/thinc#452: moments are rows, which RAdam's weights and gradients are not",
)
class TwentyFourthBMomentsOfOneAxis(After):
    """Moments have one axis, gradients have their own: an array of two axes or more cannot be stepped."""

    def learn(self, s: Slot, g: Array) -> None:
        gradient = g if s.dtype.kind == "c" else g.reshape(s.shape)
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * gradient
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * gradient) * gradient


@wrong("decay", "DEC.2", like="fastai/fastai2#250: RAdam's weight decay is the wrong one of the two")
class TwentyFourthBDecayInGradient(Coupled):
    """The decay is that which joins the gradient, where the decoupled one is asked for."""

    dialect = "fastai.Adam"


@wrong(
    "isolation",
    "STATE.3",
    like="alibaba/FederatedScope#136: one Adam lives in the client's context, over all training routines",
)
class TwentyFourthBContextOfClient(Coupled):
    """The class keeps moments and clocks: a new run with arrays of these shapes goes on from the last one."""

    context: ClassVar[dict[tuple[Any, ...], Slot]] = {}

    def begin(self) -> None:
        for s in self.slots:
            key = s.index, s.shape, s.dtype.str
            if key in self.context:
                last = self.context[key]
                s.t, s.m, s.v = last.t, last.m.copy(), last.v.copy()
            self.context[key] = s


@wrong(
    "layout",
    "STEP.1",
    like="line/open-universe#5: of two networks the list has the first one's parameters twice",
)
class TwentyFourthBFirstNetworkTwice(Frame):
    """Arrays are two halves of a list, in which the first half stands twice: the others are never stepped."""

    def all(self, grads: Sequence[Array | None]) -> None:
        pairs = list(zip(self.slots, grads, strict=True))
        if len(pairs) > 1:
            pairs = pairs[: len(pairs) // 2] * 2
        for s, g in pairs:
            if g is None:
                self.missed(s)
            else:
                self.tick(s)
                self.update(s, self.taken(g))


@wrong(
    "groups",
    "LR.4",
    like="metatensor/metatrain#977: the auxiliary group of Adam is built with the rate of Muon's group",
)
class TwentyFourthBRateOfMuon(Frame):
    """Groups behind the first one are built with the learning rate of the first, and not with their own."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        rate = {"lr": hypers[0]["lr"]} if hypers and "lr" in hypers[0] else {}
        super().init_groups(params, [{**own, **rate} for own in hypers])
