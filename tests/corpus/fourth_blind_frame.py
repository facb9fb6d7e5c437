"""The frames of the fourth blind set: AdamW with epsilon hat, with one clock, as optax and Keras have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import FIVE, Array, Frame, Slot, corrections

FOUR = FIVE[:4]  #: the hyperparameters of an Adam without weight decay


def brained(a: Array) -> Array:
    """Return an array whose numbers are rounded to bfloat16, to nearest and even."""
    word = np.ascontiguousarray(a, np.float32).view(np.uint32)
    near = (word + 0x7FFF + ((word >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.asarray(np.where(np.isfinite(a), near.view(np.float32), a), a.dtype)


def lookahead(s: Slot, t: int) -> float:
    """Return the momentum that Dozat's schedule has at t."""
    return s.h.b1 * (1 - 0.5 * 0.96 ** (t * s.h.momentum_decay))


class Hat(Frame):
    """AdamW whose epsilon is compared with the uncorrected root."""

    dialect = "fairseq.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


class Uncorrected(Frame):
    """AdamW without bias correction."""

    dialect = "BertAdam"

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


class Common(Frame):
    """AdamW with one clock for all parameters, which ticks in every step; absent gradients are skipped."""

    dialect = "apex.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            self.tick(s)
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.update(s, self.taken(g))

    def admit(self, grads: Sequence[Array | None]) -> None:
        """Raise an error if these gradients cannot be stepped by."""


class Keras(Common):
    """Epsilon hat, one clock, and an error where no gradient is there at all."""

    dialect = "keras.AdamW"

    def admit(self, grads: Sequence[Array | None]) -> None:
        if self.slots and all(g is None for g in grads):
            raise ValueError("no gradients are given for any variable")

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


class Optax(Common):
    """One clock, every gradient wanted, a second epsilon under the root; real parameters alone."""

    dialect = "optax.adamw"
    hyper: ClassVar[tuple[str, ...]] = (*FIVE, "eps_root")
    complex = False

    def admit(self, grads: Sequence[Array | None]) -> None:
        if any(g is None for g in grads):
            raise ValueError("a gradient is None")

    def root(self, s: Slot) -> Array:
        c2 = corrections(s.h, s.t)[1]
        return np.sqrt(s.v + s.h.eps_root * c2) / math.sqrt(c2) + s.h.eps

    def direction(self, s: Slot) -> Array:
        return (s.m / corrections(s.h, s.t)[0]) / self.root(s)


class Ahead(Optax):
    """The same with a look-ahead, which has the correction of the next step."""

    dialect = "optax.nadamw"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        self.move(s, self.ahead(s, g) / self.root(s))

    def ahead(self, s: Slot, g: Array) -> Array:
        now, after = (1 - s.h.b1**t for t in (s.t, s.t + 1))
        return (s.h.b1 / after) * s.m + ((1 - s.h.b1) / now) * g


class Nadam(Keras):
    """Dozat's schedule as Keras has it: one clock, one product, decoupled decay."""

    dialect = "keras.Nadam"
    hyper = (*FIVE, "momentum_decay")

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.mu *= lookahead(s, s.t)

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


def stored(state: dict[str, Any], names: Sequence[str], through: Any) -> dict[str, Any]:
    """Return a saved state whose arrays of these names have gone through a function."""
    return {k: [through(a) for a in v] if k in names else v for k, v in state.items()}
