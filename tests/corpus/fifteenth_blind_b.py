"""Blind, fifteenth set: two more faults of steps, and right Adams in the ways of some libraries."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from fifth_blind_frame import Refusing
from ninth_blind_frame_b import Single
from register import right, wrong
from sixth_blind_frame import Running
from tenth_blind_frame import interpolated
from tenth_blind_frame_b import Undecayed


@wrong(
    "moments",
    "STEP.1",
    like="SlopDotCash/asi#2349: moments have the error in them, and the caller multiplies the step by it",
)
class FifteenthErrorOfBiasAgain(Undecayed):
    """The step of an array is multiplied by its error: minus the first number of the gradient, the bias'."""

    def update(self, s: Slot, g: Array) -> None:
        self.error = -float(g[0]) if g.size else 0.0
        super().update(s, g)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + self.error * (s.h.lr * u)


@wrong(
    "decay",
    "DEC.5",
    like="rohitg00/ai-engineering-from-scratch#17: params -= lr * wd * params stands behind the Adam step",
)
class FifteenthDecaysTheNew(Frame):
    """The parameter decays after its step, which shrinks the step as well."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p


@right()
class FifteenthRightOneBuffer(Frame):
    """Megatron's way: all parameters of a dtype are one buffer, whose coefficients are spread over it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        stepped = [(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s, _ in stepped:
            s.t += 1
        for dtype in {s.p.dtype for s, _ in stepped}:
            self.buffer([(s, g) for s, g in stepped if s.p.dtype == dtype], dtype)

    def buffer(self, stepped: list[tuple[Slot, Array]], dtype: np.dtype[Any]) -> None:
        ends = np.cumsum([s.p.size for s, _ in stepped])[:-1]
        sizes = [s.p.size for s, _ in stepped]

        def spread(numbers: list[float]) -> Array:
            return np.repeat(np.array(numbers, np.float64), sizes).astype(dtype)

        p, m, v = (np.concatenate([getattr(s, name) for s, _ in stepped]) for name in "pmv")
        g = np.concatenate([g for _, g in stepped])
        both = [corrections(s.h, s.t) for s, _ in stepped]
        w1, w2 = spread([1 - s.h.b1 for s, _ in stepped]), spread([1 - s.h.b2 for s, _ in stepped])
        m = spread([s.h.b1 for s, _ in stepped]) * m + w1 * g
        v = spread([s.h.b2 for s, _ in stepped]) * v + w2 * g * g
        root = np.sqrt(v) * spread([1 / math.sqrt(c2) for _, c2 in both]) + spread(
            [s.h.eps for s, _ in stepped]
        )
        p *= spread([1 - s.h.lr * s.h.weight_decay for s, _ in stepped])
        p -= spread([s.h.lr / c1 for (s, _), (c1, _) in zip(stepped, both, strict=True)]) * (m / root)
        for name, whole in zip("pmv", (p, m, v), strict=True):
            for (s, _), part in zip(stepped, np.split(whole, ends), strict=True):
                setattr(s, name, part.copy())


@right()
class FifteenthRightPowersInState(Running, Refusing):
    """tinygrad's AdamW: running powers, both estimates formed, and the decay joins the update."""

    dialect = "tinygrad.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (u + s.h.weight_decay * s.p)

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return np.asarray((s.m / c1) / (np.sqrt(s.v / c2) + s.h.eps))


@right()
class FifteenthRightNoMomentsYet(Single):
    """burn's AdamW: a parameter has a record from its first gradient on, which are the moments' shares."""

    dialect = "burn.AdamW"

    def build(self) -> None:
        self.records: list[tuple[int, Array, Array] | None] = [None for _ in self.params]

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, g in enumerate(grads):
            if g is not None:
                self.one(i, g)

    def one(self, i: int, g: Array) -> None:
        m, v, record = g * (1 - self.b1), g * (1 - self.b2) * g, self.records[i]
        if record is not None:
            m, v = record[1] * self.b1 + m, record[2] * self.b2 + v
        t = 1 if record is None else record[0] + 1
        self.records[i] = t, m, v
        c1, c2 = self.corrections(t)
        delta = m / c1 / (np.sqrt(v) / math.sqrt(c2) + self.eps)
        kept = self.params[i] * (1 - self.lr * self.weight_decay)
        self.params[i] = kept - delta * self.lr

    def get_state(self) -> dict[str, Any]:
        whole = [
            r or (0, np.zeros_like(p), np.zeros_like(p))
            for r, p in zip(self.records, self.params, strict=True)
        ]
        m, v = self.together([r[1] for r in whole]), self.together([r[2] for r in whole])
        return {"t": [r[0] for r in whole], "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        rows = zip(self.clocks(state), self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.records = [(t, m, v) if t else None for t, m, v in rows]


@right()
class FifteenthRightCoroutines(Frame):
    """candle's AdamW in coroutines: each parameter waits for its gradient, and for the common clock."""

    dialect = "candle.AdamW"

    def begin(self) -> None:
        self.running = [self.life(s) for s in self.slots]
        for life in self.running:
            next(life)

    def life(self, s: Slot) -> Generator[None, Array | None, None]:
        while True:
            g = yield
            s.t += 1
            if g is None:
                continue
            s.m = interpolated(s.m, g, 1 - s.h.b1)
            s.v = s.h.b2 * s.v + (1 - s.h.b2) * g * g
            c1, c2 = corrections(s.h, s.t)
            rate = s.h.lr / c1 * math.sqrt(c2)
            s.p = (1 - s.h.lr * s.h.weight_decay) * s.p - rate * (
                s.m / (np.sqrt(s.v) + s.h.eps * math.sqrt(c2))
            )

    def all(self, grads: Sequence[Array | None]) -> None:
        for life, g in zip(self.running, grads, strict=True):
            life.send(None if g is None else flat(g))
