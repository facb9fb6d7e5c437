"""Blind, third set: right Adams whose arithmetic or order of work is unusual."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from register import right


def gathered(s: Slot, new: Sequence[Array]) -> None:
    """Put back parameter and moments."""
    s.p, s.m, s.v = new


@right()
class ThirdRightBlocks(Frame):
    """The array is worked through in blocks of seven elements."""

    def update(self, s: Slot, g: Array) -> None:
        whole, parts = (s.p, s.m, s.v), []
        for i in range(0, g.size, 7):
            gathered(s, [a[i : i + 7] for a in whole])
            super().update(s, g[i : i + 7])
            parts.append((s.p, s.m, s.v))
        gathered(s, [np.concatenate(a) for a in zip(*parts, strict=True)] if parts else whole)


@right()
class ThirdRightOneLongRow(Frame):
    """Arrays of one dtype, one count and equal settings are laid end to end and stepped as one."""

    def all(self, grads: Sequence[Array | None]) -> None:
        piles: dict[tuple[object, ...], list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                self.missed(s)
                continue
            self.tick(s)
            h, row = s.h, flat(g)
            key = s.p.dtype, row.dtype, s.t, h.lr, h.b1, h.b2, h.eps, h.weight_decay
            piles.setdefault(key, []).append((s, row))
        for pile in piles.values():
            slots = [s for s, _ in pile]
            kept = [(s.p, s.m, s.v) for s in slots]
            first = slots[0]
            gathered(first, [np.concatenate(a) for a in zip(*kept, strict=True)])
            with np.errstate(all="ignore"):
                self.update(first, np.concatenate([g for _, g in pile]))
            ends = np.cumsum([a.size for a, _, _ in kept])[:-1]
            made = [np.split(a, ends) for a in (first.p, first.m, first.v)]
            for s, new in zip(slots, zip(*made, strict=True), strict=True):
                gathered(s, new)


@right()
class ThirdRightLastFirst(Frame):
    """The parameters are stepped from the last to the first."""

    def all(self, grads: Sequence[Array | None]) -> None:
        order, self.slots = self.slots, self.slots[::-1]
        try:
            super().all(grads[::-1])
        finally:
            self.slots = order


@right()
class ThirdRightCoroutines(Frame):
    """For each step a coroutine per parameter learns, waits for the others, and then moves."""

    def work(self, s: Slot, g: Array) -> Generator[None]:
        with np.errstate(all="ignore"):
            self.learn(s, g)
        yield
        with np.errstate(all="ignore"):
            self.move(s, self.direction(s))

    def all(self, grads: Sequence[Array | None]) -> None:
        waiting = []
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                self.missed(s)
            else:
                self.tick(s)
                waiting.append(self.work(s, flat(g)))
        for worker in [*waiting, *reversed(waiting)]:
            next(worker, None)


@right()
class ThirdRightNearer(Frame):
    """The moments go nearer to what is new by a part of the way."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = s.v - ((1 - s.h.b2) * s.v - ((1 - s.h.b2) * g) * g)


@right()
class ThirdRightReciprocal(Frame):
    """The first moment is multiplied by the reciprocal of the denominator."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return np.reciprocal(np.sqrt(s.v) / math.sqrt(c2) + s.h.eps) * s.m / c1


@right()
class ThirdRightOneFraction(Frame):
    """Both corrections are cleared out of the fraction: m*root2 / (c1*(sqrt(v) + eps*root2))."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        root = math.sqrt(c2)
        return (s.m * root) / (c1 * np.sqrt(s.v) + c1 * (s.h.eps * root))


@right()
class ThirdRightFoldedRate(Frame):
    """Learning rate and epsilon take the corrections in, and the moments are used as they are."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        rate, eps = s.h.lr * math.sqrt(c2) / c1, s.h.eps * math.sqrt(c2)
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - rate * (s.m / (np.sqrt(s.v) + eps))


@right()
class ThirdRightHats(Frame):
    """The corrected moments are arrays of their own, as on paper."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        m_hat, v_hat = s.m / c1, s.v / c2
        return m_hat / (np.sqrt(v_hat) + s.h.eps)


def corrected(s: Slot, left: Callable[[float, int], float]) -> Array:
    """Return the direction with 1 - b**t formed by `left`."""
    c1, c2 = left(s.h.b1, s.t), left(s.h.b2, s.t)
    return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@right()
class ThirdRightExponential(Frame):
    """What is left of the bias comes from the exponential function less 1."""

    def direction(self, s: Slot) -> Array:
        return corrected(s, lambda b, t: -math.expm1(t * math.log(b)) if b else 1.0)


@right(claim="paddle.AdamW")
class ThirdRightSquarings(Frame):
    """The powers of the betas are formed by squaring and multiplying, bit by bit of the count."""

    def direction(self, s: Slot) -> Array:
        def left(b: float, t: int) -> float:
            power = 1.0
            for bit in f"{t:b}":
                power = power * power * (b if bit == "1" else 1.0)
            return 1 - power

        return corrected(s, left)


@right(claim="paddle.AdamW")
class ThirdRightSumOfPowers(Frame):
    """The correction is (1-b) times the sum of the powers below t, which is doubled and extended by bits."""

    def direction(self, s: Slot) -> Array:
        def left(b: float, t: int) -> float:
            total, power = 0.0, 1.0
            for bit in f"{t:b}":
                total, power = total + power * total, power * power
                if bit == "1":
                    total, power = total + power, power * b
            return (1 - b) * total

        return corrected(s, left)


@right()
class ThirdRightUphill(Frame):
    """Within the step all is negated: the negative gradient is averaged, and the quotient added."""

    def update(self, s: Slot, g: Array) -> None:
        s.m = -s.m
        self.learn(s, -g)
        step = s.h.lr * self.direction(s)
        s.m = -s.m
        s.p = (s.p - s.h.lr * s.h.weight_decay * s.p) + step


@right()
class ThirdRightByMagnitude(Frame):
    """The elements are stepped in the order of their gradients and laid back."""

    def update(self, s: Slot, g: Array) -> None:
        order = np.argsort(np.abs(g), kind="stable")
        gathered(s, [a[order] for a in (s.p, s.m, s.v)])
        super().update(s, g[order])
        back = np.argsort(order, kind="stable")
        gathered(s, [a[back] for a in (s.p, s.m, s.v)])
