"""Blind, twenty-first set: right Adams in records, coroutines, dictionaries and iterators."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import CorrectedRate
from fourth_blind_frame import FOUR
from ninth_blind_frame_b import Single, wanted
from register import right
from sixth_blind_frame import SameTime

Process = Generator[Array, Array, None]


@right(claim="timm.NAdamW")
class TwentyFirstBRightRecords(SameTime):
    """timm's NAdamW over arrays of records: an element's parameter and moments lie beside each other."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        records = np.empty(s.p.size, [(name, s.p.dtype) for name in ("p", "m", "v", "u")])
        for name in ("p", "m", "v"):
            records[name] = getattr(s, name)
        records["m"] *= h.b1
        records["m"] += (1 - h.b1) * g
        records["v"] *= h.b2
        records["v"] += ((1 - h.b2) * g) * g
        records["u"] = h.b1 * records["m"] + (1 - h.b1) * g
        records["u"] /= np.sqrt(records["v"]) / math.sqrt(c2) + h.eps
        records["p"] *= 1 - h.lr * h.weight_decay
        records["p"] -= (h.lr / c1) * records["u"]
        s.p, s.m, s.v = (records[name].copy() for name in ("p", "m", "v"))


@right(claim="ggml.AdamW")
class TwentyFirstBRightCoroutines(Single):
    """ggml's AdamW as a coroutine for each parameter, which waits for the next gradient."""

    dialect = "ggml.AdamW"

    def build(self) -> None:
        self.iter = 0
        self.moments = [np.zeros((2, *p.shape), p.dtype) for p in self.params]
        self.begin()

    def begin(self) -> None:
        self.running = [self.process(i, p) for i, p in enumerate(self.params)]
        for process in self.running:
            next(process)

    def process(self, i: int, p: Array) -> Process:
        m, v = self.moments[i][0, ...], self.moments[i][1, ...]
        while True:
            g = yield p
            c1, c2 = self.corrections(self.iter)
            m *= self.b1
            m += (1 - self.b1) * g
            v *= self.b2
            v += ((1 - self.b2) * g) * g
            step = (m / c1) / (np.sqrt(v) / math.sqrt(c2) + self.eps)
            p = p - self.lr * self.weight_decay * p - self.lr * step

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        self.iter += bool(self.params)
        given = [g for g in grads if g is not None]
        self.params = [process.send(g) for process, g in zip(self.running, given, strict=True)]

    def get_state(self) -> dict[str, Any]:
        m, v = (self.together([moments[k] for moments in self.moments]) for k in range(2))
        return {"t": [self.iter] * len(self.params), "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        self.iter = max(self.clocks(state), default=0)
        pairs = zip(self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.moments = [np.stack(pair) for pair in pairs]
        self.begin()


@right(claim="numpy_ml.Adam")
class TwentyFirstBRightCache(Single):
    """numpy-ml's Adam: a dictionary by the parameter's name, filled when its first gradient comes."""

    dialect = "numpy_ml.Adam"
    hyper = FOUR

    def build(self) -> None:
        self.cache: dict[str, dict[str, Any]] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        named = {f"W{i}": (i, g) for i, g in enumerate(grads) if g is not None}
        for name in sorted(named, reverse=True):
            i, g = named[name]
            self.params[i] = self.updated(self.params[i], g, name)

    def entry(self, name: str, like: Array) -> dict[str, Any]:
        return self.cache.setdefault(name, {"t": 0, "mean": np.zeros_like(like), "var": np.zeros_like(like)})

    def updated(self, param: Array, grad: Array, name: str) -> Array:
        entry = self.entry(name, param)
        t = entry["t"] + 1
        mean = self.b1 * entry["mean"] + (1 - self.b1) * grad
        var = self.b2 * entry["var"] + ((1 - self.b2) * grad) * grad
        self.cache[name] = {"t": t, "mean": mean, "var": var}
        c1, c2 = self.corrections(t)
        return param - self.lr * ((mean / c1) / (np.sqrt(var) / math.sqrt(c2) + self.eps))

    def get_state(self) -> dict[str, Any]:
        entries = [self.entry(f"W{i}", p) for i, p in enumerate(self.params)]
        rows = {k: self.together([e[name] for e in entries]) for k, name in (("m", "mean"), ("v", "var"))}
        return {"t": [e["t"] for e in entries], **rows}

    def set_state(self, state: dict[str, Any]) -> None:
        rows = zip(self.clocks(state), self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.cache = {f"W{i}": {"t": t, "mean": m, "var": v} for i, (t, m, v) in enumerate(rows)}


@right(claim="mxnet.AdamW")
class TwentyFirstBRightIterator(CorrectedRate):
    """MXNet's AdamW through NumPy's iterator, which hands out what fits into a buffer of 48 numbers."""

    buffer = 48

    def update(self, s: Slot, g: Array) -> None:
        if not s.p.size:
            return
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        rate = h.lr * math.sqrt(c2) / c1
        arrays = [s.p.copy(), s.m.copy(), s.v.copy(), g]
        both, read = ("readwrite",), ("readonly",)
        flags: Any = ("external_loop", "buffered")
        modes: Any = (both, both, both, read)
        with np.nditer(arrays, flags, modes, buffersize=self.buffer) as parts:
            for p, m, v, d in parts:
                m[...] = h.b1 * m + (1 - h.b1) * d
                v[...] = h.b2 * v + ((1 - h.b2) * d) * d
                p[...] = p - rate * (m / (np.sqrt(v) + h.eps) + h.weight_decay * p)
        s.p, s.m, s.v = arrays[:3]
