"""Wrong Adams held out: from the specification and from bugs of the wild, not from the suite's faults.

docs/score.md says how many the diagnosis named when it first saw them.  Whoever changes the
diagnosis because of one of these writes new ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from adams import Adam, AdamW, Apex, Ascent, Keras, Unscaled
from flat import A, F, reals, shaped
from register import wrong

# Epsilon


@wrong("epsilon", "EPS.1", like="torch's folded step, ported by hand")
class EpsScaledUnrooted(Adam):
    """The folded form's eps is scaled by 1-b2**t where its root is due."""

    def denominator(self, v: A, c2: F) -> A:
        return (np.sqrt(v) + self.eps * c2) / math.sqrt(c2)


@wrong("epsilon", "EPS.2", like="max(v, eps**2)")
class EpsIsFloor(Keras):
    """The denominator is at least eps, instead of eps longer."""

    def denominator(self, v: A, c2: F) -> A:
        return np.maximum(np.sqrt(v), self.eps) / math.sqrt(c2)


# Bias correction


@wrong("bias_correction", "BC.1", like="1-b**t by its first term, in embedded code")
class LinearCorrection(AdamW):
    """1-b**t is taken as t*(1-b), up to 1."""

    def correction(self, t: int) -> tuple[F, F]:
        return min(1.0, t * (1 - self.b1)), min(1.0, t * (1 - self.b2))


@wrong("bias_correction moments", "BC.3", like="holocron#1")
class CorrectedIsKept(Apex):
    """The corrected first moment is stored, and corrected again by the next step."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        self.m[i] = m / c1
        return self.m[i]


# Moments


@wrong("moments", "MOM.1", like="the old name used where a functional update made a new one")
class OldMomentum(AdamW):
    """A step is made with the first moment as it was before the gradient came in."""

    def first(self, m: A, g: A) -> A:
        self.before = m
        return super().first(m, g)

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.before / c1


@wrong("moments hyperparameters", "MOM.2", like="lerp(g*g, v, 1-b2), its ends exchanged; blocks#1159")
class SecondExchanged(Adam):
    """The second moment's two weights are exchanged, the first moment's are not."""

    def second(self, v: A, square: A) -> A:
        return (1 - self.b2) * v + square

    def square(self, i: int, g: A) -> A:
        return self.b2 * g * g


# Decay


@wrong("decay", "DEC.3", like="cautious weight decay")
class CautiousDecay(Unscaled):
    """Only what moves towards 0 anyway is decayed."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.wd * p * (u * p > 0) - self.lr * u


@wrong("decay moments", "DEC.1")
class DecayInFirstOnly(Adam):
    """The L2 term enters the first moment, and the second sees the bare gradient."""

    def coupled(self, p: A, g: A) -> A:
        self.bare = g
        return super().coupled(p, g)

    def square(self, i: int, g: A) -> A:
        return super().square(i, self.bare)


# Hyperparameters


@wrong("hyperparameters decay", "DEC.2", like="weight_decay or 0.01")
class FalsyDecay(AdamW):
    """A weight decay of 0 counts as not given, and is the default of 0.01."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.wd = self.wd or 0.01


@wrong("hyperparameters", "MOM.2")
class CappedBeta(Adam):
    """A b2 above 0.999 is silently 0.999."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.b2 = min(self.b2, 0.999)


# Clock


@wrong("clock", "CLK.1", like="DeepSpeed's FusedAdam")
class LastPresentClock(AdamW):
    """All are corrected for the clock of the last array that has a gradient."""

    def advance(self, grads: list[A | None]) -> None:
        super().advance(grads)
        self.last = max((i for i, g in enumerate(grads) if g is not None), default=0)

    def time(self, i: int) -> int:
        return self.t[self.last]


@wrong("clock", "CLK.3", like="torchao#4915, a counter in the default dtype")
class HalfClock(AdamW):
    """The clock is a float16, which 2048 + 1 leaves where it is."""

    def advance(self, grads: list[A | None]) -> None:
        for i, g in enumerate(grads):
            if g is not None:
                self.t[i] = int(np.float16(min(self.t[i], 2048)) + np.float16(1))


# Absent gradients


@wrong("missing", "F1", like="a gradient buffer that nobody clears")
class LastGradientAgain(AdamW):
    """Where a gradient is absent the last one that was seen is used again."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.seen: list[A | None] = [None for _ in params]

    def step(self, grads: list[A | None]) -> list[A]:
        pairs = zip(grads, self.seen, strict=True)
        self.seen = [old if g is None else g.copy() for g, old in pairs]
        return super().step(self.seen)


@wrong("missing", "F1", like="a state that is dropped with its gradient")
class AbsentForgets(Apex):
    """An absent gradient empties its array's moments."""

    def absent(self, i: int) -> None:
        self.m[i], self.v[i] = self.start(self.p[i]), self.start(self.p[i])


# Zero gradients


@wrong("zero_gradient clock", "F2")
class NoTickForZero(Adam):
    """The clock does not tick for a gradient that is zero everywhere; the rest is done."""

    def advance(self, grads: list[A | None]) -> None:
        for i, g in enumerate(grads):
            self.t[i] += g is not None and bool(g.any() or not self.t[i])


@wrong("zero_gradient", "F2", like="lazy embeddings")
class ZeroStandsStill(AdamW):
    """The momentum that is left does not move an element whose gradient is zero."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return np.where(g == 0, 0, m / c1)


# Non-finite values


@wrong("nonfinite", "NF.2", like="clip_grad_norm_ with a norm that is never reached")
class NormLeaks(AdamW):
    """A norm over everything, for a clipping far off, carries one NaN or infinity everywhere."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        squares = [np.square(reals(g), dtype=np.longdouble).sum() for g in grads if g is not None]
        norm = np.sqrt(np.sum(squares, dtype=np.longdouble))
        scale = float(np.minimum(np.longdouble("1e4000") / (norm + 1e-6), 1.0))
        return [None if g is None else g * scale for g in super().gradients(grads)]


@wrong("nonfinite", "NF.1", like="nan_to_num over the update")
class HealedUpdate(AdamW):
    """An update that is no number is left out, so that the parameter lives on beside a lost moment."""

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p, np.where(np.isfinite(u), u, 0))


# Aliasing


@wrong("aliasing", "STATE.2", like="grad.neg_()")
class NegatesInPlace(Ascent):
    """To maximize, the caller's gradient itself is negated."""

    def signed(self, g: A) -> A:
        return np.negative(g, out=g)


@wrong("aliasing state", "STATE.2")
class AdoptsState(AdamW):
    """The arrays of a loaded state are kept and updated in place: the caller's snapshot trains on."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.m, self.v = [reals(a) for a in state["m"]], [reals(a) for a in state["v"]]

    def first(self, m: A, g: A) -> A:
        m[...] = super().first(m, g)
        return m

    def second(self, v: A, square: A) -> A:
        v[...] = super().second(v, square)
        return v


# State


@wrong("state clock", "STATE.4", like="goodfire-ai/spd#678: is it N or N+1 after a resume?")
class ResumesLate(Adam):
    """A loaded clock is taken as that of the step to come, and raised once more."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.t = [t + (t > 0) for t in self.t]


@wrong("state mixed_precision", "STATE.4", like="KempnerForge#115, a checkpoint in the model's dtype")
class SavedShort(AdamW):
    """The second moment is saved with the upper half of its bits."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for v in state["v"]:
            bits = reals(v).view(f"u{reals(v).itemsize}").copy()
            half = 8 * reals(v).itemsize // 2
            v[...] = shaped((bits >> half << half).view(reals(v).dtype), v.dtype, v.shape)
        return state
