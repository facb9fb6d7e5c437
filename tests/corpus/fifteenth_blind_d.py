"""Blind, fifteenth set: faults of clocks and of states that are saved, after the bugs of others."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fourteenth_blind_frame_b import FormerKeras
from fourth_blind_frame import FOUR, Keras, Optax
from register import wrong
from seventh_blind_frame import InsideCorrected, Sonnet
from sixth_blind_frame import Running
from twelfth_blind_frame_b import begun


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="tiny-dnn/tiny-dnn#824: b1_t and b2_t begin at b1 and b2, and are multiplied before they are used",
)
class FifteenthBPowersBeginAtBetas(Running, InsideCorrected):
    """Powers begin at the betas and are multiplied before use: update 1 is corrected as the second."""

    dialect = "tiny_dnn.Adam"
    hyper = FOUR[:3]

    def powers(self, s: Slot) -> dict[str, float]:
        return {"power1": s.h.b1 ** (s.t + 1), "power2": s.h.b2 ** (s.t + 1)}

    def direction(self, s: Slot) -> Array:
        return InsideCorrected.direction(self, s)


@wrong(
    "state",
    "STATE.4",
    like="p-doom/jasmine#17: on a resume from a checkpoint the optimizer's state is not restored",
)
class FifteenthBNotRestored(Optax):
    """A state is saved, and to load it does nothing but begin anew: moments and count are zeros."""

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            begun(s)


@wrong(
    "isolation",
    "STATE.3",
    like="eriklindernoren/Keras-GAN#128: generator and discriminator are given one optimizer object",
)
class FifteenthBOneObjectForTwo(Keras):
    """Optimizers that are there at the same time count their steps in one variable."""

    dialect = "keras.Adam"
    living: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()

    def begin(self) -> None:
        others = list(self.living)
        self.iterations: list[int] = others[0].iterations if others else [0]
        self.living.add(self)

    def all(self, grads: Sequence[Array | None]) -> None:
        self.read()
        super().all(grads)
        self.iterations[0] += 1 if self.slots else 0

    def read(self) -> None:
        for s in self.slots:
            s.t = self.iterations[0]

    def get_state(self) -> dict[str, Any]:
        self.read()
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.iterations[0] = max((s.t for s in self.slots), default=0)


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#52368: load_model makes the optimizer anew, with zeros for what was saved",
)
class FifteenthBMadeAnewByLoad(FormerKeras):
    """A load compiles the optimizer once more: its slot variables and iterations are new ones."""

    def set_state(self, state: dict[str, Any]) -> None:
        compiled = []
        for s in self.slots:
            m, v, top = (np.zeros_like(s.p) for _ in range(3))
            compiled.append(Slot(s.index, s.h, s.shape, s.dtype, s.p, m, v, top))
        self.slots = compiled


@wrong(
    "state",
    "STATE.4",
    like="instadeepai/Mava#472: the optimizers' states are not among the variables of the checkpoint",
)
class FifteenthBOnlyNetworksSaved(Sonnet):
    """A checkpoint has the variables of the networks; each resume is by a new optimizer."""

    def get_state(self) -> dict[str, Any]:
        return {"networks": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        if "networks" not in state:
            super().set_state(state)
            return
        for s, p in zip(self.slots, state["networks"], strict=True):
            s.p = flat(np.asarray(p)).copy()
            begun(s)


@wrong(
    "moments",
    "STEP.1",
    like="paiml/entrenar#131: a block is updated in every micro-batch's backward, in spite of accumulation",
)
class FifteenthBStepOfEachMicroBatch(Frame):
    """Four micro-batches make four updates, each by a quarter of the gradient, and not one by their sum."""

    micro_batches: ClassVar[int] = 4

    def all(self, grads: Sequence[Array | None]) -> None:
        parts = [None if g is None else g / self.micro_batches for g in grads]
        for _ in range(self.micro_batches):
            super().all(parts)
