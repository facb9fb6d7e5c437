"""Blind, twenty-sixth set: right Adams in NumPy, in the styles of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Dozat
from fourth_blind_frame import Common, Hat, Optax
from register import right

Rule = Callable[[Slot, Array], Array]


@right(claim="torch.AdamW")
class TwentySixthRightRecords(Frame):
    """AdamW over records of parameter and both moments, whose fields are strided views of one buffer."""

    def update(self, s: Slot, g: Array) -> None:
        h, real = s.h, s.p.dtype
        table = np.empty(s.p.size, [("p", real), ("m", real), ("v", real)])
        for name, a in (("p", s.p), ("m", s.m), ("v", s.v)):
            table[name] = a
        p, m, v = table["p"], table["m"], table["v"]
        c1, c2 = corrections(h, s.t)
        p *= 1 - h.lr * h.weight_decay
        m *= h.b1
        m += (1 - h.b1) * g
        v *= h.b2
        v += ((1 - h.b2) * g) * g
        p -= (h.lr / c1) * (m / (np.sqrt(v) / math.sqrt(c2) + h.eps))
        s.p, s.m, s.v = p.copy(), m.copy(), v.copy()


@right(claim="fairseq.Adam")
class TwentySixthRightScratch(Hat):
    """fairseq's Adam by universal functions that write to a scratch row, which is allocated once for each."""

    def begin(self) -> None:
        self.scratch = [np.empty_like(s.p) for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2), row = s.h, corrections(s.h, s.t), self.scratch[s.index]
        s.p, s.m, s.v = s.p.copy(), s.m.copy(), s.v.copy()
        np.multiply(g, 1 - h.b1, out=row)
        np.add(np.multiply(s.m, h.b1, out=s.m), row, out=s.m)
        np.multiply(np.multiply(g, 1 - h.b2, out=row), g, out=row)
        np.add(np.multiply(s.v, h.b2, out=s.v), row, out=s.v)
        np.add(np.sqrt(s.v, out=row), h.eps, out=row)
        np.divide(s.m, row, out=row)
        np.multiply(row, h.lr * math.sqrt(c2) / c1, out=row)
        np.multiply(s.p, 1 - h.lr * h.weight_decay, out=s.p)
        np.subtract(s.p, row, out=s.p)


@right(claim="optax.adamw")
class TwentySixthRightChain(Optax):
    """optax' AdamW as a chain of rules, each of which takes an update and gives the next one."""

    def update(self, s: Slot, g: Array) -> None:
        chain: tuple[Rule, ...] = (self.by_adam, self.with_decay, self.by_rate)
        x = g
        for rule in chain:
            x = rule(s, x)
        s.p = s.p + x

    def by_adam(self, s: Slot, x: Array) -> Array:
        s.m = (1 - s.h.b1) * x + s.h.b1 * s.m
        s.v = ((1 - s.h.b2) * x) * x + s.h.b2 * s.v
        c1, c2 = corrections(s.h, s.t)
        root = np.sqrt(s.v + c2 * s.h.eps_root) / math.sqrt(c2)
        return (s.m / c1) / (root + s.h.eps)

    def with_decay(self, s: Slot, x: Array) -> Array:
        return x + s.h.weight_decay * s.p

    def by_rate(self, s: Slot, x: Array) -> Array:
        return -s.h.lr * x


@right(claim="apex.FusedAdam")
class TwentySixthRightRaisedOutside(Common):
    """Apex' AdamW: the common step is raised once, before arrays of a dtype are stepped as one long row."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            s.t += 1
        kinds: dict[tuple[Any, ...], list[Slot]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                kinds.setdefault((s.p.dtype.char, *vars(s.h).values(), s.t), []).append(s)
        for members in kinds.values():
            self.long(members, np.concatenate([self.taken(np.asarray(grads[s.index])) for s in members]))

    def long(self, members: list[Slot], g: Array) -> None:
        h, (c1, c2) = members[0].h, corrections(members[0].h, members[0].t)
        p, m, v = (np.concatenate([getattr(s, name) for s in members]) for name in "pmv")
        m = h.b1 * m + (1 - h.b1) * g
        v = h.b2 * v + ((1 - h.b2) * g) * g
        update = (m / c1) / (np.sqrt(v) / math.sqrt(c2) + h.eps) + h.weight_decay * p
        p = p - h.lr * update
        ends = np.cumsum([s.p.size for s in members])[:-1]
        for name, row in zip("pmv", (p, m, v), strict=True):
            for s, part in zip(members, np.split(row, ends), strict=True):
                setattr(s, name, part.copy())


@right(claim="torch.NAdam")
class TwentySixthRightTwoSteps(Dozat):
    """PyTorch's NAdam in two moves, by the gradient and then by the moment, over one denominator."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        grad = g + h.weight_decay * s.p if h.weight_decay else g
        self.learn(s, grad)
        mu, mu_next = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        denom = np.sqrt(s.v) / math.sqrt(1 - h.b2**s.t) + h.eps
        for row, weight in ((grad, (1 - mu) / (1 - s.mu)), (s.m, mu_next / (1 - s.mu * mu_next))):
            s.p = s.p - (h.lr * weight) * (row / denom)
