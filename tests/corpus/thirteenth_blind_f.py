"""Blind, thirteenth set: right Adams whose states are kept in unusual ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot
from fifth_blind_frame import Dozat
from fourth_blind_frame import FOUR
from ninth_blind_frame_b import Single
from register import right
from seventh_blind_frame import Holding
from sixth_blind_frame import ZerosHat


@right()
class ThirteenthRightParked(Holding):
    """DeepSpeed's FusedAdam: the moments of a parameter are bytes, but for the time of its update."""

    def begin(self) -> None:
        self.parked: dict[int, tuple[bytes, bytes]] = {}
        self.park_all()

    def park_all(self) -> None:
        for s in self.slots:
            self.park(s)

    def fetch_all(self) -> None:
        for s in self.slots:
            self.fetch(s)

    def park(self, s: Slot) -> None:
        self.parked[s.index] = s.m.tobytes(), s.v.tobytes()
        s.m = s.v = np.empty(0, s.p.dtype)

    def fetch(self, s: Slot) -> None:
        s.m, s.v = (np.frombuffer(b, s.p.dtype).copy() for b in self.parked.pop(s.index))

    def update(self, s: Slot, g: Array) -> None:
        self.fetch(s)
        super().update(s, g)
        self.park(s)

    def get_state(self) -> dict[str, Any]:
        self.fetch_all()
        state = super().get_state()
        self.park_all()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        self.fetch_all()
        super().set_state(state)
        self.park_all()


@right()
class ThirteenthRightVariables(Single):
    """Keras' AdamW: its state is one list, of the iterations and of a momentum and a velocity in turn."""

    dialect = "keras.AdamW"

    def build(self) -> None:
        self.variables: list[Array] = [np.zeros((), np.int64)]
        for zeros in zip(self.zeros(), self.zeros(), strict=True):
            self.variables.extend(zeros)

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.params and all(g is None for g in grads):
            raise ValueError("no gradients are given for any variable")
        self.variables[0] += bool(self.params)
        c1, c2 = self.corrections(int(self.variables[0]) or 1)
        rate = self.lr * (math.sqrt(c2) / c1)
        for i, (p, g) in enumerate(zip(self.params, grads, strict=True)):
            if g is None:
                continue
            m, v = self.variables[2 * i + 1 : 2 * i + 3]
            m[...] = self.b1 * m + (1 - self.b1) * g
            v[...] = self.b2 * v + ((1 - self.b2) * g) * g
            p -= self.lr * self.weight_decay * p
            p -= rate * (m / (np.sqrt(v) + self.eps))

    def get_state(self) -> dict[str, Any]:
        moments = {"m": self.variables[1::2], "v": self.variables[2::2]}
        return {"t": int(self.variables[0]), **{k: self.together(rows) for k, rows in moments.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.variables[0][...] = max(self.clocks(state), default=0)
        self.variables[1::2], self.variables[2::2] = self.taken(state["m"]), self.taken(state["v"])


@right()
class ThirteenthRightImpliedZero(ZerosHat):
    """Dr.Jit's Adam: for an absent gradient no zeros are made, and the moments just fade."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        s.m, s.v = s.h.b1 * s.m, s.h.b2 * s.v
        self.move(s, self.direction(s))


@right()
class ThirteenthRightFactors(Dozat):
    """PyTorch's NAdam: the factors of the schedule so far are kept in a list, and multiplied in each step."""

    def begin(self) -> None:
        self.factors: list[list[float]] = [[] for _ in self.slots]

    def tick(self, s: Slot) -> None:
        s.t += 1
        self.factors[s.index].append(self.schedule(s, s.t))
        s.mu = math.prod(self.factors[s.index])

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            made = [self.schedule(s, k) for k in range(1, s.t + 1)]
            self.factors[s.index] = [s.mu] if "mu_product" in state else made
            s.mu = math.prod(self.factors[s.index])


@right()
class ThirteenthRightRecordsMove(Single):
    """burn's Adam: the record of a parameter is made by its first gradient, taken out and put back last."""

    dialect = "burn.Adam"

    def build(self) -> None:
        self.records: dict[int, tuple[int, Array, Array]] = {}

    def record(self, i: int) -> tuple[int, Array, Array]:
        return 0, np.zeros_like(self.params[i]), np.zeros_like(self.params[i])

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, g in enumerate(grads):
            if g is None:
                continue
            t, m, v = self.records.pop(i) if i in self.records else self.record(i)
            c1, c2 = self.corrections(t + 1)
            g = g + self.weight_decay * self.params[i]
            m = np.asarray(self.b1 * m + (1 - self.b1) * g)
            v = np.asarray(self.b2 * v + ((1 - self.b2) * g) * g)
            change = (m / c1) / (np.sqrt(v) / math.sqrt(c2) + self.eps)
            self.params[i] = np.asarray(self.params[i] - self.lr * change)
            self.records[i] = t + 1, m, v

    def get_state(self) -> dict[str, Any]:
        known = [self.records.get(i) or self.record(i) for i in range(len(self.params))]
        m, v = self.together([r[1] for r in known]), self.together([r[2] for r in known])
        return {"t": [r[0] for r in known], "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        rows = zip(self.clocks(state), self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.records = dict(enumerate(rows))


@right()
class ThirteenthRightColumns(Single):
    """Sonnet's Adam: moments and parameters lie in columns, gradients in rows, and steps go in place."""

    dialect = "sonnet.Adam"
    hyper = FOUR

    def build(self) -> None:
        self.t = 0
        self.params = [self.columns(p) for p in self.params]
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.params]

    def columns(self, a: Array) -> Array:
        return np.array(a, order="F")

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.params and all(g is None for g in grads):
            raise ValueError("no gradients are given for any variable")
        self.t += bool(self.params)
        c1, c2 = self.corrections(self.t or 1)
        for p, (m, v), g in zip(self.params, self.moments, grads, strict=True):
            if g is not None:
                m *= self.b1
                m += (1 - self.b1) * g
                v *= self.b2
                v += ((1 - self.b2) * g) * g
                p -= self.lr * ((m / c1) / (np.sqrt(v) / math.sqrt(c2) + self.eps))

    def get_state(self) -> dict[str, Any]:
        m, v = ([pair[k] for pair in self.moments] for k in range(2))
        return {"t": self.t, "m": self.together(m), "v": self.together(v)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = max(self.clocks(state), default=0)
        rows = (map(self.columns, self.taken(state[name])) for name in "mv")
        self.moments = list(zip(*rows, strict=True))


@right()
class ThirteenthRightPingPong(Coupled):
    """torchao's Adam: each moment has two buffers, of which an update reads one and writes the other."""

    dialect = "torchao.Adam"

    def begin(self) -> None:
        self.spare = [(np.empty_like(s.m), np.empty_like(s.v)) for s in self.slots]

    def learn(self, s: Slot, g: Array) -> None:
        old, (m, v) = (s.m, s.v), self.spare[s.index]
        np.multiply(s.m, s.h.b1, out=m)
        np.multiply(s.v, s.h.b2, out=v)
        m += (1 - s.h.b1) * g
        v += ((1 - s.h.b2) * g) * g
        s.m, s.v, self.spare[s.index] = m, v, old
