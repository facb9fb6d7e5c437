"""Blind, thirty-first set: faults of accumulators, averages and compiled sets, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fourth_blind_frame import Keras
from register import wrong
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame_b import begun


@wrong(
    "schedule",
    "LR.1",
    like="charlesq34/pointnet2#101: learing_rate has the floor, and learning_rate is returned",
)
class ThirtyFirstBFloorNotApplied(Slotted):
    """A rate that has fallen and then stays at its floor falls on, by the factor of its last fall."""

    dialect = "tf1.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra.update(given=s.h.lr, unclipped=s.h.lr, factor=1.0)

    def tick(self, s: Slot) -> None:
        super().tick(s)
        given, before = s.h.lr, s.extra["given"]
        if given < before:
            s.extra.update(given=given, unclipped=given, factor=given / before)
        elif given == before:
            s.extra["unclipped"] *= s.extra["factor"]
        else:
            s.extra.update(given=given, unclipped=given, factor=1.0)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.extra["unclipped"] * u


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="Peterande/D-FINE#331: the decay function has captured the decay that there was at construction",
)
class ThirtyFirstBDecayIsCaptured(Frame):
    """Averages ask a function for their betas, which has captured those of construction."""

    dialect = "torch.AdamW"
    decay_fns: list[Callable[[], tuple[float, float]]]

    def begin(self) -> None:
        self.decay_fns = [self.decay_fn(s.h.b1, s.h.b2) for s in self.slots]

    def decay_fn(self, b1: float, b2: float) -> Callable[[], tuple[float, float]]:
        return lambda: (b1, b2)

    def update(self, s: Slot, g: Array) -> None:
        b1, b2 = self.decay_fns[s.index]()
        s.m = b1 * s.m + (1 - b1) * g
        s.v = b2 * s.v + ((1 - b2) * g) * g
        self.move(s, (s.m / (np.sqrt(s.v) / math.sqrt(1 - b2**s.t) + s.h.eps)) / (1 - b1**s.t))


@wrong(
    "moments",
    "MOM.1",
    like="tensorflow/tensorflow#120999: compiled, AdamW over accumulated updates goes to a loss of 65",
)
class ThirtyFirstBAccumulatorStays(Keras):
    """What is accumulated is stepped by, and is not put back to 0: all earlier gradients are in it."""

    dialect = "keras.AdamW"

    def begin(self) -> None:
        self.accumulators = [np.zeros_like(s.p) for s in self.slots]

    def learn(self, s: Slot, g: Array) -> None:
        self.accumulators[s.index] = self.accumulators[s.index] + g
        super().learn(s, self.accumulators[s.index])

    def get_state(self) -> dict[str, Any]:
        rows = zip(self.slots, self.accumulators, strict=True)
        return {**super().get_state(), "accumulators": [self.shaped(s, row) for s, row in rows]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "accumulators" in state:
            self.accumulators = [flat(np.asarray(a)).copy() for a in state["accumulators"]]


@wrong(
    "state bias_correction",
    "STATE.4",
    like="astooke/rlpyt#122: log_alpha is loaded, alpha is what was computed before the load",
)
class ThirtyFirstBDerivedBeforeLoad(Coupled):
    """Corrections are computed ahead, for the next update: the first one behind a load has stale ones."""

    dialect = "torch.Adam"

    def begin(self) -> None:
        self.alpha = [corrections(s.h, s.t + 1) for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "b1" in hyper or "b2" in hyper:
            self.begin()

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.alpha[s.index]
        self.alpha[s.index] = corrections(s.h, s.t + 1)
        return (s.m / (np.sqrt(s.v) / c2**0.5 + s.h.eps)) / c1


@wrong(
    "state",
    "STATE.4",
    like="m2lines/Samudra#313: on a resume all that was restored of the averages is overwritten",
)
class ThirtyFirstBAveragesAfresh(Frame):
    """A state is restored, and overwritten then: averages and their counters begin afresh."""

    dialect = "torch.AdamW"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            begun(s)


@wrong(
    "state",
    "STATE.4",
    like="keras-team/keras#14150: a model that is loaded has not the state of its Adam",
)
class ThirtyFirstBSlotsNotBuilt(Keras):
    """Before the first step there are no slots: a load brings the iterations, and no moments."""

    dialect = "keras.AdamW"

    def begin(self) -> None:
        self.built = False

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        self.built = True
        super().all(grads)

    def set_state(self, state: dict[str, Any]) -> None:
        if self.built:
            super().set_state(state)
        else:
            super().set_state({"t": state["t"]})


@wrong(
    "missing",
    "F1",
    like="keras-team/keras#3268: the weights to be trained are those of compile(), freezing has no effect",
)
class ThirtyFirstBFrozenAfterCompile(Keras):
    """What has a gradient in the first step is trained for good: one that is absent later is the last one."""

    dialect = "keras.AdamW"

    def begin(self) -> None:
        self.compiled: set[int] | None = None
        self.latest: dict[int, Array] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if self.compiled is None:
            self.compiled = {i for i, g in enumerate(grads) if g is not None}
        self.latest.update({i: np.array(g) for i, g in enumerate(grads) if g is not None})
        super().all([self.latest[i] if g is None and i in self.compiled else g for i, g in enumerate(grads)])
