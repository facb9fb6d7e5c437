"""Blind, thirty-first set: rates that are not put back, windows, and what a load leaves out, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fourth_blind_frame import Keras, Nadam
from register import right, wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "schedule",
    "LR.3",
    like="TTomilin/COOM#5: with a decaying rate a new task does not begin with the original one",
    claim="keras.Adam",
)
class ThirtyFirstRateNotPutBack(Keras):
    """A rate that falls is followed; where a new task sets the original one again, the decayed one stays."""

    dialect = "keras.Adam"

    def begin(self) -> None:
        self.originals = [s.h.lr for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        for s, original in zip(self.slots, self.originals, strict=True):
            has_decayed = hyper.get("lr") == original and s.h.lr < original
            s.h.read({k: x for k, x in hyper.items() if not (k == "lr" and has_decayed)})


@wrong(
    "state",
    "STATE.4",
    like="hill-a/stable-baselines#301: a saved model lacks Adam's variables, and the rate begins again",
    claim="tf1.Adam",
)
class ThirtyFirstModelWithoutAdam(Slotted):
    """A model is saved without Adam's variables: a load begins with none, and with the first rate."""

    def begin(self) -> None:
        self.data = [{"learning_rate": s.h.lr} for s in self.slots]

    def get_state(self) -> dict[str, Any]:
        return {"data": [dict(own) for own in self.data]}

    def set_state(self, state: dict[str, Any]) -> None:
        for s, own in zip(self.slots, state.get("data", []), strict=False):
            s.h.lr = own["learning_rate"]


@wrong(
    "state",
    "STATE.4",
    like="CyberZHG/keras-lookahead#2: the wrapper lists no weights, those of its inner optimizer are lost",
    claim="keras.Nadam",
)
class ThirtyFirstWrapperListsNoWeights:
    """A wrapper lists weights of its own, and has none: iterations, moments and product are not saved."""

    dialect = "keras.Nadam"
    hyper = Nadam.hyper
    complex = True

    def __init__(self, **options: object) -> None:
        self.optimizer = Nadam()
        self.weights: list[Array] = []

    def init(self, params: Sequence[Array], hyper: dict[str, float]) -> None:
        self.optimizer.init(params, hyper)

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.optimizer.init_groups(params, hypers)

    def set_lr(self, lr: float) -> None:
        self.optimizer.set_lr(lr)

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        return self.optimizer.step(grads)

    def get_state(self) -> dict[str, Any]:
        return {"weights": [a.copy() for a in self.weights]}

    def set_state(self, state: dict[str, Any]) -> None:
        self.weights = [np.array(a) for a in state.get("weights", [])]


@wrong(
    "state loss_scale",
    "STATE.4",
    like="facebookresearch/fairseq2#1346: the scaler's state is not restored, its scale is the first again",
    claim="torch.AdamW",
)
class ThirtyFirstScalerNotRestored(Frame):
    """A load brings no loss scale: it is 2**16, and steps are skipped until it has come down again."""

    first, largest = 2.0**16, 65504.0
    scale = 0.0  # as low as it has to be

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.scale = self.first

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [np.abs(flat(g)) for g in grads if g is not None]
        greatest = max((float(np.max(row[np.isfinite(row)], initial=0.0)) for row in rows), default=0.0)
        if greatest * self.scale > self.largest:
            self.scale /= 2
            return
        super().all(grads)


@wrong(
    "moments",
    "STEP.1",
    like="tracel-ai/burn#5695: what is left at an epoch's end is less than a window, and is discarded",
    claim="burn.AdamW",
)
class ThirtyFirstLastWindowDiscarded(Frame):
    """An epoch has five windows, and the last, which is a partial one, makes no step."""

    windows = 5

    def begin(self) -> None:
        for s in self.slots:
            s.extra["window"] = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        whole: list[Array | None] = []
        for s, g in zip(self.slots, grads, strict=True):
            s.extra["window"] += 1
            whole.append(g if s.extra["window"] % self.windows else None)
        super().all(whole)


@wrong(
    "state",
    "STATE.4",
    like="hirofumi0810/neural_sp#310: accumulation does not go on rightly where training is resumed",
    claim="torch.Adam",
)
class ThirtyFirstWindowOfResumedRun(Coupled):
    """Behind a load the window is of two calls: the first makes no step, the second one by both gradients."""

    accum_grad_n_steps = 1

    def begin(self) -> None:
        self.held: list[list[Array]] = []

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.accum_grad_n_steps = 2  # that of the command line, for each of two devices
        self.held = [[] for _ in self.slots]
        self.calls = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.accum_grad_n_steps == 1:
            super().all(grads)
            return
        for held, g in zip(self.held, grads, strict=True):
            held.extend([] if g is None else [g.copy()])
        self.calls += 1
        if self.calls % self.accum_grad_n_steps == 0:
            super().all([sum(held[1:], held[0]) if held else None for held in self.held])
            self.held = [[] for _ in self.slots]


@wrong(
    "missing",
    "F1",
    like="keras-team/keras#4674: trainable=False of a layer does not reach the list that is updated",
    claim="keras.Adam",
)
class ThirtyFirstFlagDoesNotReachList(Keras):
    """All weights are in the list, those without a gradient too: momentum and decay go on moving them."""

    dialect = "keras.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            self.update(s, np.zeros_like(s.p) if g is None else self.taken(g))


@right(claim="tf1.Adam")
class ThirtyFirstRightNamedVariables(Slotted):
    """TensorFlow 1's Adam, saved with all of its variables by their names."""

    def get_state(self) -> dict[str, Any]:
        made: dict[str, Any] = {"global_step": self.slots[0].t if self.slots else 0}
        for s in self.slots:
            made[f"var_{s.index}/Adam"] = self.shaped(s, s.m)
            made[f"var_{s.index}/Adam_1"] = self.shaped(s, s.v)
        return made

    def set_state(self, state: dict[str, Any]) -> None:
        if "global_step" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t = int(state["global_step"])
            s.m = flat(state[f"var_{s.index}/Adam"]).copy()
            s.v = flat(state[f"var_{s.index}/Adam_1"]).copy()

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        lr_t = s.h.lr * math.sqrt(c2) / c1
        s.m = s.m * s.h.b1
        s.m += g * (1 - s.h.b1)
        s.v = s.v * s.h.b2
        s.v += (g * (1 - s.h.b2)) * g
        ratio = s.m / (np.sqrt(s.v) + s.h.eps)
        s.p = s.p - lr_t * ratio


@right(claim="burn.AdamW")
class ThirtyFirstRightRecords(Frame):
    """AdamW as a function from a record of momentum to the next one; the decay is taken from a copy first."""

    def update(self, s: Slot, g: Array) -> None:
        momentum: dict[str, Any] = {"time": s.t, "moment_1": s.m, "moment_2": s.v}
        decayed = s.p - (s.h.lr * s.h.weight_decay) * s.p
        change, momentum = self.transformed(s, g, momentum)
        s.p = decayed - s.h.lr * change
        s.m, s.v = momentum["moment_1"], momentum["moment_2"]

    def transformed(self, s: Slot, g: Array, old: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
        f1, f2 = 1 - s.h.b1, 1 - s.h.b2
        first = old["moment_1"] + f1 * (g - old["moment_1"])
        second = old["moment_2"] * s.h.b2 + (g * f2) * g
        c1, c2 = corrections(s.h, old["time"])
        hat = first / c1
        return hat / (np.sqrt(second) / math.sqrt(c2) + s.h.eps), {
            "time": old["time"],
            "moment_1": first,
            "moment_2": second,
        }
