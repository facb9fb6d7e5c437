"""Words on epsilon, steps, clocks and absence that are not as claimed."""

from __future__ import annotations

import numpy as np
import wrong_parts as wrong
from measured_adams import Parts, difference

from adamcore import Adam
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


def test_a_step_that_goes_with_another_power_of_lr() -> None:
    area, rule, text = step(difference(ByRootOfLr, "step"))
    assert (area, rule) == ("schedule", "LR.1")
    assert text == "a step goes with lr to the power 0.5 where 1 is claimed"


def test_a_clock_that_ends() -> None:
    assert clock(difference(wrong.ClockOfAByte, "clock"))[:2] == ("clock", "CLK.3")


def test_absence() -> None:
    assert absence(difference(wrong.DecaysAlways, "absence"))[:2] == ("missing", "F1")
    refused = difference(Parts, "absence", Adam(decay="decoupled", missing="error"))
    assert absence(refused)[:2] == ("missing", "F1")
    of_all = difference(Parts, "absence", Adam(decay="decoupled", clock="global", all_missing="error"))
    assert absence(of_all)[0] == "all_missing"
