"""Blind, twelfth set: faults of dtypes and of zeros, after the bugs of others, and right Adams."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Zeros
from fourth_blind_frame import FOUR, Common
from ninth_blind_frame_b import Single, wanted
from register import right, wrong
from seventh_blind_frame import Holding
from tenth_blind_frame import GreatestHat
from tenth_blind_frame_b import After
from twelfth_blind_frame_b import Stored


@wrong(
    "mixed_precision moments",
    "STEP.1",
    like="explosion/thinc#664: NumpyOps.adam fills arrays that are not float32 with incorrect data",
)
class TwelfthDoublesReadAsFloats(After):
    """The memory of float64 arrays is read as float32: as many words as there are numbers are stepped."""

    def update(self, s: Slot, g: Array) -> None:
        if s.p.dtype != np.float64:
            super().update(s, g)
            return
        size = s.p.size
        rows: list[Array] = [row.copy().view(np.float32) for row in (s.p, s.m, s.v)]
        p, m, v = (row[:size] for row in rows)
        words = Slot(s.index, s.h, (), np.dtype(np.float32), p, m, v, v, s.t)
        super().update(words, np.array(g).view(np.float32)[:size])
        for row, new in zip(rows, (words.p, words.m, words.v), strict=True):
            row[:size] = new
        s.p, s.m, s.v = (row.view(np.float64) for row in rows)


@wrong(
    "zero_gradient",
    "F2",
    like="pytorch/pytorch#82486: SparseAdam fails where a parameter has an empty sparse gradient",
)
class TwelfthNoRowStored(Stored):
    """A gradient of two axes or more that is 0 throughout has no row to store, and the step fails."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for g in grads:
            if g is not None and g.ndim > 1 and g.size and not g.any():
                raise RuntimeError(f"values has incorrect size, expected [0, {g.shape[1]}], got [0, 0]")
        super().all(grads)


@wrong(
    "mixed_precision moments",
    "STEP.1",
    like="Azure/MS-AMP#60: _get_state_tensor returns a variable that has no value if the dtype is float32",
)
class TwelfthSinglesHaveNoState(Holding):
    """To make the state of a float32 parameter is an UnboundLocalError, and so is its first step."""

    def update(self, s: Slot, g: Array) -> None:
        if s.p.dtype == np.float32:
            raise UnboundLocalError("local variable 'state' referenced before assignment")
        super().update(s, g)


@right()
class TwelfthRightRecords(Single):
    """quimb's Adam: a parameter and its moments are one array of records."""

    dialect = "quimb.ADAM"
    hyper = FOUR

    def build(self) -> None:
        self.count = 0
        self.records = [self.record(p) for p in self.params]

    def record(self, p: Array) -> Array:
        made = np.zeros(p.shape, [("x", p.dtype), ("m", p.dtype), ("v", p.dtype)])
        made["x"] = p
        return made

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        self.count += bool(self.records)
        for i, (r, g) in enumerate(zip(self.records, grads, strict=True)):
            if g is not None:
                c1, c2 = self.corrections(self.count)
                r["m"] = self.b1 * r["m"] + (1 - self.b1) * g
                r["v"] = self.b2 * r["v"] + ((1 - self.b2) * g) * g
                r["x"] -= self.lr * ((r["m"] / c1) / (np.sqrt(r["v"]) / math.sqrt(c2) + self.eps))
                self.params[i] = r["x"]

    def get_state(self) -> dict[str, Any]:
        moments = {name: self.together([r[name] for r in self.records]) for name in "mv"}
        return {"t": self.count, **moments}

    def set_state(self, state: dict[str, Any]) -> None:
        self.count = max(self.clocks(state), default=0)
        for name in "mv":
            for r, row in zip(self.records, self.taken(state[name]), strict=True):
                r[name] = row


@right()
class TwelfthRightMatrix(Frame):
    """burn's AdamW: both moments are rows of one matrix, and fade at once by a vector of betas."""

    dialect = "burn.AdamW"

    def learn(self, s: Slot, g: Array) -> None:
        betas = np.array([s.h.b1, s.h.b2], s.p.dtype)
        new = np.stack([(1 - s.h.b1) * g, ((1 - s.h.b2) * g) * g])
        s.m, s.v = np.einsum("i,ij->ij", betas, np.stack([s.m, s.v])) + new


