"""AMSGrad ignored, of the wrong thing, or forgotten."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from adams import Adam, AdamW, AMSGrad, OptaxAMSGrad
from flat import A, F
from register import wrong


@wrong("amsgrad", "AMS.1", like="bitsandbytes.Adam")
class AmsgradIgnored(Adam):
    """Accepted and not used."""

    options: ClassVar[dict[str, str]] = {"amsgrad": "True"}


@wrong("amsgrad", "AMS.1")
class AmsgradUnasked(AMSGrad):
    """Used where the claim is plain Adam."""

    options: ClassVar[dict[str, str]] = {}


@wrong("amsgrad", "AMS.1", like="pytorch#142323")
class AmsgradOfCorrected(AMSGrad):
    """The maximum over v_hat where the claim is over v."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.top[i], v / c2)
        return self.top[i], 1.0


@wrong("amsgrad", "AMS.2", like="optax#1389")
class AmsgradOfUncorrected(OptaxAMSGrad):
    """The maximum over v where the claim is over v_hat."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.top[i], v)
        return self.top[i], c2


@wrong("amsgrad", "AMS.1", like="chainer.Adam")
class AmsgradForgotten(AMSGrad):
    """The maximum over this v and the last one alone."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        top, self.top[i] = np.maximum(self.top[i], v), v
        return top, c2


@wrong("amsgrad", "AMS.1")
class AmsgradIntoSecond(AMSGrad):
    """The maximum stored as v."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.v[i], c2 = super().peak(i, v, c2)
        return self.v[i], c2


@wrong("amsgrad", "AMS.1")
class AmsgradMinimum(AMSGrad):
    """The minimum from the second step on."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.minimum(self.top[i], v) if self.t[i] > 1 else v
        return self.top[i], c2


@wrong("amsgrad", "AMS.1")
class AmsgradLate(AMSGrad):
    """The maximum without the present v, from the second step on."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        before = self.top[i] if self.t[i] > 1 else v
        self.top[i] = np.maximum(self.top[i], v)
        return before, c2


@wrong("amsgrad", "AMS.1")
class AmsgradOfArray(AMSGrad):
    """One maximum for the whole array."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.top[i], v.max(initial=0.0))
        return self.top[i], c2


@wrong("amsgrad", "AMS.1")
class AmsgradOfGradient(AMSGrad):
    """The maximum over the squared gradients."""

    def square(self, i: int, g: A) -> A:
        self.top[i] = np.maximum(self.top[i], g * g)
        return super().square(i, g)


@wrong("amsgrad", "AMS.1")
class AmsgradDecays(AMSGrad):
    """max(b2*v_max, v): the maximum fades."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.b2 * self.top[i], v)
        return self.top[i], c2


@wrong("amsgrad", "AMS.1")
class AmsgradOfRoot(AMSGrad):
    """The maximum over the denominators, epsilon and correction within."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.now = i
        return v, c2

    def denominator(self, v: A, c2: F) -> A:
        self.top[self.now] = np.maximum(self.top[self.now], super().denominator(v, c2))
        return self.top[self.now]


@wrong("moments amsgrad", "MOM.3", like="Optimisers.jl AMSGrad")
class AmsgradStartsAtEpsilon(AMSGrad):
    """v_max starts at eps."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.top = [np.full_like(p, self.eps) for p in self.p]


@wrong("amsgrad", "AMS.1")
class AmsgradUnaskedDecoupled(AdamW):
    """max over v_hat in a plain AdamW."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.top[i], v / c2)
        return self.top[i], 1.0
