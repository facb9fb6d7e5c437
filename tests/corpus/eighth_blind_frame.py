"""The frames of the eighth blind set: right Adams of dialects that the other frames leave out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Refusing
from fourth_blind_frame import Common, Hat, Uncorrected


class CommonUncorrected(Uncorrected, Common):
    """MLX' AdamW: no correction, and one clock that ticks in every step."""

    dialect = "mlx.AdamW"


class RefusingUnscaled(Refusing, Hat):
    """BrainPy's Adam: epsilon hat, every gradient is wanted, and the decay has no learning rate."""

    dialect = "brainpy.Adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.weight_decay * s.p - s.h.lr * u


class Relative(Frame):
    """FlashOptim's AdamW, whose decay is multiplied by the learning rate in parts of the greatest one."""

    dialect = "flashoptim.FlashAdamW"
    options = {"decouple_lr": "True"}  # noqa: RUF012
    hyper = (*FIVE, "lr_max")

    def fraction(self, s: Slot) -> float:
        return s.h.lr / s.h.lr_max if s.h.lr_max else 0.0

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.fraction(s) * s.h.weight_decay * s.p - s.h.lr * u


class Ascending(Coupled):
    """torchopt's Adam to maximize: gradients are negated before the penalty joins them."""

    dialect = "torchopt.Adam"
    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, self.turned(s, g))

    def turned(self, s: Slot, g: Array) -> Array:
        return -g


class AscendingDecoupled(Frame):
    """PyTorch's AdamW to maximize."""

    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, self.turned(s, g))

    def turned(self, s: Slot, g: Array) -> Array:
        return -g


class FirstUncorrected(Refusing):
    """optax' AMSGrad with corrections of the second moment alone, or of the first alone."""

    dialect = "optax.amsgrad"
    options = {"bias_correction_nu": "False"}  # noqa: RUF012
    hyper = (*FIVE[:4], "eps_root")
    complex = False

    def left(self, s: Slot) -> tuple[float, float]:
        return corrections(s.h, s.t)[0], 1.0

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        s.top = np.maximum(s.top, s.v / c2)
        return (s.m / c1) / (np.sqrt(s.top + s.h.eps_root) + s.h.eps)


def lengths(grads: Sequence[Array | None]) -> float:
    """Return the sum of the squares of all gradients that are there."""
    return float(sum(np.sum(np.square(np.abs(g), dtype=np.float64)) for g in grads if g is not None))
