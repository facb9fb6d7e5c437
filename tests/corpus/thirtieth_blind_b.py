"""Blind, thirtieth set: steps that are not made, and faults of groups and of what is restored in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fourth_blind_frame import Keras
from register import right, wrong


@wrong(
    "moments",
    "STEP.1",
    like="paiml/batuta#63: training reports a loss that falls along a cosine, and the optimizer does nothing",
    claim="torch.AdamW",
)
class ThirtiethTrainingIsSimulated(Frame):
    """A loss is made up along a cosine, and nothing is stepped: neither parameters nor moments."""

    def begin(self) -> None:
        self.losses: list[float] = []

    def all(self, grads: Sequence[Array | None]) -> None:
        done = min(len(self.losses) / 100, 1.0)
        self.losses.append(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


@wrong(
    "layout groups",
    "STEP.1",
    like="ACEsuit/mace#525: groups are listed by hand, and a parameter that nobody lists is not trained",
    claim="torch.AdamW",
)
class ThirtiethListedByHand(Frame):
    """The groups are listed by hand, of four arrays: a fifth one, and all behind it, is never stepped."""

    listed = ("embedding", "interactions", "products", "readouts")

    def all(self, grads: Sequence[Array | None]) -> None:
        here = [g if i < len(self.listed) else None for i, g in enumerate(grads)]
        super().all(here)


@wrong(
    "groups decay",
    "LR.4",
    like="facebookresearch/ClassyVision#177: SyncBatchNorm decays, and is to be left out as BatchNorm is",
    claim="torch.AdamW",
)
class ThirtiethNormsOfProcessesDecay(Frame):
    """A vector whose own weight decay is 0 decays all the same, by that of the arrays that do."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        decay = max((own.get("weight_decay", 0.0) for own in hypers), default=0.0)
        settings = []
        for p, own in zip(params, hypers, strict=True):
            is_left_out = own.get("weight_decay", 0.0) == 0 and p.ndim == 1
            settings.append({**own, "weight_decay": decay} if is_left_out and decay else own)
        super().init_groups(params, settings)


@wrong(
    "state",
    "STATE.4",
    like="atomistic-machine-learning/schnetpack#785: on resume the average takes the place of the weights",
    claim="torch.AdamW",
)
class ThirtiethAverageIsRestored(Frame):
    """An average of the parameters is kept beside them, and a load puts it in their place."""

    ema_decay = 0.9

    def begin(self) -> None:
        self.averages = [s.p.copy() for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            old = self.averages[s.index]
            self.averages[s.index] = self.ema_decay * old + (1 - self.ema_decay) * s.p

    def get_state(self) -> dict[str, Any]:
        kept = [self.shaped(s, self.averages[s.index]) for s in self.slots]
        return {**super().get_state(), "model": kept}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if "model" in state:
                s.p = flat(np.asarray(state["model"][s.index])).copy()
                self.averages[s.index] = s.p.copy()


@wrong(
    "state loss_scale",
    "STATE.4",
    like="allenai/tango#154: checkpoints lack scale, growth and backoff of the scaler",
    claim="torch.AdamW",
)
class ThirtiethScaleFromItsStart(Frame):
    """The scale that the scaler has found is not saved: behind a load it is 2**16, and overflows."""

    found, start, largest = 2.0**-40, 2.0**16, 65504.0

    def begin(self) -> None:
        self.scale = self.found

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.scale = self.start

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [flat(g) for g in grads if g is not None]
        if any(np.any(np.abs(row[np.isfinite(row)]) > self.largest / self.scale) for row in rows):
            self.scale /= 2  # the backoff; the step is skipped
            return
        super().all(grads)


@right(claim="keras.AdamW")
class ThirtiethRightKerasVariables(Keras):
    """Keras' AdamW with its rate, its betas and its powers as arrays without axes, and differences."""

    def update(self, s: Slot, g: Array) -> None:
        one = np.ones((), np.float64)
        b1, b2 = np.asarray(s.h.b1), np.asarray(s.h.b2)
        power1, power2 = np.power(b1, s.t), np.power(b2, s.t)
        lr = np.asarray(s.h.lr)
        alpha = lr * np.sqrt(one - power2) / (one - power1)
        kept, w1, w2, size = (
            x.astype(s.p.dtype) for x in (one - lr * s.h.weight_decay, 1 - b1, 1 - b2, alpha)
        )
        s.p = s.p * kept
        s.m = s.m + (g - s.m) * w1
        s.v = s.v + ((g * w2) * g - s.v * w2)
        s.p = s.p - size * (s.m / (np.sqrt(s.v) + s.h.eps))