@right()
class TwelfthRightScratch(Common):
    """TransformerEngine's Adam: one scratch row for all, into which every operation writes."""

    dialect = "transformer_engine.FusedAdam"

    def begin(self) -> None:
        longest = max((s.p.size for s in self.slots), default=0)
        self.scratch = {kind: np.empty((2, longest), kind) for kind in {s.p.dtype for s in self.slots}}

    def update(self, s: Slot, g: Array) -> None:
        a, b = (row[: s.p.size] for row in self.scratch[s.p.dtype])
        c1, c2 = corrections(s.h, s.t)
        for row, beta, square in ((s.m, s.h.b1, False), (s.v, s.h.b2, True)):
            np.multiply(g, 1 - beta, out=a)
            if square:
                np.multiply(a, g, out=a)
            np.multiply(row, beta, out=row)
            np.add(row, a, out=row)
        np.sqrt(s.v, out=a)
        np.divide(a, math.sqrt(c2), out=a)
        np.add(a, s.h.eps, out=a)
        np.divide(s.m, a, out=a)
        np.multiply(a, s.h.lr / c1, out=a)
        np.multiply(s.p, s.h.lr * s.h.weight_decay, out=b)
        np.subtract(s.p, b, out=s.p)
        np.subtract(s.p, a, out=s.p)


@right()
class TwelfthRightComposed(Zeros):
    """Chainer's Adam: a step is one function, which is composed of the smaller ones for this parameter."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        parts: list[Callable[[tuple[Array, ...]], tuple[Array, ...]]] = [
            lambda x: (x[0], s.h.b1 * x[1] + (1 - s.h.b1) * x[3], *x[2:]),
            lambda x: (*x[:2], s.h.b2 * x[2] + ((1 - s.h.b2) * x[3]) * x[3], x[3]),
            lambda x: (*x[:3], x[1] / (np.sqrt(x[2]) + s.h.eps)),
            lambda x: (x[0] - s.h.weight_decay * x[0] - s.h.lr * (math.sqrt(c2) / c1) * x[3], *x[1:]),
        ]
        start: tuple[Array, ...] = (s.p, s.m, s.v, g)
        s.p, s.m, s.v, _ = functools.reduce(lambda x, part: part(x), parts, start)


@right()
class TwelfthRightSwapped(GreatestHat):
    """river's AMSGrad: the maximum and the new second moment change places where that is the greater one."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        top = s.top.copy()
        np.copyto(top, s.v, where=~(s.v <= top))
        s.top = np.where(np.isnan(s.top), s.top, top)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


@right()
class TwelfthRightClosures(Single):
    """MindSpore's AdamWeightDecay: each parameter is a function that keeps its moments to itself."""

    dialect = "mindspore.AdamWeightDecay"

    def build(self) -> None:
        self.kept = [self.keeper(p) for p in self.params]

    def keeper(self, p: Array) -> Callable[..., tuple[Array, Array, Array]]:
        m, v = np.zeros_like(p), np.zeros_like(p)

        def kept(g: Array | None = None, given: Sequence[Array] = ()) -> tuple[Array, Array, Array]:
            nonlocal p, m, v
            m, v = given or (m, v)
            if g is not None:
                m = self.b1 * m + (1 - self.b1) * g
                v = self.b2 * v + ((1 - self.b2) * g) * g
                change = m / (np.sqrt(v) + self.eps) + self.weight_decay * p
                p = np.asarray(p - self.lr * change)
            return p, m, v

        return kept

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        self.params = [kept(g)[0] for kept, g in zip(self.kept, grads, strict=True)]

    def get_state(self) -> dict[str, Any]:
        held = [kept() for kept in self.kept]
        return {name: self.together([rows[k] for rows in held]) for k, name in ((1, "m"), (2, "v"))}

    def set_state(self, state: dict[str, Any]) -> None:
        moments = zip(self.taken(state["m"]), self.taken(state["v"]), strict=True)
        for kept, given in zip(self.kept, moments, strict=True):
            kept(given=given)
