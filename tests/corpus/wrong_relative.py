"""Decay relative to lr_max with the ratio twice, upside down, of another step, or of another lr_max."""

from __future__ import annotations

from adams import Relative, Squared
from flat import A, F
from register import wrong


@wrong("decay", "DEC.8")
class RatioTwice(Squared):
    """lr*(lr/lr_max)**2*wd: the ratio is applied twice."""

    def fraction(self) -> F:
        return self.lr * (self.lr / self.lr_max) ** 2 * self.wd


@wrong("decay", "DEC.7")
class RatioTwiceRelative(Relative):
    """(lr/lr_max)**2*wd: the ratio is applied twice."""

    def fraction(self) -> F:
        return (self.lr / self.lr_max) ** 2 * self.wd


@wrong("decay", "DEC.8", like="FlashOptim's form under timm's name")
class RatioWithoutLr(Squared):
    """lr/lr_max*wd where lr*lr/lr_max*wd is claimed."""

    def fraction(self) -> F:
        return self.lr / self.lr_max * self.wd


@wrong("decay", "DEC.7", like="timm's form under FlashOptim's name")
class RatioWithLr(Relative):
    """lr*lr/lr_max*wd where lr/lr_max*wd is claimed."""

    def fraction(self) -> F:
        return self.lr * self.lr / self.lr_max * self.wd


@wrong("decay", "DEC.8", like="a tensor lr of which a reference is kept")
class RatioOfOwnLr(Squared):
    """lr_max is the lr of the step, so that the ratio is 1."""

    def fraction(self) -> F:
        return self.lr * self.wd


@wrong("decay", "DEC.7", like="a tensor lr of which a reference is kept")
class RatioOfOwnLrRelative(Relative):
    """lr_max is the lr of the step, so that the ratio is 1."""

    def fraction(self) -> F:
        return self.wd


@wrong("decay", "DEC.7")
class RatioInverted(Relative):
    """lr_max/lr."""

    def fraction(self) -> F:
        return self.lr_max / self.lr * self.wd if self.lr else 0.0


@wrong("decay schedule", "DEC.7")
class RatioLate(Relative):
    """The lr of the ratio is that of the step before."""

    old = 0.0

    def set_lr(self, lr: F) -> None:
        self.waiting = True
        self.old = self.lr
        super().set_lr(lr)

    def step(self, grads: list[A | None]) -> list[A]:
        after = super().step(grads)
        self.old = 0.0
        return after

    def fraction(self) -> F:
        return (self.old or self.lr) / self.lr_max * self.wd


@wrong("decay hyperparameters", "DEC.8")
class RatioOfConstant(Squared):
    """lr_max is 1e-3 whatever it is."""

    def fraction(self) -> F:
        return self.lr**2 / 1e-3 * self.wd


@wrong("decay hyperparameters", "DEC.7", like="max_lr read from the constructor's lr")
class RatioOfFirstLr(Relative):
    """lr_max is the first lr although another one was given."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.first_lrs: dict[int, F] = {}

    def apply(self, i: int, p: A, u: A) -> A:
        self.lr_max = self.first_lrs.setdefault(i, self.lr)
        return super().apply(i, p, u)
