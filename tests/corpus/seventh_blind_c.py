"""Blind, seventh set: slips in weight decay, the learning rate and the settings."""

from __future__ import annotations

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Refusing
from fourth_blind_frame import Keras
from register import wrong
from seventh_blind_frame import Cautious, PaperAdamW, Sonnet
from sixth_blind_frame import CoupledHat, WantingCoupledHat


@wrong("decay", "DEC.2", like="a decay of weights that are standardized, which must not move their mean")
class SeventhDecayToMean(Refusing):
    """A parameter decays towards the mean of its array, and not towards 0."""

    dialect = "flax_legacy.Adam"

    def move(self, s: Slot, u: Array) -> None:
        mean = np.mean(s.p, dtype=s.p.dtype) if s.p.size else 0
        s.p = s.p - s.h.lr * s.h.weight_decay * (s.p - mean) - s.h.lr * u


@wrong("decay", "DEC.1", like="tf.norm(w) in a loss, where tf.nn.l2_loss(w) is meant")
class SeventhPenaltyIsNorm(WantingCoupledHat):
    """The penalty is the norm of an array, not half of its square: it pulls at every array as hard."""

    dialect = "mindspore.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        norm = float(np.sqrt(np.sum(np.square(s.p, dtype=np.float64))))
        return g + (s.h.weight_decay / norm) * s.p if norm else g


@wrong("decay schedule", "DEC.3", like="loshchil/AdamW-and-SGDW: the multiplier eta_t, before both terms")
class SeventhMultiplierInDecay(PaperAdamW):
    """The decay is multiplied by what the learning rate is, in parts of the first one."""

    def begin(self) -> None:
        self.first = [s.h.lr for s in self.slots]

    def share(self, s: Slot) -> float:
        first = self.first[s.index]
        return s.h.weight_decay * (s.h.lr / first) if first else s.h.weight_decay


@wrong("missing decay", "F5", like="pytorch/pytorch#3137: decay ** num_inactive_steps")
class SeventhDecayCaughtUp(Frame):
    """When a gradient comes again, the parameter decays for the steps in which there was none."""

    dialect = "torchopt.AdamW"

    def missed(self, s: Slot) -> None:
        s.extra["missed"] = s.extra.get("missed", 0) + 1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay) ** s.extra.pop("missed", 0)
        super().move(s, u)


@wrong("cautious_decay decay", "DEC.6", like="a mask that is made once, and cached with the state")
class SeventhMaskOfFirstStep(Cautious):
    """The mask of what decays is that of the first step, for ever."""

    def mask(self, s: Slot, u: Array) -> Array:
        if "mask" not in s.extra:
            s.extra["mask"] = super().mask(s, u)
        return np.asarray(s.extra["mask"])


@wrong(
    "decay", "DEC.2", like="NVlabs/stylegan2: regularization every sixteenth step, sixteen times as strong"
)
class SeventhLazyDecay(Refusing):
    """A parameter decays in every fourth step, by four times as much."""

    dialect = "llm.c.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        times = 4 if s.t % 4 == 0 else 0
        s.p = s.p - (times * s.h.lr * s.h.weight_decay) * s.p - s.h.lr * u


@wrong("schedule", "LR.3", like="a smooth change of the rate, which a scheduler outside makes already")
class SeventhRateFollowsSlowly(CoupledHat):
    """A new learning rate is come nearer to by a tenth of the way in each step."""

    dialect = "pyro.ClippedAdam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra["rate"] = s.h.lr

    def move(self, s: Slot, u: Array) -> None:
        s.extra["rate"] += 0.1 * (s.h.lr - s.extra["rate"])
        s.p = s.p - s.extra["rate"] * u


@wrong("schedule hyperparameters", "LR.3", like="min_lr of a schedule, taken into the optimizer")
class SeventhRateHasFloor(Keras):
    """A learning rate below 1e-4 is taken for 1e-4."""

    dialect = "transformers4.AdamWeightDecay"

    def move(self, s: Slot, u: Array) -> None:
        rate = max(s.h.lr, 1e-4)
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong("schedule moments", "LR.3", like="a moment that is kept divided by its weight, which is the new one's")
class SeventhNewBetaRescales(Frame):
    """A new first beta rescales the first moment, as if that were a sum without weight."""

    dialect = "paddle.AdamW"

    def set_hyper(self, hyper: dict[str, float]) -> None:
        before = [s.h.b1 for s in self.slots]
        super().set_hyper(hyper)
        for s, b1 in zip(self.slots, before, strict=True):
            s.m = s.m * ((1 - s.h.b1) / (1 - b1))


@wrong("hyperparameters epsilon", "NUM.4", like="std::to_string of each setting, on its way to a worker")
class SeventhSixDecimals(Sonnet):
    """Settings travel as text with six digits behind the point, where an epsilon of 1e-8 is 0."""

    def begin(self) -> None:
        self.set_hyper({})

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        for s in self.slots:
            s.h.read({name: float(f"{getattr(s.h, name):.6f}") for name in self.hyper})
