"""Blind, twenty-fourth set: faults of powers, frozen layers, products, copies and resumes in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Plain
from register import wrong
from seventh_blind_frame import PaperAdamW
from sixth_blind_frame import Running
from twelfth_blind_frame_b import Legacy


@wrong(
    "bias_correction clock",
    "BC.1",
    like="deepspeedai/DeepSpeed#493: with ZeRO-2 and offload the CPU's Adam converges worse than the GPU's",
    claim="deepspeed.CPUAdam",
)
class TwentyFourthPowersPerCall(Running):
    """The powers of the betas are the object's, and are multiplied in the call for each parameter."""

    def tick(self, s: Slot) -> None:
        s.t += 1
        for other in self.slots:
            other.extra["power1"] *= s.h.b1
            other.extra["power2"] *= s.h.b2


@wrong(
    "missing decay",
    "F1",
    like="deeplearning4j/deeplearning4j#4260: the L2 of the fine-tune configuration reaches frozen layers",
    claim="paper.AdamW",
)
class TwentyFourthFrozenDecays(PaperAdamW):
    """A parameter without a gradient decays as the others do."""

    def missed(self, s: Slot) -> None:
        s.p = s.p - self.share(s) * s.p


def product(a: Array | float, b: Array) -> Array:
    """Return a product that was written to its first operand, or, where that is a scalar, the second."""
    return a * b if isinstance(a, np.ndarray) else b


@wrong(
    "moments",
    "MOM.1",
    like="gorgonia/gorgonia#413: solvers call the product with a scalar first, which it handles wrongly",
    claim="paper",
)
class TwentyFourthScalarFirst(Plain):
    """The product of a beta and a moment is the moment: both averages are sums that nothing decays."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = product(s.h.b1, s.m) + g * (1 - s.h.b1)
        s.v = product(s.h.b2, s.v) + product(g * (1 - s.h.b2), g)


@wrong(
    "decay layout",
    "DEC.2",
    like="anhquan0412/basic_model_scratch#4: Adam with L2 is left as it was in one place of the network",
    claim="torch.AdamW",
)
class TwentyFourthLastIsUnfixed(Frame):
    """The decay is decoupled, but for the last parameter, where the L2 term joins the gradient still."""

    def update(self, s: Slot, g: Array) -> None:
        if s.index < len(self.slots) - 1:
            super().update(s, g)
        else:
            self.learn(s, g + s.h.weight_decay * s.p)
            s.p = s.p - s.h.lr * self.direction(s)


@wrong(
    "layout",
    "STEP.1",
    like="deepspeedai/DeepSpeed#367: the copy of updated parameters to those of the model was wrong",
    claim="deepspeed.CPUAdam",
)
class TwentyFourthTailToFront(Running):
    """The model's copy gets whole lanes of eight, and what is left is copied to its front, not behind."""

    lanes = 8

    def begin(self) -> None:
        super().begin()
        if not hasattr(self, "dev_params"):
            self.dev_params = [s.p.copy() for s in self.slots]

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.__dict__.pop("dev_params", None)
        super().init_groups(params, hypers)

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        rounded, copy = s.p.size // self.lanes * self.lanes, self.dev_params[s.index]
        copy[:rounded] = s.p[:rounded]
        copy[: s.p.size - rounded] = s.p[rounded:]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step(grads)
        return [self.shaped(s, copy) for s, copy in zip(self.slots, self.dev_params, strict=True)]


@wrong(
    "schedule state",
    "LR.3",
    like="Unity-Technologies/ml-agents#3223: a load leaves the trainer's step at 0, and schedules begin anew",
    claim="tf_keras.legacy.Adam",
)
class TwentyFourthScheduleBeginsAnew(Legacy):
    """Rates are looked up by the trainer's step, which is 0 behind a load: those of the start come again."""

    def begin(self) -> None:
        self.rates: list[list[float]] = []
        self.trainer_step = 0

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "rates": [list(row) for row in self.rates]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.rates = [list(row) for row in state.get("rates", [])]
        self.trainer_step = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        given = [s.h.lr for s in self.slots]
        if self.trainer_step == len(self.rates):
            self.rates.append(given)
        for s, rate in zip(self.slots, self.rates[self.trainer_step], strict=True):
            s.h.lr = rate
        super().all(grads)
        for s, rate in zip(self.slots, given, strict=True):
            s.h.lr = rate
        self.trainer_step += 1
