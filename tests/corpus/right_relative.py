"""Right Adams with decay relative to lr_max, written in other orders."""

from __future__ import annotations

from adams import Relative, Squared
from flat import A, F
from register import right


@right()
class RelativePlain(Relative):
    """As FlashOptim writes it."""


@right()
class RelativeFactor(Relative):
    """p times 1 minus the fraction, with the decay scaled first."""

    def fraction(self) -> F:
        return self.wd * (self.lr / self.lr_max)

    def apply(self, i: int, p: A, u: A) -> A:
        return p * (1 - self.fraction()) - self.lr * u


@right()
class SquaredPlain(Squared):
    """As timm writes it."""


@right()
class SquaredByRatio(Squared):
    """The ratio is kept, and multiplies lr*wd."""

    def set_lr(self, lr: F) -> None:
        super().set_lr(lr)

    def apply(self, i: int, p: A, u: A) -> A:
        ratio = self.lr / self.lr_max
        return p - self.lr * (u + ratio * (self.wd * p))
