"""Words on steps that are those of another clock."""

from __future__ import annotations

import numpy as np
import pytest
import wrong_parts as wrong
from measured_adams import Parts, anatomy, difference

from adamcore import Adam
from adamcore.conformance.anatomy.words.clocks import averaged, counted
from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


class Anew(Parts):
    """The clock starts again after four steps."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction((t - 1) % 4 + 1)


class EveryOther(Parts):
    """The clock ticks in every other step."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction((t + 1) // 2)


class Ahead(Parts):
    """The clock begins at 2."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t + 2)


class FirstAnew(Parts):
    """The first correction alone starts again."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction((t - 1) % 4 + 1)[0], super().correction(t)[1]


@pytest.mark.parametrize(
    ("cls", "observed"),
    [
        (Anew, "steps 1, 2, ... are those of t = 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4"),
        (EveryOther, "steps 1, 2, ... are those of t = 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6"),
        (Ahead, "all steps are those of a clock that begins at 2"),
    ],
)
def test_another_clock_is_told_by_its_times(cls: type, observed: str) -> None:
    finding = first_finding(anatomy(cls))
    assert finding is not None
    assert (finding.area, finding.rule, finding.observed) == ("clock", "CLK.2", observed)


def test_another_correction_or_moment_is_no_other_clock() -> None:
    assert counted(difference(FirstAnew, "correction")) is None
    assert counted(difference(wrong.OtherBeta, "first moment")) is None
    assert counted(difference(wrong.Halved, "correction")) is None


def test_moments_after_a_gradient() -> None:
    m, v = averaged(Adam(), {"b1": 0.5, "b2": 0.75}, np.array(1.0), np.array(4.0), np.array(2.0))
    assert (float(m), float(v)) == (1.5, 4.0)
    up: FloatArray = averaged(Adam(maximize=True), {"b1": 0.5, "b2": 0.75}, 0.0, 0.0, np.array(2.0))[0]
    assert float(up) == -1.0
