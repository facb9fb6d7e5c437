"""Blind, twenty-fourth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Hyper, Slot
from fifth_blind_frame import Plain
from fourth_blind_frame import Keras, Uncorrected
from register import right
from tenth_blind_frame_b import After

Rule = Callable[[Array, Array, Array, Array], tuple[Array, Array, Array]]


@right()
class TwentyFourthBRightTape(Coupled):
    """Adam with L2 on one flat tape for each dtype, of which parameters and moments are views."""

    def begin(self) -> None:
        self.record()

    def record(self) -> None:
        """Move everything onto tapes: a table of three rows for each dtype."""
        for kind in {s.p.dtype for s in self.slots}:
            own = [s for s in self.slots if s.p.dtype == kind]
            tape = np.zeros((3, sum(s.p.size for s in own)), kind)
            begin = 0
            for s in own:
                part = tape[:, begin : begin + s.p.size]
                for row, name in zip(part, ("p", "m", "v"), strict=True):
                    row[:] = getattr(s, name)
                    setattr(s, name, row)
                begin += s.p.size

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.record()

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        x = g + h.weight_decay * s.p
        s.m *= h.b1
        s.m += (1 - h.b1) * x
        s.v *= h.b2
        s.v += ((1 - h.b2) * x) * x
        below = np.sqrt(s.v)
        below /= math.sqrt(1 - h.b2**s.t)
        below += h.eps
        s.p -= (h.lr / (1 - h.b1**s.t)) * (s.m / below)


@right()
class TwentyFourthBRightContexts(Plain):
    """Algorithm 1, with clock and moments in a dictionary by name, which each optimizer has its own of."""

    def begin(self) -> None:
        self.context: dict[str, dict[str, Any]] = {}
        self.take()

    def take(self) -> None:
        for s in self.slots:
            self.context[f"param_{s.index}"] = {"step": s.t, "m": s.m.copy(), "v": s.v.copy()}

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            kept = self.context[f"param_{s.index}"]
            s.t, s.m, s.v = kept["step"], kept["m"], kept["v"]
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.take()

    def all(self, grads: Sequence[Array | None]) -> None:
        present = {s.index: self.taken(g) for s, g in zip(self.slots, grads, strict=True) if g is not None}
        for index, g in present.items():
            h, kept = self.slots[index].h, self.context[f"param_{index}"]
            kept["step"] += 1
            kept["m"] = kept["m"] - (1 - h.b1) * (kept["m"] - g)
            kept["v"] = h.b2 * kept["v"] + g * ((1 - h.b2) * g)
            m_hat = kept["m"] / (1 - h.b1 ** kept["step"])
            root = np.sqrt(kept["v"]) / math.sqrt(1 - h.b2 ** kept["step"])
            self.slots[index].p = self.slots[index].p - h.lr * (m_hat / (root + h.eps))


@right()
class TwentyFourthBRightRule(Keras):
    """Keras' AdamW as a rule for each step: a closure over its numbers, from four arrays to three."""

    def rule(self, h: Hyper, t: int) -> Rule:
        w1, w2 = 1 - h.b1, 1 - h.b2
        alpha, kept = h.lr * math.sqrt(1 - h.b2**t) / (1 - h.b1**t), 1 - h.lr * h.weight_decay

        def one(p: Array, m: Array, v: Array, g: Array) -> tuple[Array, Array, Array]:
            m, v = m * h.b1 + g * w1, v * h.b2 + (g * w2) * g
            return p * kept - (m / (np.sqrt(v) + h.eps)) * alpha, m, v

        return one

    def update(self, s: Slot, g: Array) -> None:
        s.p, s.m, s.v = self.rule(s.h, s.t)(s.p, s.m, s.v, g)


@right()
class TwentyFourthBRightRows(After):
    """thinc's Adam with weights, gradients and moments as rows, whatever axes they have, and in place."""

    def update(self, s: Slot, g: Array) -> None:
        h, weights, gradient = s.h, s.p.reshape(s.p.size), g.reshape(g.size)
        mom1, mom2 = s.m.reshape(s.m.size), s.v.reshape(s.v.size)
        mom1 *= h.b1
        mom1 += gradient * (1 - h.b1)
        mom2 *= h.b2
        mom2 += (gradient * (1 - h.b2)) * gradient
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        weights -= rate * (mom1 / (np.sqrt(mom2) + h.eps))
        weights *= 1 - h.lr * h.weight_decay


@right()
class TwentyFourthBRightUpdateFirst(Uncorrected):
    """BertAdam: the decay joins the update, in a buffer that is made once, and the rate multiplies both."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        next_m, next_v = s.m * h.b1 + (1 - h.b1) * g, s.v * h.b2 + ((1 - h.b2) * g) * g
        update = np.sqrt(next_v)
        update += h.eps
        np.divide(next_m, update, out=update)
        if h.weight_decay > 0.0:
            update += h.weight_decay * s.p
        s.p = s.p - h.lr * update
        s.m, s.v = next_m, next_v
