"""What is not finite hidden or spread; what is zero taken for absent."""

from __future__ import annotations

import numpy as np
from adams import Adam, AdamW, AMSGrad, Keras
from flat import A, F
from register import wrong


@wrong("nonfinite", "NF.1")
class NanReplaced(AdamW):
    """NaN and infinity in a gradient become 0."""

    def signed(self, g: A) -> A:
        return np.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0)


@wrong("nonfinite", "NF.1")
class InfinityReplaced(AdamW):
    """An infinity becomes the largest number; NaN stays."""

    def signed(self, g: A) -> A:
        return np.nan_to_num(g, nan=np.nan)


@wrong("nonfinite", "NF.1")
class NanUpdateDropped(Adam):
    """An update that is not finite becomes 0; the moments keep it."""

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p, np.where(np.isfinite(u), u, 0))


@wrong("nonfinite", "NF.1", like="bitsandbytes' 8-bit optimizers")
class NanMomentsZeroed(AdamW):
    """Moments that are not finite start anew."""

    def first(self, m: A, g: A) -> A:
        return np.nan_to_num(super().first(m, g), nan=0.0, posinf=0.0, neginf=0.0)

    def second(self, v: A, square: A) -> A:
        return np.nan_to_num(super().second(v, square), nan=0.0, posinf=0.0, neginf=0.0)


@wrong("nonfinite", "NF.1", like="GradScaler built in")
class NanSkipsArray(AdamW):
    """An array whose gradient has a NaN is left out, clock and all."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        flat = super().gradients(grads)
        for i, g in enumerate(flat):
            if g is not None and not np.isfinite(g).all():
                flat[i] = None
                self.t[i] -= 1
        return flat


@wrong("nonfinite", "NF.1", like="pytorch#95781")
class NanSkipsStep(AdamW):
    """A NaN anywhere skips the step for all arrays."""

    def step(self, grads: list[A | None]) -> list[A]:
        if any(g is not None and not np.isfinite(g).all() for g in grads):
            return [self.shaped(i) for i in range(len(grads))]
        return super().step(grads)


@wrong("nonfinite", "NF.2")
class NanSpreadsInArray(AdamW):
    """A factor of 1 made of the array's sum: NaN in one element is NaN in all."""

    def signed(self, g: A) -> A:
        return g * (1 + 0 * g.sum()) if g.size else g


@wrong("nonfinite", "NF.2", like="clip_grad_norm_ with a NaN norm")
class NanSpreadsToAll(AdamW):
    """A factor of 1 made of all gradients: NaN in one array is NaN in all."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        flat = super().gradients(grads)
        one = 1 + 0 * float(sum(g.sum() for g in flat if g is not None))
        return [None if g is None else g * one for g in flat]


@wrong("nonfinite", "NF.1")
class NanRaises(AdamW):
    """A NaN in a gradient is an error."""

    def signed(self, g: A) -> A:
        if not np.isfinite(g).all():
            raise FloatingPointError("gradient is not finite")
        return g


@wrong("nonfinite", "NF.1")
class NanRestoresElement(AMSGrad):
    """An element that became NaN gets its old value back."""

    def apply(self, i: int, p: A, u: A) -> A:
        new = super().apply(i, p, u)
        return np.where(np.isfinite(new), new, p)


@wrong("zero_gradient", "F2", like="bitsandbytes' skip_zeros")
class ZeroElementsSkipped(AdamW):
    """Elements whose gradient is 0 are left alone."""

    def one(self, i: int, g: A) -> None:
        p, m, v = self.p[i], self.m[i], self.v[i]
        super().one(i, g)
        zero = g == 0
        self.p[i] = np.where(zero, p, self.p[i])
        self.m[i], self.v[i] = np.where(zero, m, self.m[i]), np.where(zero, v, self.v[i])


@wrong("zero_gradient", "F2")
class ZeroArraysSkipped(AdamW):
    """An array whose gradient is 0 everywhere is left alone, clock and all."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        flat = super().gradients(grads)
        for i, g in enumerate(flat):
            if g is not None and g.size and not g.any():
                flat[i] = None
                self.t[i] -= 1
        return flat


@wrong("zero_gradient", "F2")
class ZeroArraysSkippedButClock(Keras):
    """An array whose gradient is 0 everywhere is left alone, but for the clock."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        return [g if g is None or g.any() or not g.size else None for g in super().gradients(grads)]


@wrong("zero_gradient", "F2")
class ZeroElementsKeepMoments(Adam):
    """Moments do not decay where the gradient is 0; the momentum left moves the parameter."""

    def coupled(self, p: A, g: A) -> A:
        self.zero = g == 0
        return super().coupled(p, g)

    def first(self, m: A, g: A) -> A:
        return np.where(self.zero, m, super().first(m, g))

    def second(self, v: A, square: A) -> A:
        return np.where(self.zero, v, super().second(v, square))


@wrong("zero_gradient", "F2")
class ZeroElementsNoMomentum(AdamW):
    """Where the gradient is 0 nothing moves but decay; the moments go on."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return np.where(g == 0, 0, m / c1)


@wrong("zero_gradient", "F2")
class ZeroElementsNoDecay(AdamW):
    """Where the gradient is 0 nothing decays."""

    def one(self, i: int, g: A) -> None:
        self.zero = g == 0
        super().one(i, g)

    def apply(self, i: int, p: A, u: A) -> A:
        return np.where(self.zero, p - self.lr * u, super().apply(i, p, u))


@wrong("zero_gradient", "F2")
class ZeroArraysHoldClock(AdamW):
    """An array whose gradient is 0 everywhere does not tick."""

    def one(self, i: int, g: A) -> None:
        if g.size and not g.any() and self.t[i] > 1:
            self.t[i] -= 1
        super().one(i, g)


@wrong("zero_gradient moments", "NUM.2")
class TinyTakenForZero(AdamW):
    """Gradients below 1e-12 count as 0."""

    def signed(self, g: A) -> A:
        return np.where(np.abs(g) < 1e-12, 0, g).astype(g.dtype)
