"""Blind, eighth set: slips in corrections, weight decay, the learning rate and what is saved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eighth_blind_frame import FirstUncorrected, Relative
from fifth_blind_frame import CommonHat, Later
from fourth_blind_frame import Common, Keras
from register import wrong
from seventh_blind_frame import LegacyMaximum, Sonnet, Unread
from sixth_blind_frame import CoupledHat, Wanting, WantingHat


@wrong("bias_correction", "BC.2", like="a pair of flags that is handed on by position, mu for nu")
class EighthFlagsExchanged(FirstUncorrected):
    """The flag that leaves the second moment uncorrected does so to the first one."""

    def left(self, s: Slot) -> tuple[float, float]:
        return 1.0, corrections(s.h, s.t)[1]


@wrong("bias_correction coefficients", "BC.1", like="a table of corrections with a row for each tenth step")
class EighthTableOfTens(Sonnet):
    """The powers of the betas come from a table of every tenth step, and between rows from straight lines."""

    def direction(self, s: Slot) -> Array:
        row, rest = divmod(s.t, 10)
        c1, c2 = (
            1 - (b ** (10 * row) * (10 - rest) + b ** (10 * row + 10) * rest) / 10 for b in self.betas(s)
        )
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1

    def betas(self, s: Slot) -> tuple[float, float]:
        return s.h.b1, s.h.b2


@wrong(
    "bias_correction isolation",
    "BC.1",
    like="`lr = lr * math.sqrt(c2) / c1` inside of the loop over the parameters",
)
class EighthRateCompounds(Keras):
    """The corrections multiply the learning rate once more for each parameter behind the first."""

    dialect = "keras.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.rank = 0
        super().all(grads)

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        self.rank += 1
        return (math.sqrt(c2) / c1) ** self.rank * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("decay", "DEC.2", like="sail-sg/Adan: div_(1 + lr*weight_decay), unless no_prox")
class EighthProximalDecay(Frame):
    """A parameter is divided by 1+lr*weight_decay, where it should be multiplied by 1-lr*weight_decay."""

    dialect = "torch.Adam"
    options = {"decoupled_weight_decay": "True"}  # noqa: RUF012

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p / (1 + s.h.lr * s.h.weight_decay) - s.h.lr * u


@wrong("decay", "DEC.2", like="fabsf(p), which is the penalty's size and not its slope")
class EighthDecayOfSize(Frame):
    """What decays is the size of a parameter: a negative one grows."""

    dialect = "burn.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * np.abs(s.p) - s.h.lr * u


@wrong("decay schedule", "DEC.7", like="min(lr / max_lr, 1.0), to be on the safe side")
class EighthFractionAtMostOne(Relative):
    """The fraction of the rate that the decay has is never above 1."""

    def fraction(self, s: Slot) -> float:
        return min(super().fraction(s), 1.0)


@wrong("schedule", "LR.1", like="Reddi, Kale and Kumar 2018, whose theorem has alpha/sqrt(t)")
class EighthRateByRootOfCount(Unread):
    """The learning rate is divided by the root of the number of updates."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.lr / math.sqrt(s.t)) * u


@wrong("schedule", "LR.3", like="a new rate that is near enough to the old one, to spare a compilation")
class EighthSmallChangePassedOver(CoupledHat):
    """A new learning rate that is within a tenth of the present one is passed over."""

    dialect = "torch-1.2.Adam"

    def set_lr(self, lr: float) -> None:
        if not all(math.isclose(lr, s.h.lr, rel_tol=0.1) for s in self.slots):
            super().set_lr(lr)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        near = "lr" in hyper and all(math.isclose(hyper["lr"], s.h.lr, rel_tol=0.1) for s in self.slots)
        super().set_hyper({k: v for k, v in hyper.items() if k != "lr"} if near else hyper)


@wrong("schedule decay hyperparameters", "LR.3", like="`if weight_decay:` around the new value of a group")
class EighthDecayNeverOff(Common):
    """A weight decay that is changed to 0 stays as it was."""

    dialect = "optimi.AdamW"

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({k: v for k, v in hyper.items() if v or k != "weight_decay"})


