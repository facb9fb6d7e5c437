"""Inputs written to, buffers shared, state lost between two runs or between two optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from adams import Adam, AdamW, AMSGrad, Ascent, NAdam
from flat import A, F, shaped
from register import wrong
from unsaved import Unsaved


@wrong("aliasing", "STATE.2")
class GradientGetsDecay(Adam):
    """L2 is added to the caller's gradient, in place."""

    def coupled(self, p: A, g: A) -> A:
        g += self.wd * p
        return g


@wrong("aliasing", "STATE.2", like="thinc.Adam")
class GradientZeroed(AdamW):
    """The caller's gradient is zeroed after use."""

    def one(self, i: int, g: A) -> None:
        super().one(i, g)
        g[:] = 0


@wrong("aliasing", "STATE.2")
class GradientNegated(Ascent):
    """The caller's gradient is negated, in place."""

    def signed(self, g: A) -> A:
        np.negative(g, out=g)
        return g


@wrong("aliasing", "STATE.2", like="torch's fused kernel under gradient scaling")
class GradientScaled(AdamW):
    """The caller's gradient is multiplied by its weight, in place."""

    def first(self, m: A, g: A) -> A:
        g *= 1 - self.b1
        return self.b1 * m + g

    def square(self, i: int, g: A) -> A:
        return (1 - self.b2) / (1 - self.b1) ** 2 * g * g


@wrong("aliasing", "STATE.2")
class GradientIsBuffer(AdamW):
    """The first gradient's memory serves as m."""

    def one(self, i: int, g: A) -> None:
        super().one(i, g)
        if self.t[i] == 1:
            g[:] = self.m[i]
            self.m[i] = g


@wrong("aliasing", "STATE.2", like="momentum buffers made by reference")
class GradientRemembered(AdamW):
    """Gradients are averaged from kept references, read again one step later."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.kept: list[tuple[A, A] | None] = [None for _ in params]

    def one(self, i: int, g: A) -> None:
        if (kept := self.kept[i]) is not None:
            before, seen = kept
            self.m[i] = Adam.first(self, before, seen)
        self.kept[i] = self.m[i], g
        super().one(i, g)


@wrong("aliasing", "STATE.2")
class ParametersWritten(AdamW):
    """The arrays given to init are stepped in place."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.given = params

    def step(self, grads: list[A | None]) -> list[A]:
        after = super().step(grads)
        for mine, new in zip(self.given, after, strict=True):
            mine[...] = new
        return after


@wrong("aliasing", "STATE.2")
class ListEmptied(AdamW):
    """The caller's list of gradients is set to None."""

    def step(self, grads: list[A | None]) -> list[A]:
        after = super().step(grads)
        grads[:] = [None for _ in grads]
        return after


@wrong("isolation", "STATE.3")
class MomentsOfClass(AdamW):
    """Moments live on the class: the next optimizer of the same shapes inherits them."""

    shared: ClassVar[dict[Any, tuple[list[A], list[A]]]] = {}

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        key = str([(p.shape, p.dtype) for p in params])
        self.m, self.v = self.shared.setdefault(key, (self.m, self.v))


@wrong("isolation bias_correction", "STATE.3", like="deepspeed.CPUAdam's product of powers")
class ProductOfClass(Unsaved):
    """Powers of the betas live on the class, start anew with each optimizer, and keep the older betas."""

    powers: ClassVar[dict[int, tuple[F, F]]] = {}

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        type(self).powers = dict.fromkeys(range(len(params)), (1.0, 1.0))

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        a, b = self.powers.get(i, (1.0, 1.0))
        self.powers[i] = a * self.b1, b * self.b2
        self.c2 = 1 - self.powers[i][1]
        return m / (1 - self.powers[i][0])

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / self.c2) + self.eps


@wrong("isolation", "STATE.3", like="a mutable default argument")
class HyperOfClass(AdamW):
    """Hyperparameters live on the class: the last optimizer made sets them for all."""

    last: ClassVar[dict[str, float]] = {}

    def take(self, hyper: dict[str, float]) -> None:
        self.last.update(hyper)
        super().take(hyper)

    def step(self, grads: list[A | None]) -> list[A]:
        self.b1, self.b2, self.eps, self.wd = (self.last[n] for n in ("b1", "b2", "eps", "weight_decay"))
        return super().step(grads)


@wrong("state", "STATE.4", like="TransformerEngine#3318")
class ResumeLosesClock(AdamW):
    """The saved state has no clock: it starts anew."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.t = [0 for _ in self.t]


@wrong("state", "STATE.4", like="goodfire-ai/spd#678")
class ResumeTicks(AdamW):
    """Loading a state ticks its clock."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.t = [t + 1 for t in self.t]


@wrong("state", "STATE.4", like="tinker#126")
class ResumeLosesSecond(Adam):
    """v is not restored."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.v = [self.start(p) for p in self.p]


@wrong("state", "STATE.4", like="KempnerForge#115")
class ResumeLosesMoments(AdamW):
    """Only the clock is restored."""

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = list(state["t"])


@wrong("state", "STATE.4")
class ResumeLosesMaximum(AMSGrad):
    """v_max is not restored."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.top = [self.start(p) for p in self.p]


@wrong("state", "STATE.4", like="tt-metal#53212")
class ResumeLosesProduct(NAdam):
    """The momentum schedule's product starts anew."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.mu = [1.0 for _ in self.mu]


@wrong("state", "STATE.4", like="pytorch#74424")
class ResumeRounds(AdamW):
    """Moments are saved in float16."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return state | {name: [a.astype(np.float16) for a in state[name]] for name in ("m", "v")}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.m = [m.astype(p.dtype) for m, p in zip(self.m, self.p, strict=True)]
        self.v = [v.astype(p.dtype) for v, p in zip(self.v, self.p, strict=True)]


@wrong("state", "STATE.4", like="pytorch#1489")
class ResumeReorders(AdamW):
    """States are restored in reverse."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({n: a[::-1] if n in ("m", "v") else a for n, a in state.items()})


@wrong("state aliasing", "STATE.2")
class StateAdopted(AdamW):
    """The arrays that a state is restored from are taken over, and written to."""

    adopted: Sequence[A] = ()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.adopted = state["m"]

    def step(self, grads: list[A | None]) -> list[A]:
        after = super().step(grads)
        for kept, m in zip(self.adopted, self.m, strict=False):
            kept[...] = shaped(m, kept.dtype, kept.shape)
        return after


@wrong("state clock bias_correction", "STATE.4", like="Megatron#5974")
class StateMadeByStep(AdamW):
    """The state is made by a step over zero gradients: the first real step is the second."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.t = [1 for _ in params]
