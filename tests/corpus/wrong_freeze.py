"""Absent gradients: what should stand still moves, forgets, or makes others stop."""

from __future__ import annotations

import numpy as np
from adams import Adam, AdamW, AMSGrad, Apex, NAdam, Optax
from flat import A
from register import wrong


@wrong("missing", "F1", like="pytorch#28294")
class AbsentIsZero(AdamW):
    """An absent gradient acts as a zero one."""

    def absent(self, i: int) -> None:
        self.t[i] += 1
        self.one(i, np.zeros_like(self.p[i]))


@wrong("missing", "F1", like="pytorch#48793")
class AbsentIsZeroL2(Adam):
    """An absent gradient acts as a zero one, under L2."""

    def absent(self, i: int) -> None:
        self.t[i] += 1
        self.one(i, np.zeros_like(self.p[i]))


@wrong("missing", "F1", like="pytorch#150610")
class AbsentDecays(AdamW):
    """A parameter without a gradient decays."""

    def absent(self, i: int) -> None:
        self.p[i] = self.p[i] - self.lr * self.wd * self.p[i]


@wrong("missing", "F1", like="Muon#54")
class AbsentDecaysGlobal(Apex):
    """A parameter without a gradient decays, under a global clock."""

    def absent(self, i: int) -> None:
        self.p[i] = self.p[i] - self.lr * self.wd * self.p[i]


@wrong("missing", "F1")
class AbsentForgets(AdamW):
    """An absent gradient starts moments and clock anew."""

    def absent(self, i: int) -> None:
        self.m[i], self.v[i], self.t[i] = self.start(self.p[i]), self.start(self.p[i]), 0


@wrong("missing", "F4", like="a reset loop over optimizer.state")
class AbsentForgetsMoments(AdamW):
    """An absent gradient starts the moments anew, not the clock."""

    def absent(self, i: int) -> None:
        self.m[i], self.v[i] = self.start(self.p[i]), self.start(self.p[i])


@wrong("missing", "F1")
class AbsentFades(Adam):
    """The moments of an absent gradient decay; its parameter stands."""

    def absent(self, i: int) -> None:
        self.m[i], self.v[i] = self.b1 * self.m[i], self.b2 * self.v[i]


@wrong("missing", "F1", like="zero_grad forgotten")
class AbsentRepeats(AdamW):
    """The last gradient is used again."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.last: list[A | None] = [None for _ in params]

    def step(self, grads: list[A | None]) -> list[A]:
        self.last = [old if g is None else g.copy() for g, old in zip(grads, self.last, strict=True)]
        return super().step(list(self.last))


@wrong("missing", "F1")
class AbsentRaises(AdamW):
    """An absent gradient is an error where it should be skipped."""

    def absent(self, i: int) -> None:
        raise ValueError(f"parameter {i} has no gradient")


@wrong("missing", "F1")
class AbsentSwallowed(Optax):
    """An absent gradient is skipped where it should be an error."""

    def advance(self, grads: list[A | None]) -> None:
        self.t[:] = [t + 1 for t in self.t]


@wrong("missing", "F1")
class AbsentStopsAll(AdamW):
    """One absent gradient skips the step for all."""

    def step(self, grads: list[A | None]) -> list[A]:
        return super().step([None for _ in grads] if any(g is None for g in grads) else grads)


@wrong("missing", "F1", like="a return for a continue")
class AbsentStopsThoseAfter(AdamW):
    """An absent gradient ends the loop: those behind it are skipped."""

    def step(self, grads: list[A | None]) -> list[A]:
        first = next((i for i, g in enumerate(grads) if g is None), len(grads))
        return super().step([g if i < first else None for i, g in enumerate(grads)])


@wrong("missing", "F1")
class AbsentMomentumMoves(NAdam):
    """Momentum moves a parameter without a gradient; moments and clock stand."""

    def absent(self, i: int) -> None:
        if self.t[i]:
            c1, c2 = self.correction(self.t[i])
            self.p[i] = self.p[i] - self.lr * (self.m[i] / c1) / self.denominator(self.v[i], c2)


@wrong("missing", "F1", like="tfjs#4290")
class AbsentShiftsState(AdamW):
    """Absent gradients are filtered out, and states are matched by what is left."""

    def step(self, grads: list[A | None]) -> list[A]:
        self.order = [i for i, g in enumerate(grads) if g is not None]
        return super().step(grads)

    def one(self, i: int, g: A) -> None:
        k = self.order.index(i)
        p, self.p[k] = self.p[k], self.p[i]
        super().one(k, g)
        moved, self.p[k] = self.p[k], p
        self.p[i] = moved

    def advance(self, grads: list[A | None]) -> None:
        for k in range(len(self.order)):
            self.t[k] += 1


@wrong("missing", "F1", like="optimizers built over the parameters that had a gradient at first")
class AbsentAtFirstNeverMoves(AdamW):
    """A parameter without a gradient in the first step is never stepped."""

    known: list[bool] | None = None

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.known = None

    def step(self, grads: list[A | None]) -> list[A]:
        self.known = self.known or [g is not None for g in grads]
        return super().step([g if k else None for g, k in zip(grads, self.known, strict=True)])


@wrong("missing", "F1")
class AbsentDropsMaximum(AMSGrad):
    """An absent gradient sets v_max back to v."""

    def absent(self, i: int) -> None:
        self.top[i] = self.v[i].copy()


@wrong("missing", "F5", like="stale momentum dropped on thaw")
class ThawForgetsFirst(AdamW):
    """After a freeze m starts at 0, v and clock go on."""

    def absent(self, i: int) -> None:
        self.m[i] = self.start(self.p[i])
