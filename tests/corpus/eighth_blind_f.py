"""Blind, eighth set: right Adams of other languages' and scientific libraries' dialects, in other forms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from eighth_blind_frame import AscendingDecoupled, RefusingUnscaled
from fifth_blind_frame import Modulus, Plain, Refusing
from fourth_blind_frame import FOUR, Common, Hat
from register import right
from seventh_blind_frame import WantingUncorrected, ZerosMaximum
from sixth_blind_frame import Wanting, WantingCoupledHat, WantingHat


@right()
class EighthRightBrainpy(RefusingUnscaled):
    """BrainPy's Adam: parameter and moments are one record array, whose fields are assigned."""

    def update(self, s: Slot, g: Array) -> None:
        kind = s.p.dtype
        record = np.empty(s.p.size, [("x", kind), ("m", kind), ("v", kind)])
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        record["m"] = h.b1 * s.m + (1 - h.b1) * g
        record["v"] = h.b2 * s.v + ((1 - h.b2) * g) * g
        step = (h.lr * math.sqrt(c2) / c1) * (record["m"] / (np.sqrt(record["v"]) + h.eps))
        record["x"] = s.p * (1 - h.weight_decay) - step
        s.p, s.m, s.v = (record[name].copy() for name in ("x", "m", "v"))


@right()
class EighthRightMindspore(WantingCoupledHat):
    """MindSpore's Adam: all gradients are pulled first, in a list, and then all parameters are stepped."""

    dialect = "mindspore.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        pulled = [
            self.penalized(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None
        ]
        for s, g in zip(self.slots, pulled, strict=True):
            self.tick(s)
            self.learn(s, g)
            c1, c2 = corrections(s.h, s.t)
            s.p = s.p - s.h.lr * (math.sqrt(c2) * (s.m / c1)) / (np.sqrt(s.v) + s.h.eps)


@right()
class EighthRightMindsporeDecay(WantingUncorrected):
    """MindSpore's AdamWeightDecay: decay and step are one bracket, and the root a power of a half."""

    dialect = "mindspore.AdamWeightDecay"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        bracket = s.m / (np.power(s.v, 0.5) + s.h.eps) + s.h.weight_decay * s.p
        s.p = s.p - s.h.lr * bracket


@right()
class EighthRightEvotorch(Wanting):
    """evotorch's Adam: the gradient is negated, and the step that is down it is subtracted."""

    dialect = "evotorch.adam"

    def taken(self, g: Array) -> Array:
        return np.negative(super().taken(g))


