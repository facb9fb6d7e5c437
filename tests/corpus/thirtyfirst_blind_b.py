"""Blind, thirty-first set: faults of rates, of resumed schedules and of scaled gradients in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fourth_blind_frame import Hat, Nadam
from register import right, wrong
from seventh_blind_frame import WantingUncorrected


@wrong(
    "schedule",
    "LR.3",
    like="hirofumi0810/neural_sp#88: Noam's option is taken wrongly, the warm-up has another rate",
    claim="torch.Adam",
)
class ThirtyFirstWarmupByOption(Coupled):
    """The ten steps of a warm-up have the rate of the option, that of the start, and not the one set."""

    warmup_n_steps = 10

    def begin(self) -> None:
        for s in self.slots:
            s.extra["option"] = s.h.lr

    def move(self, s: Slot, u: Array) -> None:
        lr = s.extra["option"] if s.t <= self.warmup_n_steps else s.h.lr
        s.p = s.p - lr * u


@wrong(
    "schedule",
    "LR.3",
    like="yoshitomo-matsubara/torchdistill#358: bugs around optimizer and scheduler of a stage",
    claim="torch.AdamW",
)
class ThirtyFirstSchedulerOfFormerStage(Frame):
    """The scheduler belongs to the optimizer of the stage before: rates that it sets do not arrive here."""

    def begin(self) -> None:
        self.former = [replace(s.h) for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        for h in self.former:
            h.read({k: x for k, x in hyper.items() if k == "lr"})
        super().set_hyper({k: x for k, x in hyper.items() if k != "lr"})


@wrong(
    "state",
    "STATE.4",
    like="nntrainer/nntrainer#1842: momentum variables are neither saved in the model's file nor loaded",
    claim="fairseq.Adam",
)
class ThirtyFirstMomentsNotInFile(Hat):
    """The file has the iterations and no moments: a resumed run has zeros there, and a clock that goes on."""

    def kept(self) -> tuple[tuple[str, str], ...]:
        return ()


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="mindspore-lab/mindone#94: the weight decay is 1e-6 and cannot be configured",
    claim="mindspore.AdamWeightDecay",
)
class ThirtyFirstDecayOfOneMillionth(WantingUncorrected):
    """The weight decay is 1e-6, whatever is given."""

    dialect = "mindspore.AdamWeightDecay"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (u + 1e-6 * s.p)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="huggingface/transformers#35438: a wrong num_items_in_batch divides the losses of a window",
    claim="torch.AdamW",
)
class ThirtyFirstItemsOfAllDevices(Frame):
    """Gradients are divided by the items of two devices, of which they have those of one: they are halved."""

    n_gpu = 2

    def taken(self, g: Array) -> Array:
        return super().taken(g) / self.n_gpu


@wrong(
    "schedule state",
    "STATE.4",
    like="microsoft/ptgnn#15: a resumed run counts its epochs from 0, and schedules are replayed",
    claim="torch.Adam",
)
class ThirtyFirstScheduleReplayed(Coupled):
    """Rates are read from a list by the epoch, which a load puts back to 0: the saved run's come again."""

    def begin(self) -> None:
        self.rates: list[list[float]] = []
        self.epoch = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.rates.append([s.h.lr for s in self.slots])
        super().all(grads)
        self.epoch += 1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.rates[self.epoch][s.index] * u

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "rates": [list(row) for row in self.rates]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.rates = [list(row) for row in state.get("rates", [])]
        self.epoch = 0


@right(claim="keras.Nadam")
class ThirtyFirstRightWrapperHandsOn:
    """A wrapper around Nadam that lists the inner optimizer's weights as its own, in one flat list."""

    dialect = "keras.Nadam"
    hyper = Nadam.hyper
    complex = True

    def __init__(self, **options: object) -> None:
        self.optimizer = Nadam()

    def init(self, params: Sequence[Array], hyper: dict[str, float]) -> None:
        self.optimizer.init(params, hyper)

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.optimizer.init_groups(params, hypers)

    def set_lr(self, lr: float) -> None:
        self.optimizer.set_lr(lr)

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        return self.optimizer.step(grads)

    def get_state(self) -> dict[str, Any]:
        weights: list[Any] = []
        for s in self.optimizer.slots:
            weights += [s.t, s.mu, s.m.copy(), s.v.copy()]
        return {"weights": weights}

    def set_state(self, state: dict[str, Any]) -> None:
        if "weights" not in state:
            self.optimizer.set_state(state)
            return
        weights = iter(state["weights"])
        for s in self.optimizer.slots:
            s.t, s.mu = int(next(weights)), float(next(weights))
            s.m, s.v = np.array(next(weights)), np.array(next(weights))


@right(claim="mindspore.AdamWeightDecay")
class ThirtyFirstRightOneBracket(WantingUncorrected):
    """AdamWeightDecay in pieces of 20 elements from the end on, with decay and step in one bracket."""

    dialect = "mindspore.AdamWeightDecay"
    piece = 20

    def update(self, s: Slot, g: Array) -> None:
        for begin in reversed(range(0, s.p.size, self.piece)):
            own = slice(begin, begin + self.piece)
            d, p = g[own], s.p[own]
            s.m[own] = s.h.b1 * s.m[own] + (1 - s.h.b1) * d
            s.v[own] = s.h.b2 * s.v[own] + ((1 - s.h.b2) * d) * d
            update = s.m[own] / (s.h.eps + np.sqrt(s.v[own]))
            if s.h.weight_decay > 0:
                update += s.h.weight_decay * p
            s.p[own] = p - s.h.lr * update
