"""Clipping that nobody asked for."""

from __future__ import annotations

import numpy as np
from adams import Adam, AdamW, Uncorrected
from flat import A, F
from register import wrong


def shortened(a: A, limit: F) -> A:
    """Scaled down to norm ``limit`` where it is longer."""
    norm = float(np.sqrt(np.sum(a.astype(float) ** 2)))
    return a * (limit / norm) if norm > limit else a


@wrong("clipping", "NUM.5")
class ClipsElements(AdamW):
    """Each gradient element to [-1, 1]."""

    def signed(self, g: A) -> A:
        return np.clip(g, -1, 1)


@wrong("clipping", "NUM.5", like="pyro.ClippedAdam")
class ClipsElementsAtTen(Adam):
    """Each gradient element to [-10, 10]."""

    def signed(self, g: A) -> A:
        return np.clip(g, -10, 10)


@wrong("clipping", "NUM.5")
class ClipsElementsAtThousand(AdamW):
    """Each gradient element to [-1000, 1000]."""

    def signed(self, g: A) -> A:
        return np.clip(g, -1000, 1000)


@wrong("clipping", "NUM.5", like="BertAdam's max_grad_norm")
class ClipsArrays(Uncorrected):
    """Each array's gradient to norm 1."""

    def signed(self, g: A) -> A:
        return shortened(g, 1.0)


@wrong("clipping", "NUM.5", like="thinc.Adam's grad_clip")
class ClipsArraysAtTen(AdamW):
    """Each array's gradient to norm 10."""

    def signed(self, g: A) -> A:
        return shortened(g, 10.0)


@wrong("clipping", "NUM.5", like="apex#1512")
class ClipsAll(AdamW):
    """All gradients together to norm 1."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        flat = super().gradients(grads)
        norm = float(np.sqrt(sum(np.sum(g.astype(float) ** 2) for g in flat if g is not None)))
        return [g if g is None or norm <= 1 else g / norm for g in flat]


@wrong("clipping", "NUM.5", like="StableAdamW")
class ClipsUpdateNorm(AdamW):
    """The update to a root mean square of 1."""

    def apply(self, i: int, p: A, u: A) -> A:
        size = float(np.sqrt(np.mean(u.astype(float) ** 2))) if u.size else 0.0
        return super().apply(i, p, u / max(size, 1.0))


@wrong("clipping", "NUM.5", like="LaProp's and ADOPT's clip")
class ClipsUpdate(AdamW):
    """Each element of the update to [-1, 1]."""

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p, np.clip(u, -1, 1))


@wrong("clipping", "NUM.5")
class ClipsFirstMoment(Adam):
    """m to [-1/2, 1/2]."""

    def first(self, m: A, g: A) -> A:
        return np.clip(super().first(m, g), -0.5, 0.5)


@wrong("clipping", "NUM.5")
class ClipsParameters(AdamW):
    """p to [-2, 2] after the step."""

    def apply(self, i: int, p: A, u: A) -> A:
        return np.clip(super().apply(i, p, u), -2, 2)


@wrong("clipping", "NUM.5")
class NormalizesGradient(AdamW):
    """Each array's gradient divided by its norm."""

    def signed(self, g: A) -> A:
        norm = np.sqrt(np.sum(g * g))
        return g / norm if norm > 0 else g


@wrong("clipping moments", "NUM.5", like="gradient centralization")
class CentresGradient(AdamW):
    """Each array's mean gradient subtracted."""

    def signed(self, g: A) -> A:
        return g - g.mean() if g.size > 1 else g
