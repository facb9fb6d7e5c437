"""The parts: the one that is wrong differs from its claim, with its number, and a right Adam in none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from measured_adams import Parts, anatomy, nothing_run
from wrong_parts import (
    Centred,
    Clips,
    ClockOfAByte,
    DecaysAlways,
    DecaysBySquare,
    DecaysTwice,
    KeepsItsRate,
    RoundedBeta,
    SlowFading,
    StopsAfterTen,
    UnderTheRoot,
)

from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.parts import PARTS, Part, bend_of, measure
from adamcore.conformance.types import FloatArray

WRONG: list[tuple[type, str, str, Callable[[FloatArray, FloatArray], bool]]] = [
    (SlowFading, "first moment", "fading", lambda got, claimed: np.allclose(got, 0.95) and claimed[0] < 0.81),
    (StopsAfterTen, "correction", "first", lambda got, _: np.isclose(got[10] / got[9], 1 - 0.8**11)),
    (DecaysTwice, "decay", "rate", lambda got, claimed: np.allclose(got / claimed, 1.96875)),
    (DecaysBySquare, "decay", "power of lr", lambda got, claimed: np.allclose((got, claimed), (2.0, 1.0))),
    (Centred, "second moment", "cross term", lambda got, claimed: bool(got < -0.1 and abs(claimed) < 1e-9)),
    (RoundedBeta, "first moment", "fading", lambda got, _: np.allclose(got, 0.80078125, rtol=1e-5)),
    (UnderTheRoot, "epsilon", "power", lambda got, claimed: np.allclose((got, claimed), (0.5, 1.0))),
    (ClockOfAByte, "clock", "late steps", lambda got, claimed: not np.allclose(got[-1], claimed[-1])),
    (DecaysAlways, "absence", "decay of the second", lambda got, claimed: got[3] > 0 == claimed[3]),
    (KeepsItsRate, "step", "changed lr", lambda got, claimed: np.allclose(got[2] / claimed[2], 4.0)),
    (Clips, "gradient", "proportion", lambda got, _: np.allclose(got[-1] * 2.0**20, 1.0)),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("cls", "part", "value", "holds"), WRONG, ids=[w[0].__name__ for w in WRONG])
def test_the_first_part_that_differs(
    cls: type, part: str, value: str, holds: Callable[[FloatArray, FloatArray], bool], dtype: str
) -> None:
    wrong = [p for p in anatomy(cls, dtype).parts if not p.as_claimed]
    assert wrong[0].name == part
    assert value in wrong[0].differs
    assert holds(wrong[0].values[value].value, wrong[0].claimed[value].value)


class Folded(Parts):
    """lr and both corrections in one number, m by interpolation."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return m + (1 - self.h["b1"]) * (g - m)

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        size, eps = self.lr * np.sqrt(c2) / c1, self.h["eps"] * np.sqrt(c2)
        self.p[i] = self.decay(self.p[i]) - size * m / (np.sqrt(v) + eps)


class Reciprocal(Parts):
    """The denominator as a reciprocal, the decay subtracted."""

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        update = (self.lr / c1 * m) * (1.0 / self.root(v / c2))
        self.p[i] = self.p[i] - (self.lr * self.h["weight_decay"] * self.p[i] + update)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cls", [Parts, Folded, Reciprocal])
def test_a_right_adam_differs_in_nothing(cls: type, dtype: str) -> None:
    assert {p.name: p.differs for p in anatomy(cls, dtype).parts if not p.as_claimed} == {}


def test_what_could_not_be_run_is_left_out() -> None:
    assert [len(part.measured) for part in measure(nothing_run())] == [0] * len(PARTS)


def test_what_the_claim_has_no_value_of_is_no_difference() -> None:
    """Where a claim spoils the parameter of an experiment, a value is left out of it."""
    part = Part("decay", {"rate": Measured(1.0), "late": Measured(2.0)}, {"rate": Measured(1.0)})
    assert part.as_claimed


@pytest.mark.parametrize(("n", "bend"), [(1.0, 0.5), (2.0, 0.5**0.5)])
@pytest.mark.parametrize("x", [0.7, 1.0, 1.4])
def test_the_bend_of_a_curve(n: float, bend: float, x: float) -> None:
    made = bend_of(Measured(x), Measured(x / (1 + x**n) ** (1 / n)))
    assert abs(made.value - bend) < 1e-9
    assert bend_of(Measured(x), Measured(min(1.0, x))).value == 1.0 or x == 1.0


def test_more_digits_than_the_claim_happens_to_have_are_no_difference() -> None:
    """The numbers of a claim may be short where those of a wrong Adam are not."""
    few, all_ = Measured(24.0), Measured(53.0)
    assert Part("precision", {"digits of p": all_}, {"digits of p": few}).as_claimed
    assert Part("precision", {"digits of p": few}, {"digits of p": all_}).differs == ["digits of p"]
    assert Part("precision", {"eps": all_}, {"eps": few}).differs == ["eps"]
