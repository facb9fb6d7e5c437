"""Blind, twenty-eighth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fifth_blind_frame import Dozat
from fourth_blind_frame import Common, Keras
from register import right


@right()
class TwentyEighthRightListOfVariables(Keras):
    """Keras' AdamW whose variables are one list: the iterations, then a pair of moments for each array."""

    dialect = "keras.AdamW"

    def get_state(self) -> dict[str, Any]:
        variables: list[Any] = [self.slots[0].t if self.slots else 0]
        for s in self.slots:
            variables += [self.shaped(s, s.m), self.shaped(s, s.v)]
        return {"variables": variables}

    def set_state(self, state: dict[str, Any]) -> None:
        if "variables" not in state:
            super().set_state(state)
            return
        variables = iter(state["variables"])
        iterations = int(next(variables))
        for s in self.slots:
            s.t, s.m, s.v = iterations, flat(next(variables)).copy(), flat(next(variables)).copy()

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        s.p = s.p - s.p * (h.weight_decay * h.lr)
        alpha = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        s.m = s.m + (g - s.m) * (1 - h.b1)
        s.v = s.v + (((1 - h.b2) * g) * g - (1 - h.b2) * s.v)
        s.p = s.p - alpha * (s.m / (np.sqrt(s.v) + h.eps))


@right()
class TwentyEighthRightHalves(Frame):
    """AdamW of shards: a row is cut in two halves, each stepped as a rank would, and gathered."""

    dialect = "torch.AdamW"

    def shards(self, s: Slot) -> Iterator[slice]:
        middle = (s.p.size + 1) // 2
        yield from (slice(0, middle), slice(middle, None))

    def update(self, s: Slot, g: Array) -> None:
        h, gathered = s.h, [np.empty_like(s.p) for _ in range(3)]
        for shard in self.shards(s):
            p, m, v, d = s.p[shard], s.m[shard], s.v[shard], g[shard]
            m = h.b1 * m + (1 - h.b1) * d
            v = h.b2 * v + ((1 - h.b2) * d) * d
            below = np.sqrt(v) / math.sqrt(1 - h.b2**s.t) + h.eps
            p = p * (1 - h.lr * h.weight_decay) - (h.lr / (1 - h.b1**s.t)) * (m / below)
            for whole, part in zip(gathered, (p, m, v), strict=True):
                whole[shard] = part
        s.p, s.m, s.v = gathered


@right()
class TwentyEighthRightBucket(Common):
    """Apex' fused Adam over one bucket of all arrays of a dtype and of equal hyperparameters."""

    dialect = "apex.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        buckets: dict[tuple[str, str, int], list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                buckets.setdefault((s.p.dtype.str, str(s.h), s.t), []).append((s, self.taken(g)))
        for pairs in buckets.values():
            self.together([s for s, _ in pairs], np.concatenate([g for _, g in pairs]))

    def together(self, slots: list[Slot], g: Array) -> None:
        h, t = slots[0].h, slots[0].t
        p, m, v = (np.concatenate([getattr(s, name) for s in slots]) for name in ("p", "m", "v"))
        m *= h.b1
        m += (1 - h.b1) * g
        v *= h.b2
        v += g * ((1 - h.b2) * g)
        update = (m / (1 - h.b1**t)) / (np.sqrt(v) / math.sqrt(1 - h.b2**t) + h.eps)
        update += h.weight_decay * p
        p -= h.lr * update
        ends = np.cumsum([s.p.size for s in slots])[:-1]
        for name, row in (("p", p), ("m", m), ("v", v)):
            for s, part in zip(slots, np.split(row, ends), strict=True):
                setattr(s, name, part.copy())


@right()
class TwentyEighthRightAheadInPlace(Dozat):
    """PyTorch's NAdam, whose two terms are subtracted one after the other, in place."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        d = s.p * h.weight_decay
        d += g
        s.m += (1 - h.b1) * (d - s.m)
        s.v *= h.b2
        s.v += ((1 - h.b2) * d) * d
        below = np.sqrt(s.v)
        below /= math.sqrt(1 - h.b2**s.t)
        below += h.eps
        s.p -= (h.lr * (1 - now) / (1 - s.mu)) * (d / below)
        s.p -= (h.lr * after / (1 - s.mu * after)) * (s.m / below)
