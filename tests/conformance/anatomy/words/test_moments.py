"""Words on moments and corrections that are not as claimed."""

from __future__ import annotations

import wrong_parts as wrong
from measured_adams import anatomy, difference

from adamcore.conformance.anatomy.differences import first_difference
from adamcore.conformance.anatomy.words.moments import first_moment, is_claim_with, keeps_corrected, sums


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
