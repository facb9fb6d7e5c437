"""Blind, twenty-seventh set: right Adams in NumPy, in the styles of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from blind_frame import Array, Coupled, Hyper, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Keras
from register import right
from seventh_blind_frame import Holding


class Record(NamedTuple):
    """An explicit state of one factor."""

    t: int
    first: Array
    second: Array


def stepped(point: Array, g: Array, r: Record, h: Hyper) -> tuple[Array, Record]:
    """Return a new point and a new record; nothing is written to."""
    t = r.t + 1
    first = r.first * h.b1 + g * (1 - h.b1)
    second = r.second * h.b2 + (g * (1 - h.b2)) * g
    below = np.sqrt(second) * (1 / math.sqrt(1 - h.b2**t)) + h.eps
    return point - (first / below) * (h.lr / (1 - h.b1**t)), Record(t, first, second)


@right(claim="paper")
class TwentySeventhRightRecord(Plain):
    """Algorithm 1 as a function of a point and an explicit record, of which it returns new ones."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                s.p, (s.t, s.m, s.v) = stepped(s.p, self.taken(g), Record(s.t, s.m, s.v), s.h)


@right(claim="keras.Adam")
class TwentySeventhRightUniqueVariables(Keras):
    """Keras' Adam over a dictionary of variables, in which each is once, with gradients under their keys."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        unique = {f"variable_{s.index}": s for s in self.slots}
        given = {f"variable_{i}": self.taken(g) for i, g in enumerate(grads) if g is not None}
        for s in unique.values():
            self.tick(s)
        for key in reversed(given):
            s, g = unique[key], given[key]
            c1, c2 = corrections(s.h, s.t)
            s.p = s.p - (s.h.weight_decay * s.h.lr) * s.p
            s.m = s.m + (g - s.m) * (1 - s.h.b1)
            s.v = s.v + ((g * (1 - s.h.b2)) * g - s.v * (1 - s.h.b2))
            s.p = s.p - (s.h.lr * math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@right(claim="torch.Adam")
class TwentySeventhRightModeOfLoad(Coupled):
    """Adam with a first moment that is full, or packed in bytes behind a load, which clears the full one."""

    def begin(self) -> None:
        self.full: dict[int, Array] = {}
        self.packed: dict[int, bytes] = {}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.full.clear()
        self.packed = {s.index: s.m.tobytes() for s in self.slots}

    def learn(self, s: Slot, g: Array) -> None:
        if s.index in self.packed:
            self.full[s.index] = np.frombuffer(self.packed.pop(s.index), s.p.dtype).copy()
        m = self.full.setdefault(s.index, np.zeros_like(s.p))
        m *= s.h.b1
        m += (1 - s.h.b1) * g
        s.m = m
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g


@right(claim="deepspeed.FusedAdam")
class TwentySeventhRightStepInGroup(Holding):
    """DeepSpeed's FusedAdam with one step of the group, from which the clocks of a saved state are filled."""

    def begin(self) -> None:
        self.group: dict[str, Any] = {"step": 0}

    def all(self, grads: Sequence[Array | None]) -> None:
        if all(g is None for g in grads):
            return
        self.group["step"] += 1
        for s, g in zip(self.slots, grads, strict=True):
            s.t = self.group["step"]
            if g is not None:
                self.fused(s, self.taken(g), 1 - s.h.b1**s.t, math.sqrt(1 - s.h.b2**s.t))

    def fused(self, s: Slot, g: Array, c1: float, root: float) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        update = (s.m / c1) / (np.sqrt(s.v) / root + s.h.eps) + s.h.weight_decay * s.p
        s.p = s.p - s.h.lr * update

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.group["step"] = max((s.t for s in self.slots), default=0)
