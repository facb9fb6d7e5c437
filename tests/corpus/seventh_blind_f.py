"""Blind, seventh set: right Adams of JAX', TensorFlow's and scientific Python's dialects, in other forms."""

from __future__ import annotations

import functools
import heapq
import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Refusing
from fourth_blind_frame import Keras
from register import right
from seventh_blind_frame import LegacyMaximum, WantingUncorrected
from sixth_blind_frame import Wanting, WantingHat

Three = tuple[Array, Array, Array]


@right()
class SeventhRightNumpyro(Wanting):
    """numpyro's Adam: a pair of functions over tuples, of which one updates and one reads the parameter."""

    dialect = "numpyro.Adam"

    def update(self, s: Slot, g: Array) -> None:
        step, read = self.pair(s)
        state = step(s.t - 1, g, (s.p, s.m, s.v))
        s.p, (_, s.m, s.v) = read(state), state

    def pair(self, s: Slot) -> tuple[Callable[[int, Array, Three], Three], Callable[[Three], Array]]:
        b1, b2, eps, lr = s.h.b1, s.h.b2, s.h.eps, s.h.lr

        def step(i: int, g: Array, state: Three) -> Three:
            x, m, v = state
            m = (1 - b1) * g + b1 * m
            v = ((1 - b2) * g) * g + b2 * v
            below = np.sqrt(v) / math.sqrt(1 - b2 ** (i + 1)) + eps
            return x - lr * (m / below / (1 - b1 ** (i + 1))), m, v

        return step, lambda state: state[0]


