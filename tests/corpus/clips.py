"""Adams that clip, as their claims ask for (``--clip``), and in other ways."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from adams import Adam, AdamW
from flat import A

from adamcore.conformance.types import Clipping


class Clipped(AdamW):
    """All gradients together to norm 1."""

    clip: ClassVar[Clipping] = Clipping("global_norm", 1.0)
    area: ClassVar[str] = ""  #: of what is wrong
    rule: ClassVar[str] = ""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        gs = super().gradients(grads)
        there = [g for g in gs if g is not None]
        total = self.size(np.concatenate([np.zeros(1), *(g.astype(float) for g in there)]))
        return [None if g is None else self.shortened(g, total) for g in gs]

    def size(self, x: A) -> float:
        return float(np.sqrt(np.sum(np.where(np.isfinite(x), x, 0.0) ** 2)))

    def shortened(self, g: A, size: float) -> A:
        most = self.clip.most
        return g * g.dtype.type(most / size) if size > most else g


class ClippedEach(Clipped):
    """Each gradient to norm 1."""

    clip = Clipping("norm", 1.0, 1e-6)

    def shortened(self, g: A, size: float) -> A:
        size, most = self.size(g.astype(float)) + self.clip.eps, self.clip.most
        return g * g.dtype.type(most / size) if size > most else g


class ClippedElements(Clipped):
    """Each number to a size of 0.5."""

    clip = Clipping("value", 0.5)

    def shortened(self, g: A, size: float) -> A:
        return np.clip(g, -self.clip.most, self.clip.most)


RIGHT = (Clipped, ClippedEach, ClippedElements)


class NotAtAll(AdamW):
    """Nothing is clipped."""

    clip, rule, area = Clipped.clip, "CLIP.2", "clipping"


class EachByItself(ClippedEach):
    """Each gradient by its own norm, where the norm of all is claimed."""

    clip, rule, area = Clipped.clip, "CLIP.2", "clipping"


class AllTogether(Clipped):
    """All gradients by the norm of all, where that of each is claimed."""

    clip, rule, area = Clipping("norm", 1.0), "CLIP.3", "clipping"


class ByValue(ClippedElements):
    """Each number, where the norm of all is claimed."""

    clip, rule, area = Clipped.clip, "CLIP.2", "clipping"


class AlwaysToOne(Clipped):
    """Small gradients are made longer."""

    rule, area = "CLIP.2", "clipping"

    def shortened(self, g: A, size: float) -> A:
        return g * g.dtype.type(1.0 / size) if size else g


class SumOfSquares(Clipped):
    """The root is left out."""

    rule, area = "CLIP.2", "clipping"

    def size(self, x: A) -> float:
        return super().size(x) ** 2


class LargestElement(Clipped):
    """The largest size for the norm."""

    rule, area = "CLIP.2", "clipping"

    def size(self, x: A) -> float:
        return float(np.max(np.abs(np.where(np.isfinite(x), x, 0.0))))


class SumOfSizes(Clipped):
    """The norm of 1 for that of 2."""

    rule, area = "CLIP.2", "clipping"

    def size(self, x: A) -> float:
        return float(np.sum(np.abs(np.where(np.isfinite(x), x, 0.0))))


class LateNorm(Clipped):
    """The norm of the step before."""

    rule, area = "CLIP.2", "clipping"
    last = 0.0

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        found = super().gradients(grads)
        self.last = self.now
        return found

    def size(self, x: A) -> float:
        self.now = super().size(x)
        return self.last


class WithEps(Clipped):
    """1e-6 beside the norm, which is not claimed."""

    rule, area = "CLIP.2", "clipping"

    def size(self, x: A) -> float:
        return super().size(x) + 1e-6


class WithoutEps(ClippedEach):
    """No eps, where one is claimed."""

    rule, area = "CLIP.2", "clipping"

    def shortened(self, g: A, size: float) -> A:
        size = self.size(g.astype(float))
        return g * g.dtype.type(1.0 / size) if size > 1.0 else g


class FromAbove(ClippedElements):
    """Positive numbers alone."""

    rule, area = "CLIP.4", "clipping"

    def shortened(self, g: A, size: float) -> A:
        return np.minimum(g, self.clip.most)


class WithDecay(Adam):
    """The sum of gradient and L2 decay, each number by its value."""

    clip, rule, area = Clipping("value", 0.5), "CLIP.1", "clipping"

    def coupled(self, p: A, g: A) -> A:
        return np.clip(super().coupled(p, g), -0.5, 0.5)


class NanEverywhere(Clipped):
    """What is not finite counts in the norm, as in PyTorch and optax."""

    rule, area = "CLIP.5", "clipping"

    def size(self, x: A) -> float:
        return float(np.sqrt(np.sum(x**2)))

    def shortened(self, g: A, size: float) -> A:
        return g * g.dtype.type(min(1.0, 1.0 / size) if size else 1.0) if not size <= 1.0 else g


WRONG = (
    NotAtAll, EachByItself, AllTogether, ByValue, AlwaysToOne, SumOfSquares, LargestElement, SumOfSizes,
    LateNorm, WithEps, WithoutEps, FromAbove, WithDecay, NanEverywhere,
)  # fmt: skip
