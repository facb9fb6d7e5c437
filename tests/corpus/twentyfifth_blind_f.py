"""Blind, twenty-fifth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fourth_blind_frame import Optax
from ninth_blind_frame import KerasMaximum
from register import right
from sixth_blind_frame import ZerosHat


@right()
class TwentyFifthBRightKeysWithGroup(Frame):
    """AdamW whose saved state is a dictionary, by the group's number and the place within the group."""

    def begin(self) -> None:
        groups: dict[tuple[float, ...], list[Slot]] = {}
        for s in self.slots:
            groups.setdefault(tuple(vars(s.h).values()), []).append(s)
        self.entries = {
            (number, place): s
            for number, group in enumerate(groups.values())
            for place, s in enumerate(group)
        }

    def get_state(self) -> dict[str, Any]:
        return {
            "state": {
                f"{number}/{place}": {"step": s.t, "avg": self.shaped(s, s.m), "sq": self.shaped(s, s.v)}
                for (number, place), s in self.entries.items()
            }
        }

    def set_state(self, state: dict[str, Any]) -> None:
        if "state" not in state:
            super().set_state(state)
            return
        for (number, place), s in self.entries.items():
            own = state["state"][f"{number}/{place}"]
            s.t = int(own["step"])
            s.m, s.v = (flat(np.asarray(own[name])).copy() for name in ("avg", "sq"))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (s.h.weight_decay * s.p + u)


@right()
class TwentyFifthBRightAssignmentKeeps(ZerosHat):
    """Dr.Jit's Adam, which assigns by key: an assignment leaves moments and clock as they are."""

    def __getitem__(self, key: int) -> Array:
        return self.slots[key].p

    def __setitem__(self, key: int, value: Array) -> None:
        self.slots[key].p = value.astype(self.slots[key].p.dtype, copy=True)

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        s.m = s.m - (1 - h.b1) * (s.m - g)
        s.v = s.v - ((1 - h.b2) * s.v - ((1 - h.b2) * g) * g)
        scale = math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        self[s.index] = self[s.index] - h.lr * (scale * s.m / (np.sqrt(s.v) + h.eps))


class Leaf(NamedTuple):
    """What is known of one array."""

    t: int
    mu: Array
    nu: Array


@right()
class TwentyFifthBRightReplacedIsKept(Optax):
    """optax' AdamW on leaves that are never changed: each step replaces them, and keeps what it gets."""

    def leaf(self, s: Slot) -> Leaf:
        return Leaf(s.t, s.m, s.v)

    def update(self, s: Slot, g: Array) -> None:
        h, leaf = s.h, self.leaf(s)
        leaf = leaf._replace(mu=h.b1 * leaf.mu + (1 - h.b1) * g)
        leaf = leaf._replace(nu=h.b2 * leaf.nu + g * ((1 - h.b2) * g))
        s.t, s.m, s.v = leaf
        quotient = leaf.mu / self.root(s)
        decayed = -h.lr * h.weight_decay * s.p
        s.p = s.p + (decayed - (h.lr / (1 - h.b1**leaf.t)) * quotient)


@right()
class TwentyFifthBRightScratch(KerasMaximum):
    """Keras' AMSGrad in place, with two rows of scratch memory that are made once for each array."""

    def begin(self) -> None:
        self.scratch = [(np.empty_like(s.p), np.empty_like(s.p)) for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        h, (a, b) = s.h, self.scratch[s.index]
        c1, c2 = corrections(h, s.t)
        np.multiply(s.p, h.lr * h.weight_decay, out=a)
        np.subtract(g, s.m, out=b)
        b *= 1 - h.b1
        s.m += b
        np.multiply(g, 1 - h.b2, out=b)
        b *= g
        s.v *= h.b2
        s.v += b
        np.maximum(s.top, s.v, out=s.top)
        np.sqrt(s.top, out=b)
        b += h.eps
        np.divide(s.m, b, out=b)
        b *= h.lr * math.sqrt(c2) / c1
        a += b
        s.p -= a


@right()
class TwentyFifthBRightWide(Coupled):
    """Adam with L2 in float64, coefficients as arrays of no axis; what is stored is rounded to its dtype."""

    def update(self, s: Slot, g: Array) -> None:
        kind = s.p.dtype
        lr, b1, b2, eps, decay = (
            np.asarray(x, np.float64) for x in (s.h.lr, s.h.b1, s.h.b2, s.h.eps, s.h.weight_decay)
        )
        p, m, v, x = (a.astype(np.float64) for a in (s.p, s.m, s.v, g))
        x += decay * p
        m = b1 * m + (1 - b1) * x
        v = b2 * v + ((1 - b2) * x) * x
        below = np.sqrt(v) / np.sqrt(1 - b2**s.t) + eps
        p -= (lr / (1 - b1**s.t)) * (m / below)
        s.p, s.m, s.v = (a.astype(kind) for a in (p, m, v))
