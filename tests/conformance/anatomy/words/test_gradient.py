"""Words on gradients that are not as claimed."""

from __future__ import annotations

import numpy as np
import pytest
import wrong_parts as wrong
from measured_adams import Parts, difference, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.anatomy.words.gradient import gradient
from adamcore.conformance.types import FloatArray


@pytest.mark.parametrize(("cls", "area"), [(wrong.Climbs, "maximize"), (wrong.Clips, "clipping")])
def test_gradients(cls: type, area: str) -> None:
    assert gradient(difference(cls, "gradient"))[0] == area


class ClimbsLater(Parts):
    """From the second step on p goes up."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i].copy()
        super().one(i, g)
        if self.t[i] > 1:
            self.p[i] = before - (self.p[i] - before)


class CorrectsToBelow0(ClimbsLater):
    """From the second step on the first correction is below 0, and another one in each step."""

    def correction(self, t: int) -> tuple[float, float]:
        first, second = super().correction(t)
        return (first if t == 1 else first / t), second


class LooksBesideTheRoot(Parts):
    """eps is added to the reciprocal of the root."""

    def root(self, v: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(1 / (1 / np.sqrt(v) + self.h["eps"]))


class RoundsDown(Parts):
    """A v of 0 is rounded down: its root is NaN."""

    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        v = super().second(v, g, m)
        return np.where(v == 0, -np.finfo(v.dtype).tiny, v)

    def root(self, v: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return super().root(v)


@pytest.mark.parametrize(
    ("cls", "area", "observed"),
    [
        (RoundsDown, "zero_gradient", "becomes NaN, though eps counts where there is one"),
        (ClimbsLater, "maximize", "p goes up along the gradient in steps 2, 3, 4, ..."),
        (CorrectsToBelow0, "bias_correction", "from there on a correction is below 0"),
        (LooksBesideTheRoot, "epsilon", "an element without any gradient is divided by 0"),
    ],
)
def test_gradients_that_look_like_others(cls: type, area: str, observed: str) -> None:
    found = first_finding(whole_anatomy(cls))
    assert found is not None
    assert found.area == area
    assert observed in found.observed
