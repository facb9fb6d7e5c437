"""The frames of the ninth blind set, second half: one that wants every gradient, a base for right ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import FIVE, Array
from fourth_blind_frame import FOUR, Common


class Wanting(Common):
    """Algorithm 1 without decay, to which every gradient has to be given."""

    dialect = "warp.Adam"
    hyper = FOUR

    def admit(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)


class Single:
    """What right Adams without slots share: their parameters, and one set of hyperparameters."""

    dialect: ClassVar[str]
    hyper: ClassVar[tuple[str, ...]] = FIVE
    complex: ClassVar[bool] = True
    absent: ClassVar[bool] = True

    lr: float
    b1: float
    b2: float
    eps: float
    weight_decay: float = 0.0

    def init(self, params: Sequence[Array], hyper: dict[str, float]) -> None:
        self.params = [pairs(p) for p in params]
        self.likes = [p.copy() for p in params]
        self.set_hyper(hyper)
        self.build()

    def build(self) -> None:
        """Make the state, where it is not made later."""

    def set_lr(self, lr: float) -> None:
        self.lr = float(lr)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        for name, value in hyper.items():
            setattr(self, name, float(value))

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        with np.errstate(all="ignore"):
            self.all([None if g is None else pairs(g) for g in grads])
        return self.together(self.params)

    def all(self, grads: Sequence[Array | None]) -> None:
        raise NotImplementedError

    def corrections(self, t: int) -> tuple[float, float]:
        return 1 - self.b1**t, 1 - self.b2**t

    def zeros(self) -> list[Array]:
        return [np.zeros_like(p) for p in self.params]

    def together(self, rows: Sequence[Array]) -> list[Array]:
        """Return arrays like the parameters, in memory of their own."""
        return [joined(row, like) for row, like in zip(rows, self.likes, strict=True)]

    def taken(self, rows: Sequence[Array]) -> list[Array]:
        """Return arrays of a state as rows, in memory of their own."""
        return [pairs(np.asarray(row)) for row in rows]

    def clocks(self, state: dict[str, Any]) -> list[int]:
        """Return the clock of each parameter in a state that was saved or given."""
        t = state["t"]
        return [int(x) for x in t] if isinstance(t, list) else [int(t)] * len(self.params)


def wanted(grads: Sequence[Array | None]) -> None:
    """Raise an error where a gradient is absent."""
    if any(g is None for g in grads):
        raise ValueError("a gradient is None")


def pairs(a: Array) -> Array:
    """Return an array of its own, whose last axis has real and imaginary part if it was complex."""
    return np.stack([a.real, a.imag], -1) if np.iscomplexobj(a) else np.array(a, order="C")


def joined(row: Array, like: Array) -> Array:
    """Return what :func:`pairs` has taken apart."""
    if not np.iscomplexobj(like):
        return np.array(row)
    whole = np.empty_like(like)
    whole.real, whole.imag = row[..., 0], row[..., 1]
    return whole
