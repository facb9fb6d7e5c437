"""Settings that change between steps, or differ between groups, and are not read."""

from __future__ import annotations

import numpy as np
from adams import Adam, AdamW, Optax
from flat import A, F
from register import wrong
from unsaved import Unsaved

Hyper = dict[str, float]


class Once(AdamW):
    """Reads some hyperparameters in init alone."""

    once: tuple[str, ...]

    def set_hyper(self, hyper: Hyper) -> None:
        super().set_hyper({name: value for name, value in hyper.items() if name not in self.once})


@wrong("schedule", "LR.3", like="Automodel#3882")
class DecayReadOnce(Once):
    """Weight decay is read in init alone."""

    once = ("weight_decay",)


@wrong("schedule", "LR.3", like="pytorch#73910: OneCycleLR cycles betas")
class BetasReadOnce(Once):
    """Betas are read in init alone."""

    once = ("b1", "b2")


@wrong("schedule", "LR.3")
class FirstBetaReadOnce(Once):
    """b1 is read in init alone."""

    once = ("b1",)


@wrong("schedule", "LR.3")
class EpsReadOnce(Once):
    """Epsilon is read in init alone."""

    once = ("eps",)


@wrong("schedule", "LR.3", like="a captured graph with its settings baked in")
class SettingsReadOnce(Once):
    """All but lr is read in init alone."""

    once = ("b1", "b2", "eps", "weight_decay")


@wrong("schedule", "LR.3", like="settings copied to the device after the step")
class SettingsLate(AdamW):
    """Changed settings take effect one step late."""

    waiting: Hyper = {}  # noqa: RUF012 - replaced, never changed

    def set_hyper(self, hyper: Hyper) -> None:
        self.waiting = hyper

    def step(self, grads: list[A | None]) -> list[A]:
        after = super().step(grads)
        if self.waiting:
            super().set_hyper(self.waiting)
            self.waiting = {}
        return after


@wrong("schedule decay", "LR.5", like="a schedule of decay that is advanced after the step")
class DecayLate(AdamW):
    """A step decays by the weight_decay of the step before."""

    def set_hyper(self, hyper: Hyper) -> None:
        self.before = self.wd
        super().set_hyper(hyper)

    def step(self, grads: list[A | None]) -> list[A]:
        self.wd, now = getattr(self, "before", self.wd), self.wd
        after = super().step(grads)
        self.wd = self.before = now
        return after


@wrong("bias_correction", "BC.4", like="tinygrad")
class CorrectionsByProduct(Unsaved):
    """1-b**t is formed with the product of all betas so far."""

    def init(self, params: list[A], hyper: Hyper) -> None:
        super().init(params, hyper)
        self.products = [(1.0, 1.0) for _ in params]

    def one(self, i: int, g: A) -> None:
        first, second = self.products[i]
        self.products[i] = first * self.b1, second * self.b2
        self.now = self.products[i]
        super().one(i, g)

    def correction(self, t: int) -> tuple[F, F]:
        return 1 - self.now[0], 1 - self.now[1]


@wrong("bias_correction", "BC.4")
class CorrectionsByFirstBetas(AdamW):
    """1-b**t is formed with the betas of init; the moments take the new ones."""

    def init(self, params: list[A], hyper: Hyper) -> None:
        super().init(params, hyper)
        self.first_betas = self.b1, self.b2

    def correction(self, t: int) -> tuple[F, F]:
        if self.hypers:
            return super().correction(t)
        return 1 - self.first_betas[0] ** t, 1 - self.first_betas[1] ** t


@wrong("schedule", "LR.3")
class SettingsForget(Adam):
    """A change of settings starts moments and clock anew."""

    def set_hyper(self, hyper: Hyper) -> None:
        super().set_hyper(hyper)
        self.m, self.v = [np.zeros_like(m) for m in self.m], [np.zeros_like(v) for v in self.v]
        self.t = [0 for _ in self.t]


class OfGroup(AdamW):
    """Gives every parameter some settings of one group."""

    which = 0
    names: tuple[str, ...]

    def init_groups(self, params: list[A], hypers: list[Hyper]) -> None:
        taken = {name: hypers[self.which][name] for name in self.names}
        super().init_groups(params, [hyper | taken for hyper in hypers])


@wrong("groups", "LR.4", like="Paddle#63616")
class FirstGroupsBetas(OfGroup):
    """The first group's betas and decay hold for all."""

    names = ("b1", "b2", "weight_decay")


@wrong("groups", "LR.4", like="no decay for biases, lost")
class FirstGroupsDecay(OfGroup):
    """The first group's decay holds for all."""

    names = ("weight_decay",)


@wrong("groups", "LR.4")
class LastGroupsEps(OfGroup):
    """The last group's eps holds for all."""

    which, names = -1, ("eps",)


@wrong("groups", "LR.4")
class FirstGroupsSecondBeta(OfGroup):
    """The first group's b2 holds for all."""

    names = ("b2",)


@wrong("groups", "LR.4")
class FirstGroupForAll(Optax):
    """The first group's settings hold for all, lr among them."""

    def init_groups(self, params: list[A], hypers: list[Hyper]) -> None:
        super().init_groups(params, [hypers[0] for _ in hypers])
