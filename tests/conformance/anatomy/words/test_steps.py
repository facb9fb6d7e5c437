"""Words on epsilon, steps, clocks and absence that are not as claimed."""

from __future__ import annotations

import numpy as np
import wrong_parts as wrong
from measured_adams import Parts, assert_found, difference, whole_anatomy

from adamcore import Adam
from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.anatomy.words.steps import absence, clock, epsilon, step
from adamcore.conformance.types import FloatArray


class Fixed(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(v**0.5 + 0.25)


class ByRootOfLr(Parts):
    def set_lr(self, lr: float) -> None:
        self.lr = lr**0.5

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.lr = self.lr**0.5


def test_epsilon() -> None:
    assert (
        epsilon(difference(wrong.UnderTheRoot, "epsilon"))[2] == "eps stands under the root, to the power 0.5"
    )
    assert epsilon(difference(Fixed, "epsilon"))[2] == "eps counts 0.25, whatever it is"


class KeptAbove(Parts):
    """Both moments have few bits, and no size below 2**-12."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return kept(super().first(m, g))

    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return kept(super().second(v, g, m))


def kept(x: FloatArray) -> FloatArray:
    """Return values rounded to a quarter of a power of two; what is not 0 is 2**-12 at the least."""
    scale = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(x), 1e-300))) - 2)
    rounded = np.sign(x) * np.maximum(np.abs(np.round(x / scale) * scale), 2.0**-12)
    return np.where(x == 0, x, rounded)


def test_moments_of_a_least_size() -> None:
    found = epsilon(difference(KeptAbove, "epsilon"))
    assert found[:2] == ("storage", "MOM.4")
    assert "make one step, and larger ones about that of the claim" in found[2]


def test_a_step_that_goes_with_another_power_of_lr() -> None:
    area, rule, text = step(difference(ByRootOfLr, "step"))
    assert (area, rule) == ("schedule", "LR.1")
    assert text == "a step goes with lr to the power 0.5 where 1 is claimed"


class NothingHandedOn(Parts):
    """The rate and the decay that are given go nowhere."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"lr": 0.001, "weight_decay": 0.0})

    def set_lr(self, lr: float) -> None:
        pass


class RateKept(NothingHandedOn):
    """The rate alone goes nowhere."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.h["weight_decay"] = hyper["weight_decay"]


def test_a_rate_that_counts_nowhere_alone_or_with_the_decay() -> None:
    alone, both = (first_finding(whole_anatomy(cls)) for cls in (RateKept, NothingHandedOn))
    assert_found(alone, "schedule", "LR.1", "steps are the same with any lr")
    assert_found(both, "hyperparameters", "LR.1", "lr and weight_decay count nowhere")


def test_a_clock_that_ends() -> None:
    assert clock(difference(wrong.ClockOfAByte, "clock"))[:2] == ("clock", "CLK.3")


def test_absence() -> None:
    assert absence(difference(wrong.DecaysAlways, "absence"))[:2] == ("missing", "F1")
    refused = difference(Parts, "absence", Adam(decay="decoupled", missing="error"))
    assert absence(refused)[:2] == ("missing", "F1")
    of_all = difference(Parts, "absence", Adam(decay="decoupled", clock="global", all_missing="error"))
    assert absence(of_all)[0] == "all_missing"


class SmallestClock(Parts):
    """All that has a gradient is corrected for the smallest count of any of them; eps is not corrected."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        counts = [t + 1 for t, g in zip(self.t, grads, strict=True) if g is not None]
        self.least = min(counts, default=1)
        return super().step(grads)

    def one(self, i: int, g: FloatArray) -> None:
        m, v = self.first(self.m[i], g), self.second(self.v[i], g, self.m[i])
        self.m[i], self.v[i] = m, v
        c1, c2 = self.correction(self.least)
        self.p[i] = self.decay(self.p[i]) - self.lr * c2**0.5 / c1 * m / self.root(v)


def test_another_clock_beside_an_eps_that_is_not_corrected() -> None:
    claim = Adam(epsilon="outside-uncorrected", decay="decoupled")
    assert absence(difference(SmallestClock, "absence", claim))[:2] == ("clock", "CLK.1")
