"""Parameters of several dtypes in one optimizer."""

from __future__ import annotations

import numpy as np
from array_adam import Good, judged


class CoefficientsOfFirst(Good):
    """Steps all parameters by numbers of the first one's dtype."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        after, first = super().step(grads), self.p[0].dtype
        self.p = [p.astype(first).astype(p.dtype) for p in after]
        return [p.copy() for p in self.p]


class InOneBuffer(Good):
    """Keeps all parameters in one dtype."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        return [p.astype(np.float64) for p in super().step(grads)]


class OfOneDtype(Good):
    """Refuses parameters of two dtypes."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        assert len({p.dtype for p in self.p}) == 1, "one dtype"
        return super().step(grads)


def test_parameters_of_two_dtypes_show_what_is_taken_from_the_first() -> None:
    for cls, status in (
        (Good, "passed"),
        (CoefficientsOfFirst, "failed"),
        (InOneBuffer, "skipped"),
        (OfOneDtype, "skipped"),
    ):
        assert judged(cls, "NUM.1/two-dtypes", "float64")[2].status == status


def test_the_parameter_that_fails_has_its_number_among_all() -> None:
    result = judged(CoefficientsOfFirst, "NUM.1/two-dtypes", "float64")[2]
    assert result.evidence is not None
    assert result.evidence.place[0] == 1
    assert result.reason == "a parameter of float64 beside some of another dtype leaves its bound"
