"""Words on moments and corrections that are not as claimed."""

from __future__ import annotations

import numpy as np
import wrong_parts as wrong
from measured_adams import Parts, anatomy, difference

from adamcore.conformance.anatomy.differences import first_difference
from adamcore.conformance.anatomy.words.moments import (
    counted_steps,
    first_moment,
    is_claim_with,
    keeps_corrected,
    sums,
)
from adamcore.conformance.types import FloatArray


def test_another_beta_alone_is_told_from_another_rule() -> None:
    assert is_claim_with(difference(wrong.OtherBeta, "first moment"), b1=0.9)
    assert not is_claim_with(difference(wrong.SlowFading, "first moment"), b1=0.95)
    assert not is_claim_with(difference(wrong.OtherBeta, "first moment"), b1=1.5)
    assert first_moment(difference(wrong.OtherBeta, "first moment"))[0] == "hyperparameters"


def test_an_average_that_keeps_its_correction() -> None:
    assert keeps_corrected(difference(wrong.KeepsCorrected, "first moment"), "fading in step", 0.8)
    assert not keeps_corrected(difference(wrong.SlowFading, "first moment"), "fading in step", 0.8)


def test_a_factor_of_all_steps() -> None:
    assert sums(difference(wrong.Halved, "correction"))[2] == "a step is 0.5 times as large as claimed"
    part = first_difference(anatomy(wrong.Halved))
    assert part is not None
    assert part.name == "correction"


def test_a_clock_that_the_first_correction_no_longer_tells() -> None:
    """0.8**91 is lost beside 1, and 0.96**199 is not."""

    class CountsArrays(Parts):
        def correction(self, t: int) -> tuple[float, float]:
            return super().correction(18 * t - 17)

    counted = counted_steps(difference(CountsArrays, "correction"))
    assert counted is not None
    np.testing.assert_allclose(counted, 18 * np.arange(12) + 1, rtol=1e-3)
    assert counted_steps(difference(wrong.StopsAfterTen, "correction")) is None


class Descent(Parts):
    """A step is the gradient times the rate."""

    def one(self, i: int, g: FloatArray) -> None:
        self.p[i] = self.p[i] - self.lr * g


def test_a_step_without_any_moment_is_told_without_a_number() -> None:
    text = first_moment(difference(Descent, "first moment"))[2]
    assert text == "the newest gradient alone counts in a step, and no older one"