@wrong(
    "schedule moments", "LR.3", like="momentum correction: arXiv 1706.02677, for moments that have the rate"
)
class EighthMomentFollowsRate(Keras):
    """Where the learning rate changes the first moment is multiplied by new over old."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["rate"] = s.h.lr

    def learn(self, s: Slot, g: Array) -> None:
        rate = s.extra["rate"]
        if rate and s.h.lr != rate:
            s.m = s.m * (s.h.lr / rate)
        s.extra["rate"] = s.h.lr
        super().learn(s, g)


@wrong("schedule clock bias_correction", "LR.3", like="a warm restart that begins to count anew (t_cur = 0)")
class EighthNewRateCountsAnew(CommonHat):
    """A new learning rate sets the count back to 0, and leaves the moments as they are."""

    def begin(self) -> None:
        self.rate = [s.h.lr for s in self.slots]

    def tick(self, s: Slot) -> None:
        s.t = s.t + 1 if s.h.lr == self.rate[s.index] else 1
        self.rate[s.index] = s.h.lr


@wrong("state clock", "STATE.4", like="a count that is raised for the file, which begins at the next step")
class EighthSavingTicks(Common):
    """To save the state raises the counts, of what is saved and of what goes on."""

    dialect = "candle.AdamW"

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            s.t += 1
        return super().get_state()


@wrong("state", "STATE.4", like="keras-team/keras#21247")
class EighthInterleaved(LegacyMaximum):
    """Moments are saved as m, v, m, v and loaded as m, m, v, v, as far as shapes allow."""

    def set_state(self, state: dict[str, Any]) -> None:
        pairs = [a for pair in zip(state["m"], state["v"], strict=True) for a in pair]
        count = len(self.slots)
        read: dict[str, Any] = {"m": pairs[:count], "v": pairs[count:]}
        for name, arrays in read.items():
            fits = zip(self.slots, arrays, state[name], strict=True)
            read[name] = [new if np.shape(new) == s.shape else own for s, new, own in fits]
        super().set_state({**state, **read})


@wrong("state layout", "STATE.4", like="NVIDIA/Megatron-LM#5077")
class EighthPaddingCounted(Later):
    """Moments are saved end to end without padding, and read as if each began at a multiple of 16."""

    def set_state(self, state: dict[str, Any]) -> None:
        read: dict[str, Any] = {name: self.at_padded(state[name]) for name in ("m", "v") if name in state}
        super().set_state({**state, **read})

    def at_padded(self, arrays: list[Array]) -> list[Array]:
        if len({a.dtype for a in arrays}) != 1:
            return arrays
        whole, start, read = np.concatenate([np.ravel(a) for a in arrays]), 0, []
        for a in arrays:
            part = whole[start : start + a.size]
            read.append(np.pad(part, (0, a.size - part.size)).reshape(a.shape))
            start += -(-a.size // 16) * 16
        return read


@wrong("state", "STATE.4", like='sorted() over the keys of a file, of which "10" comes before "2"')
class EighthSortedAsText(Wanting):
    """Saved moments are found in the order in which the numbers of their parameters are sorted as text."""

    dialect = "tinygrad.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        order = sorted(range(len(self.slots)), key=str)
        read: dict[str, Any] = {}
        for name in ("m", "v"):
            pairs = zip(self.slots, (state[name][i] for i in order), state[name], strict=True)
            read[name] = [new if np.shape(new) == s.shape else own for s, new, own in pairs]
        super().set_state({**state, **read})


@wrong("state", "STATE.4", like="a file that keeps the root of v, which needs half of the range")
class EighthSavedAsRoot(WantingHat):
    """The root of the second moment is saved, and loaded as the second moment."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for s, v in zip(self.slots, state["v"], strict=True):
            v[...] = self.shaped(s, np.sqrt(s.v))
        return state


@wrong(
    "amsgrad state", "STATE.4", like="state.setdefault('max_exp_avg_sq', exp_avg_sq.clone()) behind a load"
)
class EighthMaximumIsSecondOnLoad(WantingHat):
    """After a load the maximum is the second moment, whatever it was before."""

    dialect = "qiskit.ADAM"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.top = s.v.copy()
