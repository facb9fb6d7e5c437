"""Blind, thirty-second set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fourth_blind_frame import Common, Keras
from register import right
from twelfth_blind_frame import RunningCoupled


@right()
class ThirtySecondBRightBuckets(Common):
    """Apex' FusedAdam over buckets: arrays of one dtype and one setting are a row, stepped together."""

    dialect = "apex.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        buckets: dict[Any, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                key = (s.p.dtype, s.t, s.h.lr, s.h.b1, s.h.b2, s.h.eps, s.h.weight_decay)
                buckets.setdefault(key, []).append((s, self.taken(g)))
        for (_, t, lr, b1, b2, eps, decay), members in buckets.items():
            p, m, v = (np.concatenate([getattr(s, name) for s, _ in members]) for name in ("p", "m", "v"))
            g = np.concatenate([row for _, row in members])
            m *= b1
            m += (1 - b1) * g
            v *= b2
            v += ((1 - b2) * g) * g
            below = np.sqrt(v)
            below /= math.sqrt(1 - b2**t)
            below += eps
            p -= lr * decay * p + (lr / (1 - b1**t)) * (m / below)
            ends = np.cumsum([s.p.size for s, _ in members])[:-1]
            for name, row in (("p", p), ("m", m), ("v", v)):
                for (s, _), part in zip(members, np.split(row, ends), strict=True):
                    setattr(s, name, part.copy())


@right()
class ThirtySecondBRightHolder(RunningCoupled):
    """Paddle's Adam whose state waits for the first step or the next save, beside a scheduler's entry."""

    dialect = "paddle.Adam"

    def begin(self) -> None:
        super().begin()
        self.holder: dict[str, Any] = {}

    def get_state(self) -> dict[str, Any]:
        self.released()
        return {**super().get_state(), "LR_Scheduler": {"last_lr": [s.h.lr for s in self.slots]}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.holder = {name: copy.deepcopy(x) for name, x in state.items() if name != "LR_Scheduler"}

    def released(self) -> None:
        if self.holder:
            super().set_state(self.holder)
        self.holder = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        self.released()
        super().all(grads)


@right()
class ThirtySecondBRightRecords(Frame):
    """AdamW whose arrays are columns of a record array while a step is made, from which they are copied."""

    dialect = "torch.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        kind = s.p.dtype
        table = np.empty(s.p.size, [(name, kind) for name in ("p", "g", "m", "v")])
        for name, row in (("p", s.p), ("g", g), ("m", s.m), ("v", s.v)):
            table[name] = row
        c1, c2 = corrections(s.h, s.t)
        table["m"] += (1 - s.h.b1) * (table["g"] - table["m"])
        table["v"] = s.h.b2 * table["v"] + table["g"] * ((1 - s.h.b2) * table["g"])
        scale = math.sqrt(c2)
        table["p"] *= 1 - s.h.lr * s.h.weight_decay
        table["p"] -= (s.h.lr * scale / c1) * (table["m"] / (np.sqrt(table["v"]) + s.h.eps * scale))
        s.p, s.m, s.v = (table[name].copy() for name in ("p", "m", "v"))


@right()
class ThirtySecondBRightRowsOfMatrix(Keras):
    """Keras' AdamW on one matrix for each array: its rows are the parameter and both moments."""

    dialect = "keras.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        matrix = np.stack([s.p, s.m, s.v])
        with_g = np.stack([g, ((1 - s.h.b2) * g) * g])
        matrix[1] = s.h.b1 * matrix[1] + (1 - s.h.b1) * with_g[0]
        matrix[2] = s.h.b2 * matrix[2] + with_g[1]
        alpha = s.h.lr * math.sqrt(c2) / c1
        decayed = matrix[0] - matrix[0] * (s.h.lr * s.h.weight_decay)
        matrix[0] = decayed - alpha * (matrix[1] / (np.sqrt(matrix[2]) + s.h.eps))
        s.p, s.m, s.v = (row.copy() for row in matrix)
