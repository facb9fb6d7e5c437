"""Words on the first or the last of several arrays, which alone is not stepped as claimed."""

from __future__ import annotations

import pytest
from measured_adams import Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


class LastIsAHead(Parts):
    """The last of several arrays has a quarter of its gradient."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g / 4 if len(self.p) > 1 and i == len(self.p) - 1 else g)


class FirstIsListedTwice(Parts):
    """The first of several arrays makes its move once more, with the same moments."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        before, after = list(self.p), super().step(grads)
        if len(after) > 1:
            after[0] = self.p[0] = after[0] + (after[0] - before[0])
        return after


class LastOfAnotherClock(Parts):
    """The last of several arrays begins at t=3: its steps have another ratio each."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t + 2 if self.is_last else t)

    def one(self, i: int, g: FloatArray) -> None:
        self.is_last = len(self.p) > 1 and i == len(self.p) - 1
        super().one(i, g)


@pytest.mark.parametrize(
    ("cls", "area", "rule", "observed"),
    [
        (LastIsAHead, "moments", "MOM.1", "each gradient of the last of several arrays counts 0.25 times"),
        (
            FirstIsListedTwice,
            "moments",
            "STEP.1",
            "each step of the first of several arrays is 2 times as long",
        ),
    ],
)
def test_one_of_several_is_told(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)


def test_another_clock_is_no_share_and_no_length() -> None:
    found = first_finding(whole_anatomy(LastOfAnotherClock))
    assert found is not None
    assert "of several arrays" not in found.observed
