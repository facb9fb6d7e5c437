"""Array candidates that get each of two things right alone, and both together wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_adam import Good


class LateRate(Good):
    """A new learning rate reaches only the parameters that have a gradient in that step."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.hypers = [dict(hyper) for _ in params]

    def set_lr(self, lr: float) -> None:
        self.lr: float | None = lr

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        lr, self.lr = getattr(self, "lr", None), None
        if lr is not None:
            self.hypers = [
                h if g is None else {**h, "lr": lr} for h, g in zip(self.hypers, grads, strict=True)
            ]
        return super().step(grads)


class ScalarsForgotten(Good):
    """What is restored of arrays without dimensions is 0."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.m = [m if m.shape else np.zeros_like(m) for m in self.m]


class ScheduledIsNotSaved(Good):
    """A state that is saved once lr was changed is that of before the first step."""

    changed = False

    def set_lr(self, lr: float) -> None:
        self.changed = True
        super().set_lr(lr)

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        if not self.changed:
            return state
        return {"t": [0 for _ in self.t], "m": [0 * m for m in self.m], "v": [0 * v for v in self.v]}


class EpsInSingle(Good):
    """eps is kept in float32."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, {**hyper, "eps": float(np.float32(hyper["eps"]))})


class DecayInSingle(Good):
    """weight_decay is kept in float32."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, {**hyper, "weight_decay": float(np.float32(hyper["weight_decay"]))})


class WantsToWrite(Good):
    """A gradient that cannot be written to is an error."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        if not all(g is None or g.flags.writeable for g in grads):
            raise ValueError("assignment destination is read-only")
        return super().step(grads)


class WantsStrides(Good):
    """A gradient of stride 0 is an error."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        if any(g is not None and g.size and 0 in g.strides for g in grads):
            raise RuntimeError("overlapping memory")
        return super().step(grads)