@right()
class EighthRightOnnx(WantingCoupledHat):
    """ONNX' Adam: one map of a function of single numbers, over the elements of five arrays."""

    dialect = "onnx.Adam"

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        rate, one = h.lr * math.sqrt(c2) / c1, s.p.dtype.type

        def element(x: Any, y: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            y = y + one(h.weight_decay) * x
            m, v = one(h.b1) * m + one(1 - h.b1) * y, one(h.b2) * v + (one(1 - h.b2) * y) * y
            return x - one(rate) * (m / (np.sqrt(v) + one(h.eps))), m, v

        table = np.array(list(map(element, s.p, g, s.m, s.v)), s.p.dtype).reshape(-1, 3)
        s.p, s.m, s.v = table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy()


@right()
class EighthRightQiskit(WantingHat):
    """qiskit's ADAM without AMSGrad: the effective rate is formed in front of the moments."""

    dialect = "qiskit.ADAM"

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        rate = s.h.lr * np.sqrt(c2) / c1
        s.m = np.add(np.multiply(s.h.b1, s.m), np.multiply(1 - s.h.b1, g))
        s.v = np.add(np.multiply(s.h.b2, s.v), np.multiply(np.multiply(1 - s.h.b2, g), g))
        s.p = s.p - (rate * s.m / (np.sqrt(s.v) + s.h.eps)).astype(s.p.dtype)


@right()
class EighthRightJulia(Modulus):
    """Optimisers.jl' AdamW with an uncoupled decay: complex numbers stay complex, and v has one for each."""

    options = {"couple": "False"}  # noqa: RUF012

    def square(self, s: Slot, g: Array) -> Array:
        if s.dtype.kind != "c":
            return super().square(s, g)
        z = g.view(s.dtype)
        one = ((1 - s.h.b2) * z.real) * z.real + ((1 - s.h.b2) * z.imag) * z.imag
        return np.stack([one, one], axis=1).reshape(-1)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p * (1 - s.h.weight_decay) - s.h.lr * u


@right()
class EighthRightDrjit(ZerosMaximum):
    """Dr.Jit's AMSGrad: absent gradients become zeros before anything else, and the maximum is reduced."""

    def all(self, grads: Sequence[Array | None]) -> None:
        filled = [
            np.zeros(s.shape, s.dtype) if g is None else g for s, g in zip(self.slots, grads, strict=True)
        ]
        super().all(filled)

    def highest(self, s: Slot) -> Array:
        return reduce(np.maximum, (s.v, s.top))


@right()
class EighthRightTfjs(Common):
    """TensorFlow.js' Adam: the corrected moments are arrays of their own, of which the quotient is formed."""

    dialect = "tfjs.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        hats = {"first": s.m / c1, "second": s.v / c2}
        return np.divide(hats["first"], np.sqrt(hats["second"]) + s.h.eps)


@right()
class EighthRightBrainJs(Wanting):
    """brain.js' Adam: chunks of twelve elements from one iterator, which are joined at the end."""

    dialect = "brain_js.Adam"

    def update(self, s: Slot, g: Array) -> None:
        rows, new = np.stack([s.p, g, s.m, s.v]), []
        places = iter(range(s.p.size))
        c1, c2 = corrections(s.h, s.t)
        while chunk := list(itertools.islice(places, 12)):
            p, y, m, v = rows[:, chunk]
            m = s.h.b1 * m + (1 - s.h.b1) * y
            v = s.h.b2 * v + ((1 - s.h.b2) * y) * y
            new.append(np.stack([p - (s.h.lr / c1) * (m / (np.sqrt(v / c2) + s.h.eps)), m, v]))
        if new:
            s.p, s.m, s.v = np.concatenate(new, axis=1)


@right()
class EighthRightSparse(Plain, Hat):
    """PyTorch's SparseAdam, of whose rows all are there: the changes of the moments are added to them."""

    dialect = "torch.SparseAdam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.v + (((1 - s.h.b2) * g) * g - (1 - s.h.b2) * s.v)


@right()
class EighthRightFlax(Refusing):
    """Flax' Adam: decay and step are a sum of products of a rate and an array."""

    dialect = "flax_legacy.Adam"

    def move(self, s: Slot, u: Array) -> None:
        rates = (s.h.lr * s.h.weight_decay, s.h.lr)
        s.p = s.p - sum(rate * column for rate, column in zip(rates, (s.p, u), strict=True))


@right()
class EighthRightTimm(AscendingDecoupled):
    """timm's AdamW to maximize: the first moment takes the gradient off, and the second one does not care."""

    dialect = "timm.AdamW"

    def turned(self, s: Slot, g: Array) -> Array:
        return g

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m - (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@right()
class EighthRightJaxExample(Wanting):
    """JAX' example of an Adam: the state is a tuple, and the count comes from 0."""

    dialect = "jax_example.adam"

    def update(self, s: Slot, g: Array) -> None:
        s.p, s.m, s.v = self.packed(s.t - 1, g, (s.p, s.m, s.v), s)

    def packed(
        self, i: int, g: Array, packed: tuple[Array, Array, Array], s: Slot
    ) -> tuple[Array, Array, Array]:
        x, m, v = packed
        m = (1 - s.h.b1) * g + s.h.b1 * m
        v = ((1 - s.h.b2) * g) * g + s.h.b2 * v
        mhat = m / (1 - np.power(s.h.b1, i + 1, dtype=np.float64)).astype(m.dtype)
        vhat = v / (1 - np.power(s.h.b2, i + 1, dtype=np.float64)).astype(v.dtype)
        return x - s.h.lr * mhat / (np.sqrt(vhat) + s.h.eps), m, v


@right()
class EighthRightTorchao(Coupled):
    """torchao's AMSGrad with L2: the maximum is chosen by an index into two rows."""

    dialect = "torchao.Adam"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        rows = np.stack([s.top, s.v])
        s.top = np.take_along_axis(rows, np.argmax(rows, axis=0)[None], axis=0)[0]
        return (s.m / (np.sqrt(s.top) * (1 / math.sqrt(c2)) + s.h.eps)) / c1
