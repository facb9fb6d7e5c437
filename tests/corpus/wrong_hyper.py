"""Hyperparameters rounded, replaced, or taken for absent where they are 0; and learning rates that lag."""

from __future__ import annotations

import numpy as np
from adams import Adam, AdamW, Keras, NAdam
from flat import A, F
from register import wrong


def bfloat16(x: F) -> F:
    """Rounded to bfloat16, to nearest and even."""
    bits = int(np.float32(x).view(np.uint32))
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return float(np.uint32(bits).view(np.float32))


@wrong("hyperparameters", "NUM.4", like="tt-metal#55935")
class BetasInBfloat16(AdamW):
    """b1 and b2 rounded to bfloat16."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b1": bfloat16(hyper["b1"]), "b2": bfloat16(hyper["b2"])})


@wrong("hyperparameters", "NUM.4")
class BetasInFloat16(Adam):
    """b1 and b2 rounded to float16."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b1": float(np.float16(hyper["b1"])), "b2": float(np.float16(hyper["b2"]))})


@wrong("hyperparameters", "NUM.4", like="float fields in a kernel's argument struct")
class BetasInFloat32(AdamW):
    """b1 and b2 rounded to float32, whatever the dtype."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b1": float(np.float32(hyper["b1"])), "b2": float(np.float32(hyper["b2"]))})


@wrong("epsilon hyperparameters", "NUM.4")
class EpsilonInFloat16(AdamW):
    """eps rounded to float16: 1e-8 becomes 0."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "eps": float(np.float16(hyper["eps"]))})


@wrong("hyperparameters", "NUM.4")
class LrInBfloat16(NAdam):
    """lr rounded to bfloat16."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "lr": bfloat16(hyper["lr"])})

    def set_lr(self, lr: F) -> None:
        self.lr = bfloat16(lr)


@wrong("hyperparameters", "NUM.4", like="tt-metal#55935")
class AllInBfloat16(AdamW):
    """Every hyperparameter rounded to bfloat16."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({name: bfloat16(value) for name, value in hyper.items()})


@wrong("hyperparameters decay", "NUM.4")
class DecayInBfloat16(AdamW):
    """weight_decay rounded to bfloat16."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "weight_decay": bfloat16(hyper["weight_decay"])})


@wrong("hyperparameters", "MOM.1")
class FirstBetaConstant(AdamW):
    """b1=0.9 whatever it is."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b1": 0.9})


@wrong("hyperparameters", "MOM.2")
class SecondBetaConstant(Adam):
    """b2=0.999 whatever it is."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b2": 0.999})


@wrong("hyperparameters", "MOM.2", like="recipes that fix b2")
class SecondBetaOfRecipe(Keras):
    """b2=0.95 whatever it is."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b2": 0.95})


@wrong("hyperparameters", "MOM.1")
class FirstBetaZeroIsNone(AdamW):
    """b1 or 0.9: 0 is taken for not given."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b1": hyper["b1"] or 0.9})


@wrong("hyperparameters", "MOM.2")
class SecondBetaZeroIsNone(AdamW):
    """b2 or 0.999: 0 is taken for not given."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "b2": hyper["b2"] or 0.999})


@wrong("hyperparameters epsilon", "EPS.1", like="tf_keras legacy")
class EpsilonFloored(AdamW):
    """eps at least 1e-6."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "eps": max(hyper["eps"], 1e-6)})


@wrong("hyperparameters decay", "DEC.2")
class DecayZeroIsNone(AdamW):
    """weight_decay or 0.01: 0 is taken for not given."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "weight_decay": hyper["weight_decay"] or 0.01})


@wrong("hyperparameters", "STEP.1")
class LrIgnored(AdamW):
    """lr=1e-3 whatever it is."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "lr": 1e-3})

    def set_lr(self, lr: F) -> None:
        pass


@wrong("hyperparameters", "STEP.1")
class LrCapped(AdamW):
    """lr at most 0.1."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take({**hyper, "lr": min(hyper["lr"], 0.1)})

    def set_lr(self, lr: F) -> None:
        self.lr = min(lr, 0.1)


@wrong("schedule", "LR.1")
class ScheduleIgnored(AdamW):
    """A new lr is accepted and not used."""

    def set_lr(self, lr: F) -> None:
        pass


@wrong("schedule", "LR.1", like="optax's schedules, counted from 0")
class ScheduleLate(AdamW):
    """A new lr holds from the step after next."""

    waiting: F | None = None

    def set_lr(self, lr: F) -> None:
        self.waiting = lr

    def step(self, grads: list[A | None]) -> list[A]:
        coming, self.waiting = self.waiting, None
        after = super().step(grads)
        if coming is not None:
            self.lr = coming
        return after


@wrong("schedule", "LR.1")
class ScheduleOnce(Adam):
    """Only the first change of lr is taken."""

    changed = False

    def set_lr(self, lr: F) -> None:
        if not self.changed:
            super().set_lr(lr)
            self.changed = True


@wrong("schedule", "LR.1")
class ScheduleMultiplies(AdamW):
    """A new lr is multiplied on to the old one."""

    def set_lr(self, lr: F) -> None:
        self.lr *= lr


@wrong("schedule decay", "DEC.2")
class ScheduleNotForStep(AdamW):
    """A new lr changes the decay alone."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.lr0 = self.lr

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr0 * u


@wrong("schedule", "LR.1")
class ScheduleForgets(AdamW):
    """A new lr starts moments and clock anew."""

    def set_lr(self, lr: F) -> None:
        self.lr = lr
        self.m, self.v = [self.start(p) for p in self.p], [self.start(p) for p in self.p]
        self.t = [0 for _ in self.p]


@wrong("schedule", "LR.2")
class ZeroLrSkips(AdamW):
    """With lr=0 the step is skipped: moments and clock wait."""

    def step(self, grads: list[A | None]) -> list[A]:
        return super().step(grads if self.lr else [None for _ in grads])


@wrong("schedule", "LR.2")
class ZeroLrIsNone(Adam):
    """lr or the old one: 0 is taken for not given."""

    def set_lr(self, lr: F) -> None:
        self.lr = lr or self.lr


@wrong("schedule", "LR.2", like="torch's capturable form, eps/lr")
class ZeroLrDivides(AdamW):
    """lr folded into the denominator: 0/0 at lr=0."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr * self.lr * u / self.lr if self.lr else p * np.nan
