"""Blind, twenty-seventh set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Zeros
from fourth_blind_frame import Keras
from register import right


@right()
class TwentySeventhBRightFactor(Frame):
    """AdamW whose decay gathers in a factor beside the array, which is folded in before the step ends."""

    dialect = "torch.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        factor = 1 - s.h.lr * s.h.weight_decay
        if abs(factor) < 0.25:
            s.p = factor * s.p - s.h.lr * u
            return
        stored = s.p - (s.h.lr / factor) * u
        s.p = factor * stored


@right()
class TwentySeventhBRightClosures(Coupled):
    """Adam with L2, as a closure for each array, made when the array is first stepped; it holds scratch."""

    def begin(self) -> None:
        self.steppers: dict[int, Callable[[Array], None]] = {}

    def update(self, s: Slot, g: Array) -> None:
        if s.index not in self.steppers:
            self.steppers[s.index] = self.stepper(s)
        self.steppers[s.index](g)

    def stepper(self, s: Slot) -> Callable[[Array], None]:
        d, square, below = (np.empty_like(s.p) for _ in range(3))

        def stepped(g: Array) -> None:
            h = s.h
            np.multiply(s.p, h.weight_decay, out=d)
            np.add(d, g, out=d)
            np.multiply(d, 1 - h.b2, out=square)
            np.multiply(square, d, out=square)
            s.v *= h.b2
            s.v += square
            np.multiply(d, 1 - h.b1, out=d)
            s.m *= h.b1
            s.m += d
            np.sqrt(s.v, out=below)
            np.divide(below, math.sqrt(1 - h.b2**s.t), out=below)
            np.add(below, h.eps, out=below)
            np.divide(s.m, below, out=below)
            np.multiply(below, h.lr / (1 - h.b1**s.t), out=below)
            np.subtract(s.p, below, out=s.p)

        return stepped


@right()
class TwentySeventhBRightByName(Keras):
    """Keras' AdamW, whose variables have names, and whose state is a dict by these names."""

    dialect = "keras.AdamW"

    def names(self) -> list[str]:
        return [f"variable_{s.index}" for s in self.slots]

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        saved = {name: {key: whole[key][i] for key in ("t", "m", "v")} for i, name in enumerate(self.names())}
        return {"variables": saved}

    def set_state(self, state: dict[str, Any]) -> None:
        if "variables" in state:
            own = [state["variables"][name] for name in self.names()]
            state = {key: [one[key] for one in own] for key in ("t", "m", "v")}
        super().set_state(state)

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        s.m = s.m + (1 - h.b1) * (g - s.m)
        s.v = s.v * h.b2 + g * (g * (1 - h.b2))
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        decayed = s.p - (h.lr * h.weight_decay) * s.p
        s.p = decayed - rate * s.m / (np.sqrt(s.v) + h.eps)


@right()
class TwentySeventhBRightReversed(Zeros):
    """Chainer's Adam from the last array to the first, each in one table of three rows."""

    dialect = "chainer.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in reversed(self.slots):
            g = grads[s.index]
            s.t += 1
            self.update(s, np.zeros_like(s.p) if g is None else self.taken(g))

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        table = np.stack([s.p, s.m, s.v])
        p, m, v = table
        m *= h.b1
        v *= h.b2
        table[1:] += np.stack([(1 - h.b1) * g, ((1 - h.b2) * g) * g])
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        p -= h.weight_decay * p + rate * (m / (np.sqrt(v) + h.eps))
        s.p, s.m, s.v = (row.copy() for row in table)
