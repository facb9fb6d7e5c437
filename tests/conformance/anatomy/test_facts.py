"""Facts on a candidate: whether it divides, what fades, where it bends."""

from __future__ import annotations

import numpy as np
import pytest
from measured_adams import Parts, anatomy

from adamcore.conformance.anatomy.facts import BESIDE, LARGER, UNDER, Facts, constant, near, sure
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.types import FloatArray


class Momentum(Parts):
    """SGD with momentum."""

    hyper = ("lr", "b1")

    def one(self, i: int, g: FloatArray) -> None:
        self.m[i] = self.h["b1"] * self.m[i] + g
        self.p[i] = self.p[i] - self.lr * self.m[i]


class Sign(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        self.m[i] = self.first(self.m[i], g)
        self.p[i] = self.p[i] - self.lr * np.sign(self.m[i])


class Rectified(Parts):
    """No division in the first five steps."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        if self.t[i] <= 5:
            c1, _ = self.correction(self.t[i])
            self.p[i] = self.decay(before) - self.lr * (self.m[i] / c1)


class Norm(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        update = before - self.p[i]
        if before.any():
            self.p[i] = before - self.lr * update * np.linalg.norm(before) / np.linalg.norm(update)


def facts(cls: type) -> Facts:
    return Facts(anatomy(cls).readings)


def test_an_adam() -> None:
    f = facts(Parts)
    assert f.always_divides
    assert not (f.is_sign)
    assert not (f.is_linear)
    assert not (f.looks_ahead)
    assert not (f.by_norm)
    assert f.b1 == pytest.approx(0.8, rel=1e-9)
    assert f.b2 == pytest.approx(0.96, rel=1e-9)
    assert f.first_weight == pytest.approx(0.2)
    np.testing.assert_allclose(f.eps_factor, 1.0, rtol=1e-9)
    assert f.bend == pytest.approx(BESIDE, rel=1e-6)


def test_momentum_is_linear_and_weighs_the_gradient_by_one() -> None:
    f = facts(Momentum)
    assert f.is_linear
    assert (f.first_weight, f.sign) == (1.0, 1.0)
    assert f.weights[0, 0] == pytest.approx(1.0)


class SignAlone(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        self.p[i] = self.p[i] - self.lr * np.sign(g)


def test_steps_of_one_size() -> None:
    assert facts(Sign).is_sign
    assert facts(SignAlone).is_sign


def test_steps_without_a_division_are_told_one_by_one() -> None:
    f = facts(Rectified)
    assert f.divides.tolist() == [False] * 5 + [True] * 7
    assert f.b2 == pytest.approx(0.96, rel=1e-3)
    assert f.bend == BESIDE  # from the last step


def test_a_step_as_long_as_the_parameter() -> None:
    assert facts(Norm).by_norm


def test_the_bends_are_those_of_the_curves() -> None:
    assert pytest.approx((1 / 2, 1 / np.sqrt(2), 1.0)) == (BESIDE, UNDER, LARGER)


def test_what_varies_is_not_constant_and_what_is_unsure_no_value() -> None:
    assert constant(np.array([np.nan])) is None
    assert near(1.0, 1.0005)
    assert not near(1.0, 1.002)
    assert np.isnan(sure(Measured([1.0, 1.0], [1e-9, 0.1]))).tolist() == [False, True]


class Begun(Parts):
    """Both moments begin at a small number."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.m = [np.full_like(p, 1e-6) for p in params]
        self.v = [np.full_like(p, 4e-6) for p in params]


class Pulled(Parts):
    """A parameter moves by itself."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.p[i] = self.p[i] - 0.01 * self.lr


def test_moments_that_do_not_start_at_0() -> None:
    f = facts(Begun)
    assert f.first_start == pytest.approx(1e-6, rel=1e-2)
    assert f.second_start == pytest.approx(4e-6, rel=1e-2)
    assert f.b1 == pytest.approx(0.8, rel=1e-3)
    assert f.bend == BESIDE
    assert (facts(Parts).first_start, facts(Parts).second_start) == (None, None)


def test_what_moves_a_parameter_otherwise_is_no_start() -> None:
    assert facts(Pulled).still.all()
    assert facts(Pulled).first_start is None
