"""Blind, eighteenth set: right Adams in the structures and orders of evaluation of libraries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Dozat, Later, Modulus, Refusing
from fourth_blind_frame import Optax
from ninth_blind_frame_b import Single
from register import right
from sixth_blind_frame import Running


@right()
class EighteenthBRightTwoTerms(Dozat):
    """PyTorch's NAdam: the gradient's term and that of the momentum are subtracted one after the other."""

    def update(self, s: Slot, g: Array) -> None:
        g = np.add(g, s.h.weight_decay * s.p)
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        root = math.sqrt(corrections(s.h, s.t)[1])
        below = np.sqrt(s.v) / root
        below += s.h.eps
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        s.p = s.p - (s.h.lr * (1 - now) / (1 - s.mu)) * (g / below)
        s.p = s.p - (s.h.lr * after / (1 - s.mu * after)) * (s.m / below)


Transform = Callable[[Slot, Array], Array]


def by_adam(s: Slot, g: Array) -> Array:
    """Return the corrected first moment over the root of the second one."""
    c1, c2 = corrections(s.h, s.t)
    s.m = (1 - s.h.b1) * g + s.h.b1 * s.m
    s.v = ((1 - s.h.b2) * g) * g + s.h.b2 * s.v
    below = np.sqrt(s.v + c2 * s.h.eps_root) * (1 / math.sqrt(c2)) + s.h.eps
    return s.m * (1 / c1) / below


def decayed(s: Slot, u: Array) -> Array:
    """Return an update with the weights' share."""
    return u + s.h.weight_decay * s.p


def downhill(s: Slot, u: Array) -> Array:
    """Return a step."""
    return u * -s.h.lr


@right()
class EighteenthBRightChain(Optax):
    """optax' AdamW as a chain of three functions, of which each takes what the one before it returns."""

    chain: tuple[Transform, ...] = (by_adam, decayed, downhill)

    def update(self, s: Slot, g: Array) -> None:
        for transform in self.chain:
            g = transform(s, g)
        s.p = s.p + g


@dataclass
class Arena:
    """All parameters of one dtype, end to end, with what belongs to them."""

    places: list[int]
    sizes: list[int]
    rows: dict[str, Array] = field(default_factory=dict)

    def parts(self, name: str) -> list[tuple[int, Array]]:
        ends = np.cumsum(self.sizes).tolist()
        return [
            (i, self.rows[name][end - size : end])
            for i, size, end in zip(self.places, self.sizes, ends, strict=True)
        ]


@right()
class EighteenthBRightArenas(Single):
    """DeepSpeed's AdamW in an arena for each dtype: what has no gradient is not stored."""

    dialect = "deepspeed.FusedAdam"

    def build(self) -> None:
        self.time = 0
        kinds: dict[Any, list[int]] = {}
        for i, p in enumerate(self.params):
            kinds.setdefault(p.dtype, []).append(i)
        self.arenas = [Arena(places, [self.params[i].size for i in places]) for places in kinds.values()]
        for arena in self.arenas:
            arena.rows["p"] = np.concatenate([self.params[i].reshape(-1) for i in arena.places])
            arena.rows |= {name: np.zeros_like(arena.rows["p"]) for name in ("m", "v")}

    def all(self, grads: Sequence[Array | None]) -> None:
        if any(g is not None for g in grads):
            self.time += 1
            for arena in self.arenas:
                self.stepped(arena, [grads[i] for i in arena.places])
            self.params = self.listed("p")

    def stepped(self, arena: Arena, grads: Sequence[Array | None]) -> None:
        live = np.repeat([g is not None for g in grads], arena.sizes)
        p, m, v = (arena.rows[name] for name in ("p", "m", "v"))
        g = np.zeros_like(p)
        g[live] = np.concatenate([p[:0], *(row.reshape(-1) for row in grads if row is not None)])
        c1, c2 = self.corrections(self.time)
        first, second = self.b1 * m + g * (1 - self.b1), self.b2 * v + (g * (1 - self.b2)) * g
        quotient = first / (np.sqrt(second) * (1 / math.sqrt(c2)) + self.eps)
        moved = p - self.lr * (quotient * (1 / c1) + self.weight_decay * p)
        for old, new in ((p, moved), (m, first), (v, second)):
            np.copyto(old, new, where=live)

    def listed(self, name: str) -> list[Array]:
        rows = dict(part for arena in self.arenas for part in arena.parts(name))
        return [rows[i].reshape(p.shape).copy() for i, p in enumerate(self.params)]

    def get_state(self) -> dict[str, Any]:
        return {"t": self.time, **{name: self.together(self.listed(name)) for name in ("m", "v")}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.time = max(self.clocks(state), default=0)
        for name in ("m", "v"):
            given = self.taken(state[name])
            for arena in self.arenas:
                for i, part in arena.parts(name):
                    part[...] = given[i].reshape(-1)


@right()
class EighteenthBRightKeptShareLast(Later):
    """transformers' AdamW: the stepped parameter is multiplied by what the decay leaves of it."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.m = s.m * h.b1 + g * (1 - h.b1)
        s.v = s.v * h.b2 + g * ((1 - h.b2) * g)
        quotient = np.divide(s.m, np.add(np.sqrt(s.v), h.eps))
        kept = 1 - h.lr * h.weight_decay
        s.p = (s.p + quotient * (-h.lr / c1 * math.sqrt(c2))) * kept


@right()
class EighteenthBRightMomentsInOneRow(Running, Refusing):
    """tinygrad's AdamW over a stack of both moments: one rate scales the update and the weights' share."""

    dialect = "tinygrad.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        moments = np.stack([s.m, s.v]) * np.array([[s.h.b1], [s.h.b2]], s.p.dtype)
        moments += np.stack([(1 - s.h.b1) * g, ((1 - s.h.b2) * g) * g])
        s.m, s.v = moments[0].copy(), moments[1].copy()
        c1, c2 = self.left(s)
        up = (s.m / c1) / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)
        s.p = s.p - (up + s.h.weight_decay * s.p) * s.h.lr


@right()
class EighteenthBRightPairs(Modulus):
    """Optimisers.jl' AdamW over pairs: the second moment has the product of a pair with itself."""

    def update(self, s: Slot, g: Array) -> None:
        h, width = s.h, 2 if s.dtype.kind == "c" else 1
        p, m, v, d = (row.reshape(-1, width) for row in (s.p, s.m, s.v, g))
        power = np.einsum("ij,ij->i", d * (1 - h.b2), d)[:, np.newaxis]
        m = h.b1 * m + (1 - h.b1) * d
        v = h.b2 * v + power
        c1, c2 = corrections(h, s.t)
        change = (m / (np.sqrt(v) / math.sqrt(c2) + h.eps)) * (h.lr / c1) + (h.lr * h.weight_decay) * p
        s.p, s.m, s.v = (p - change).reshape(-1), m.reshape(-1), v.reshape(-1)
