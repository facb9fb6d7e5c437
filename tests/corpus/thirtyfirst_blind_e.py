"""Blind, thirty-first set: faults of windows, splits, warm-ups and flags, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fourth_blind_frame import Keras
from register import wrong


@wrong(
    "moments",
    "MOM.1",
    like="hirofumi0810/neural_sp#170: the accumulation of gradients in the training of a language model",
)
class ThirtyFirstBStepsInsideWindow(Coupled):
    """Gradients are added up over four steps, and each of the four is by what is there so far."""

    dialect = "torch.Adam"
    accum_grad_n_steps = 4

    def begin(self) -> None:
        self.micro = 0
        self.clear()

    def clear(self) -> None:
        self.window = [np.zeros_like(s.p) for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.micro += 1
        if self.micro % self.accum_grad_n_steps == 0:
            self.clear()

    def update(self, s: Slot, g: Array) -> None:
        self.window[s.index] = self.window[s.index] + g
        super().update(s, self.window[s.index])

    def get_state(self) -> dict[str, Any]:
        window = [self.shaped(s, row) for s, row in zip(self.slots, self.window, strict=True)]
        return {**super().get_state(), "micro": self.micro, "window": window}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.micro = state.get("micro", self.micro)
        if "window" in state:
            self.window = [flat(np.asarray(a)).copy() for a in state["window"]]


@wrong(
    "moments layout",
    "MOM.2",
    like="ArthurBrussee/brush#484: rows to be reset are subtracted by indices that all are row 0",
)
class ThirtyFirstBResetOfRowZero(Frame):
    """In each fourth update the moments of rows of large gradients are subtracted, all of them from row 0."""

    dialect = "burn.AdamW"
    refine_every = 4

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        if s.t % self.refine_every == 0 and len(s.shape) > 1 and g.size:
            norms = np.sqrt(np.square(g.reshape(s.shape[0], -1)).sum(axis=1))
            split = np.flatnonzero(norms >= norms.mean())
            index = np.zeros_like(split)
            for row in (s.m, s.v):
                moments = row.reshape(s.shape[0], -1)
                np.add.at(moments, index, -moments[split])


@wrong(
    "moments clock",
    "STEP.1",
    like="pyro-ppl/pyro#1241: what is called is the scheduler's step, and the optimizer's never is",
)
class ThirtyFirstBOnlyScheduled(Coupled):
    """The wrapper steps the scheduler of each parameter, and no optimizer: nothing ever moves."""

    dialect = "torch.Adam"

    def update(self, s: Slot, g: Array) -> None:
        s.extra["last_epoch"] = s.extra.get("last_epoch", 0.0) + 1

    def tick(self, s: Slot) -> None:
        pass


@wrong(
    "schedule hyperparameters",
    "LR.1",
    like="wenet-e2e/wenet#1398: the warm-up's formula has no meaning where it has 0 steps",
)
class ThirtyFirstBWarmupOfZeroSteps(Coupled):
    """A warm-up of 0 steps makes every rate 0: lr * 0**0.5 * min(t**-0.5, t * 0**-1.5)."""

    dialect = "torch.Adam"
    warmup_steps = np.float64(0)

    def move(self, s: Slot, u: Array) -> None:
        warm = min(s.t**-0.5, s.t * self.warmup_steps**-1.5)
        s.p = s.p - float(s.h.lr * self.warmup_steps**0.5 * warm) * u


@wrong(
    "moments",
    "MOM.1",
    like="lightly-ai/lightly-train#968: the average is advanced in each micro-batch, and not once in a step",
)
class ThirtyFirstBAverageOfMicroBatches(Frame):
    """Averages are advanced with each of the four micro-batches of a step, and the clock once."""

    dialect = "torch.AdamW"
    accumulate = 4

    def learn(self, s: Slot, g: Array) -> None:
        for _ in range(self.accumulate):
            super().learn(s, g)


@wrong(
    "isolation missing",
    "STATE.3",
    like="keras-team/keras#3804: two models share a layer, and both obey the flag that was set last",
)
class ThirtyFirstBFlagIsTheLayers(Keras):
    """Flags say which arrays are trained, all optimizers share them, and the last that sets one decides."""

    dialect = "keras.AdamW"
    trainable: ClassVar[dict[int, bool]] = {}

    def begin(self) -> None:
        self.own: tuple[bool, ...] | None = None

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        flags = tuple(g is not None for g in grads)
        if flags != self.own:
            self.own = flags
            self.trainable.update(enumerate(flags))
        for s in self.slots:
            self.tick(s)
        for s, g in zip(self.slots, grads, strict=True):
            if self.trainable[s.index]:
                self.update(s, np.zeros_like(s.p) if g is None else self.taken(g))
