"""Blind, twenty-ninth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Dozat
from fourth_blind_frame import Keras
from register import right
from seventh_blind_frame import Unread


@right()
class TwentyNinthBRightAveragesAside(Frame):
    """AdamW beside a moving average: for a validation it is swapped in, and the raw weights come back."""

    dialect = "torch.AdamW"
    validation_steps = 10

    def begin(self) -> None:
        self.averages: dict[int, Array] = {}
        self.norms: list[float] = []

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        average = self.averages.get(s.index, s.p)
        self.averages[s.index] = average + 0.1 * (s.p - average)
        if s.t % self.validation_steps == 0:
            raw, s.p = s.p, self.averages[s.index]
            self.norms.append(float(np.abs(s.p).sum()))
            s.p = raw

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = s.v + (g * ((1 - s.h.b2) * g) - (1 - s.h.b2) * s.v)


@right()
class TwentyNinthBRightTwoProducts(Dozat):
    """NAdam whose products are those of this step and the next, and whose two terms are subtracted apart."""

    dialect = "torch.NAdam"

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        d = self.penalized(s, g)
        s.m *= h.b1
        s.m += (1 - h.b1) * d
        s.v *= h.b2
        s.v += ((1 - h.b2) * d) * d
        mu, mu_next = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        product, product_next = s.mu, s.mu * mu_next
        below = np.sqrt(s.v) / math.sqrt(1 - h.b2**s.t) + h.eps
        p = s.p - (h.lr * (1 - mu) / (1 - product)) * (d / below)
        s.p = p - (h.lr * mu_next / (1 - product_next)) * (s.m / below)


Rule = Callable[[Array, Array], Array]  #: from the highest second moment so far and the new one to the next

RULES: dict[str, Rule] = {"AMSBound": np.maximum, "AdaBound": lambda top, v: v}


@right()
class TwentyNinthBRightRuleByName(Unread):
    """AMSGrad as in its paper, whose rule for the second moment is looked up by the name of a policy."""

    dialect = "paper.AMSGrad"
    policy = "AMSBound"

    def direction(self, s: Slot) -> Array:
        s.top = RULES[self.policy](s.top, s.v)
        return s.m / np.sqrt(s.top)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@right()
class TwentyNinthBRightWeightsList(Keras):
    """Keras' Adam whose state is one list, iterations ahead, and whose arrays go by in pieces of seven."""

    dialect = "keras.Adam"
    piece = 7

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        return {"weights": [whole["t"], *whole["m"], *whole["v"]]}

    def set_state(self, state: dict[str, Any]) -> None:
        if "weights" in state:
            clocks, *arrays = state["weights"]
            n = len(self.slots)
            state = {"t": clocks, "m": arrays[:n], "v": arrays[n:]}
        super().set_state(state)

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                row = self.taken(g)
                for begin in range(0, row.size, self.piece):
                    self.stepped(s, slice(begin, begin + self.piece), row)

    def stepped(self, s: Slot, part: slice, row: Array) -> None:
        h, g = s.h, row[part]
        s.m[part] += (1 - h.b1) * (g - s.m[part])
        s.v[part] = h.b2 * s.v[part] + (g * (1 - h.b2)) * g
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        u = s.m[part] / (np.sqrt(s.v[part]) + h.eps)
        s.p[part] = (s.p[part] - (h.lr * h.weight_decay) * s.p[part]) - rate * u
