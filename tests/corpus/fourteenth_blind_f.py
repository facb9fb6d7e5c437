"""Blind, fourteenth set: right Adams that keep, count and hand out what they have in unusual ways."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Hyper, Slot, corrections
from fifth_blind_frame import Later, Zeros
from ninth_blind_frame_b import Single
from register import right
from sixth_blind_frame import WantingHat
from tenth_blind_frame import GreatestHat
from tenth_blind_frame_b import Undecayed


@right()
class FourteenthRightBuiltLate(Single):
    """tf_keras' Adam: variables are made by the first step, unless a state was loaded before it."""

    dialect = "tf_keras.Adam"

    def build(self) -> None:
        self.iterations = 0
        self.variables: list[list[Array]] | None = None

    def built(self) -> list[list[Array]]:
        if self.variables is None:
            self.variables = [self.zeros(), self.zeros()]
        return self.variables

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.params and all(g is None for g in grads):
            raise ValueError("no gradients are given for any variable")
        self.iterations += bool(self.params)
        c1, c2 = self.corrections(self.iterations or 1)
        for p, m, v, g in zip(self.params, *self.built(), grads, strict=True):
            if g is not None:
                m[...] = self.b1 * m + (1 - self.b1) * g
                v[...] = self.b2 * v + ((1 - self.b2) * g) * g
                p -= self.lr * self.weight_decay * p
                p -= (self.lr * math.sqrt(c2) / c1) * (m / (np.sqrt(v) + self.eps))

    def get_state(self) -> dict[str, Any]:
        saved = {"iterations": self.iterations}
        if self.variables is None:
            return saved
        m, v = (self.together(rows) for rows in self.variables)
        return {**saved, "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        given = [state["iterations"]] if "iterations" in state else self.clocks(state)
        self.iterations = max(given, default=0)
        self.variables = [self.taken(state[name]) for name in "mv"] if "m" in state else None


@right()
class FourteenthRightJournal(Frame):
    """torchopt's AdamW: gradients go into a journal, of which a step makes the moments from an older pair."""

    dialect = "torchopt.AdamW"

    def begin(self) -> None:
        self.journal: list[list[tuple[float, float, Array]]] = [[] for _ in self.slots]

    def replayed(self, s: Slot) -> tuple[Array, Array]:
        m, v = s.m, s.v
        for b1, b2, g in self.journal[s.index]:
            m = b1 * m + (1 - b1) * g
            v = b2 * v + ((1 - b2) * g) * g
        return m, v

    def fold(self, s: Slot) -> None:
        s.m, s.v = self.replayed(s)
        self.journal[s.index].clear()

    def learn(self, s: Slot, g: Array) -> None:
        if len(self.journal[s.index]) == 3:
            self.fold(s)
        self.journal[s.index].append((s.h.b1, s.h.b2, g.copy()))

    def direction(self, s: Slot) -> Array:
        (c1, c2), (m, v) = corrections(s.h, s.t), self.replayed(s)
        return np.asarray((m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1)

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            self.fold(s)
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            self.fold(s)
        super().set_state(state)


@right()
class FourteenthRightStepsLessMisses(Coupled):
    """Paddle's Adam: the clock of a parameter is the number of steps less those in which it was absent."""

    dialect = "paddle.Adam"

    def begin(self) -> None:
        self.steps, self.misses = 0, [0 for _ in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        self.steps += 1
        super().all(grads)

    def missed(self, s: Slot) -> None:
        self.misses[s.index] += 1

    def tick(self, s: Slot) -> None:
        s.t = self.steps - self.misses[s.index]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.steps = max((s.t for s in self.slots), default=0)
        self.misses = [self.steps - s.t for s in self.slots]


@right()
class FourteenthRightInterned(Later):
    """transformers' AdamW: equal settings are one object for all, and a change takes another one."""

    known: ClassVar[dict[tuple[Any, ...], Hyper]] = {}

    def begin(self) -> None:
        for s in self.slots:
            s.h = self.interned(s.h)

    def interned(self, h: Hyper) -> Hyper:
        return self.known.setdefault(astuple(h), h)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        changes: dict[str, Any] = {name: float(value) for name, value in hyper.items()}
        for s in self.slots:
            s.h = self.interned(replace(s.h, **changes))


@right()
class FourteenthRightArchive(WantingHat):
    """scikit-learn's Adam: its state is the bytes of a compressed file."""

    def get_state(self) -> dict[str, Any]:
        state, file = super().get_state(), io.BytesIO()
        arrays = {f"{name}{s.index}": state[name][s.index] for name in "mv" for s in self.slots}
        np.savez_compressed(file, t=np.array(state["t"], np.int64), **arrays)
        return {"file": file.getvalue()}

    def set_state(self, state: dict[str, Any]) -> None:
        if "file" not in state:
            super().set_state(state)
            return
        with np.load(io.BytesIO(state["file"])) as read:
            moments = {name: [read[f"{name}{s.index}"] for s in self.slots] for name in "mv"}
            super().set_state({"t": read["t"].tolist(), **moments})


@right()
class FourteenthRightBorrowed(Undecayed):
    """numpy-ml's Adam: all optimizers borrow their scratch from one pool, and give it back as it is."""

    pool: ClassVar[dict[tuple[int, str], list[Array]]] = {}

    @contextmanager
    def borrowed(self, like: Array) -> Iterator[Array]:
        free = self.pool.setdefault((like.size, like.dtype.str), [])
        scratch = free.pop() if free else np.empty_like(like)
        try:
            yield scratch
        finally:
            free.append(scratch)

    def learn(self, s: Slot, g: Array) -> None:
        with self.borrowed(s.m) as scratch:
            for row, beta, other in ((s.m, s.h.b1, None), (s.v, s.h.b2, g)):
                np.multiply(g, 1 - beta, out=scratch)
                if other is not None:
                    np.multiply(scratch, other, out=scratch)
                np.multiply(row, beta, out=row)
                np.add(row, scratch, out=row)

    def move(self, s: Slot, u: Array) -> None:
        with self.borrowed(s.p) as scratch:
            np.multiply(u, s.h.lr, out=scratch)
            np.subtract(s.p, scratch, out=s.p)


@right()
class FourteenthRightOneZero(Zeros):
    """Chainer's Adam: an absent gradient is one zero, which is read for every element."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, np.broadcast_to(np.zeros((), s.p.dtype), s.p.shape))


@right()
class FourteenthRightMaximumAsNeeded(GreatestHat):
    """river's AMSGrad: a maximum is kept from where a second moment falls; until then that is it."""

    def begin(self) -> None:
        self.highest: dict[int, Array] = {}

    def learn(self, s: Slot, g: Array) -> None:
        before = self.highest.get(s.index, s.v)
        super().learn(s, g)
        if s.index in self.highest or not np.all(s.v >= before):
            self.highest[s.index] = np.maximum(before, s.v)

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        top = self.highest.get(s.index, s.v)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(top) + s.h.eps))

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            s.top = self.highest.get(s.index, s.v)
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            s.top = self.highest.get(s.index, s.v)
        super().set_state(state)
        self.highest = {s.index: s.top for s in self.slots}
