"""Blind, thirty-first set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fifth_blind_frame import Maximum
from fourth_blind_frame import Keras
from register import right
from tenth_blind_frame_b import Slotted


@right()
class ThirtyFirstBRightRecords(Frame):
    """burn's AdamW, whose momenta are records that a function takes and gives back anew."""

    dialect = "burn.AdamW"

    def transform(self, record: tuple[Array, Array, int], grad: Array, s: Slot) -> tuple[Any, Array]:
        moment_1, moment_2, time = record
        factor_1, factor_2 = 1.0 - s.h.b1, 1.0 - s.h.b2
        moment_1 = moment_1 * s.h.b1 + grad * factor_1
        moment_2 = moment_2 * s.h.b2 + (grad * factor_2) * grad
        time += 1
        root = np.sqrt(moment_2) / math.sqrt(1.0 - s.h.b2**time)
        corrected = moment_1 / (1.0 - s.h.b1**time)
        return (moment_1, moment_2, time), corrected / (root + s.h.eps)

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                (s.m, s.v, s.t), raw = self.transform((s.m, s.v, s.t), flat(g), s)
                s.p = s.p - s.p * (s.h.lr * s.h.weight_decay) - raw * s.h.lr

    def get_state(self) -> dict[str, Any]:
        return {
            "records": [
                {"moment_1": self.shaped(s, s.m), "moment_2": self.shaped(s, s.v), "time": s.t}
                for s in self.slots
            ]
        }

    def set_state(self, state: dict[str, Any]) -> None:
        if "records" not in state:
            super().set_state(state)
            return
        for s, record in zip(self.slots, state["records"], strict=True):
            s.t = int(record["time"])
            s.m, s.v = (flat(record[name]).copy() for name in ("moment_1", "moment_2"))


@right()
class ThirtyFirstBRightJoined(Slotted):
    """TensorFlow's Adam over one row for each dtype, with settings in rows too, cut apart behind the step."""

    dialect = "tf1.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            s.t += 1
        present = [(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for dtype in {s.p.dtype for s, _ in present}:
            self.joined([(s, g) for s, g in present if s.p.dtype == dtype], dtype)

    def joined(self, members: list[tuple[Slot, Array]], dtype: np.dtype[Any]) -> None:
        def row(of: Callable[[Slot], float]) -> Array:
            return np.concatenate([np.full(s.p.size, of(s), dtype) for s, _ in members])

        p, m, v = (np.concatenate([getattr(s, name) for s, _ in members]) for name in ("p", "m", "v"))
        g = np.concatenate([g for _, g in members])
        rate = row(lambda s: s.h.lr * math.sqrt(1 - s.h.b2**s.t) / (1 - s.h.b1**s.t))
        m += row(lambda s: 1 - s.h.b1) * (g - m)
        w = row(lambda s: 1 - s.h.b2)
        v += (w * g) * g - w * v
        p -= rate * (m / (np.sqrt(v) + row(lambda s: s.h.eps)))
        end = 0
        for s, _ in members:
            begin, end = end, end + s.p.size
            s.p, s.m, s.v = (x[begin:end].copy() for x in (p, m, v))


@right()
class ThirtyFirstBRightAsked(Keras):
    """Keras' AdamW of closures, one for each array, which read their settings in every step."""

    dialect = "keras.AdamW"

    def begin(self) -> None:
        self.steps = [self.made(s) for s in self.slots]

    def made(self, s: Slot) -> Callable[[Array], None]:
        def step(gradient: Array) -> None:
            h, t = s.h, s.t
            power_1, power_2 = h.b1**t, h.b2**t
            alpha = h.lr * math.sqrt(1 - power_2) / (1 - power_1)
            s.p = s.p - s.p * h.weight_decay * h.lr
            s.m = s.m + (gradient - s.m) * (1 - h.b1)
            s.v = s.v + ((gradient * (1 - h.b2)) * gradient - s.v * (1 - h.b2))
            s.p = s.p - (s.m / (np.sqrt(s.v) + h.eps)) * alpha

        return step

    def update(self, s: Slot, g: Array) -> None:
        self.steps[s.index](g)


@right()
class ThirtyFirstBRightMaximumInPlace(Maximum):
    """AMSGrad with L2, in place, whose scalars are arrays without a dimension in the parameter's dtype."""

    dialect = "torch.Adam"

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        names = {"b1": h.b1, "w1": 1 - h.b1, "b2": h.b2, "w2": 1 - h.b2, "eps": h.eps, "wd": h.weight_decay}
        x = {name: np.asarray(value, s.p.dtype) for name, value in names.items()}
        size = np.asarray(h.lr / (1 - h.b1**s.t), s.p.dtype)
        root = np.asarray(math.sqrt(1 - h.b2**s.t), s.p.dtype)
        grad = np.multiply(s.p, x["wd"])
        grad += g
        np.multiply(s.m, x["b1"], out=s.m)
        s.m += x["w1"] * grad
        np.multiply(s.v, x["b2"], out=s.v)
        s.v += (x["w2"] * grad) * grad
        np.maximum(s.top, s.v, out=s.top)
        below = np.sqrt(s.top)
        below /= root
        below += x["eps"]
        s.p -= size * (s.m / below)