@right()
class SeventhRightWarp(Wanting):
    """warp's Adam: one launch over all elements of all arrays, each of which finds its own by bisection."""

    dialect = "warp.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            self.tick(s)
            s.p, s.m, s.v = s.p.copy(), s.m.copy(), s.v.copy()
        rows = [self.taken(g) for g in grads if g is not None]
        ends = np.cumsum([row.size for row in rows], dtype=np.int64)
        places = np.arange(ends[-1] if rows else 0)
        owners = np.searchsorted(ends, places, side="right")
        for i, s in enumerate(self.slots):
            self.threads(s, rows[i], places[owners == i] - (ends[i] - rows[i].size))

    def threads(self, s: Slot, g: Array, i: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.m[i] = s.h.b1 * s.m[i] + (1 - s.h.b1) * g[i]
        s.v[i] = s.h.b2 * s.v[i] + ((1 - s.h.b2) * g[i]) * g[i]
        s.p[i] -= (s.h.lr / c1) * (s.m[i] / (np.sqrt(s.v[i]) / math.sqrt(c2) + s.h.eps))


@right()
class SeventhRightClimin(Wanting):
    """climin's Adam: an endless iteration per parameter, which is asked for the next step."""

    dialect = "climin.Adam"

    def begin(self) -> None:
        self.runs: dict[int, Generator[Array, Array, None]] = {}
        for s in self.slots:
            self.runs[s.index] = self.iterate(s)
            next(self.runs[s.index])

    def iterate(self, s: Slot) -> Generator[Array, Array, None]:
        g = yield s.p
        while True:
            decay1, decay2 = 1 - s.h.b1, 1 - s.h.b2
            s.m = s.h.b1 * s.m + decay1 * g
            s.v = s.h.b2 * s.v + decay2 * g * g
            fix1, fix2 = corrections(s.h, s.t)
            s.p = s.p - s.h.lr * (s.m / (np.sqrt(s.v) * (1 / math.sqrt(fix2)) + s.h.eps) / fix1)
            g = yield s.p

    def update(self, s: Slot, g: Array) -> None:
        self.runs[s.index].send(g)


@right()
class SeventhRightQuimb(Wanting):
    """quimb's Adam: all arrays of a dtype are stepped as one vector, which is taken apart behind it."""

    dialect = "quimb.ADAM"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            self.tick(s)
        pairs = [(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for dtype in {s.p.dtype for s, _ in pairs}:
            own = [(s, g) for s, g in pairs if s.p.dtype == dtype]
            x, m, v, g = (
                np.concatenate(rows) for rows in zip(*((s.p, s.m, s.v, g) for s, g in own), strict=True)
            )
            self.vector([s for s, _ in own], x, m, v, g)

    def vector(self, own: list[Slot], x: Array, m: Array, v: Array, g: Array) -> None:
        h, (c1, c2) = own[0].h, corrections(own[0].h, own[0].t)
        same = all((s.h, s.t) == (h, own[0].t) for s in own)
        if not same:
            for s, row in zip(own, np.split(g, np.cumsum([s.p.size for s in own])[:-1]), strict=True):
                super().update(s, row)
            return
        m = m * h.b1 + g * (1 - h.b1)
        v = v * h.b2 + g * (g * (1 - h.b2))
        x = x - (m / c1) / (np.sqrt(v) / math.sqrt(c2) + h.eps) * h.lr
        cuts = np.cumsum([s.p.size for s in own])[:-1]
        for s, *news in zip(own, *(np.split(a, cuts) for a in (x, m, v)), strict=True):
            s.p, s.m, s.v = news


@right()
class SeventhRightToygrad(Wanting):
    """toygrad's Adam: a program for a machine with a stack, which is run once for each array."""

    dialect = "toygrad.Adam"

    program = "m b1 * g w1 * + =m v b2 * g w2 * g * + =v m v sqrt root2 / eps + / size * =u p u - =p"

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        names: dict[str, Any] = {
            "p": s.p, "m": s.m, "v": s.v, "g": g, "b1": s.h.b1, "b2": s.h.b2, "w1": 1 - s.h.b1,
            "w2": 1 - s.h.b2, "eps": s.h.eps, "size": s.h.lr / c1, "root2": math.sqrt(c2),
        }  # fmt: skip
        two = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
        stack: list[Any] = []
        for word in self.program.split():
            if word in two:
                right_one, left_one = stack.pop(), stack.pop()
                stack.append(two[word](left_one, right_one))
            elif word == "sqrt":
                stack.append(np.sqrt(stack.pop()))
            elif word.startswith("="):
                names[word[1:]] = stack.pop()
            else:
                stack.append(names[word])
        s.p, s.m, s.v = names["p"], names["m"], names["v"]


@right()
class SeventhRightJsPytorch(WantingUncorrected):
    """js-pytorch's Adam: the largest arrays are stepped first, as a heap of their sizes has them."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        heap = [(-s.p.size, s.index) for s in self.slots]
        heapq.heapify(heap)
        while heap:
            s = self.slots[heapq.heappop(heap)[1]]
            g = grads[s.index]
            self.tick(s)
            if g is not None:
                self.update(s, self.taken(g))

    def move(self, s: Slot, u: Array) -> None:
        left = s.p * s.h.weight_decay
        left += u
        s.p = s.p - left * s.h.lr


@right()
class SeventhRightOnnxruntime(Refusing):
    """onnxruntime's AdamW: chunks of any length are folded into one another, from the left."""

    dialect = "onnxruntime.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        cuts = [slice(i, i + 19) for i in range(0, g.size, 19)]
        start = (s.p[:0], s.m[:0], s.v[:0])
        s.p, s.m, s.v = functools.reduce(lambda done, cut: self.joined(s, g, done, cut), cuts, start)

    def joined(self, s: Slot, g: Array, done: Three, cut: slice) -> Three:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        p, y = s.p[cut], g[cut]
        m = s.m[cut] + (1 - h.b1) * (y - s.m[cut])
        v = h.b2 * s.v[cut] + ((1 - h.b2) * y) * y
        p = p - (p * h.weight_decay) * h.lr
        p = p - (h.lr / c1) * (m / (np.sqrt(v) / math.sqrt(c2) + h.eps))
        x, first, second = (np.append(old, new) for old, new in zip(done, (p, m, v), strict=True))
        return x, first, second


@right()
class SeventhRightFlax(Refusing):
    """flax' Adam: parameter and state of a leaf are a dictionary, which each update replaces whole."""

    dialect = "flax_legacy.Adam"

    def update(self, s: Slot, g: Array) -> None:
        leaf = {"param": s.p, "grad_ema": s.m, "grad_sq_ema": s.v}
        new = {**leaf, **self.applied(s, g, leaf)}
        s.p, s.m, s.v = new["param"], new["grad_ema"], new["grad_sq_ema"]

    def applied(self, s: Slot, g: Array, leaf: dict[str, Array]) -> dict[str, Array]:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        ema = h.b1 * leaf["grad_ema"] + (1.0 - h.b1) * g
        square = h.b2 * leaf["grad_sq_ema"] + (1.0 - h.b2) * g * g
        quotient = ema / (np.sqrt(square) / math.sqrt(c2) + h.eps)
        kept = leaf["param"] * (1 - h.lr * h.weight_decay)
        return {"param": kept - (h.lr / c1) * quotient, "grad_ema": ema, "grad_sq_ema": square}


@right()
class SeventhRightAdaptiveEpsilon(Keras):
    """tf_keras' Adam with adaptive_epsilon: alpha and epsilon take in the root of the second correction."""

    dialect = "tf_keras.Adam"
    options = {"adaptive_epsilon": "True"}  # noqa: RUF012

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.v * s.h.b2 + (g * (1 - s.h.b2)) * g

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        root2 = math.sqrt(c2)
        return (root2 / c1) * (s.m / (np.sqrt(s.v) + s.h.eps * root2))


@right()
class SeventhRightLegacyMaximum(LegacyMaximum):
    """tf_keras' legacy AMSGrad: a mask says where the maximum is reached, and is written under by place."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = s.top.copy()
        np.copyto(s.top, s.v, where=~(s.v < s.top))
        return (s.m / (np.sqrt(s.top) + s.h.eps)) * (math.sqrt(c2) / c1)


@right()
class SeventhRightQiskit(WantingHat):
    """qiskit's AMSGrad: maximum and second moment are compared, and what is not below the other is picked."""

    dialect = "qiskit.ADAM"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.where(np.greater_equal(s.top, s.v), s.top, s.v)
        return math.sqrt(c2) / c1 * (s.m / np.add(s.h.eps, np.sqrt(s.top)))
