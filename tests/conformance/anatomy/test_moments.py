"""The equations of the moments: averages, sums, maxima, differences, look-aheads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from measured_adams import Parts, equations_of

from adamcore.conformance.anatomy.moments import correction_of_m
from adamcore.conformance.types import FloatArray


class Largest(Parts):
    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return np.maximum(0.9 * v, g * g)

    def correction(self, t: int) -> tuple[float, float]:
        return 1 - self.h["b1"] ** t, 1.0


class Sum(Largest):
    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return v + g * g


class Towards(Parts):
    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return np.asarray(v - 0.04 * np.sign(v - g * g) * g * g)


class Difference(Parts):
    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return super().second(v, g - m, m)


class Uncorrected(Parts):
    def correction(self, t: int) -> tuple[float, float]:
        return 1.0, 1.0


class StandsStill(Parts):
    def correction(self, t: int) -> tuple[float, float]:
        return 1 - self.h["b1"] ** t, 1 - self.h["b2"] ** 2


class Halved(Parts):
    def correction(self, t: int) -> tuple[float, float]:
        return 1 - self.h["b1"] ** t, 2.0


class Quadrupled(Parts):
    def correction(self, t: int) -> tuple[float, float]:
        return 1.0, (1 - self.h["b2"] ** t) / 4.0


class Unweighted(Uncorrected):
    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return self.h["b1"] * m + g


class LookAhead(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        self.p[i] = self.decay(self.p[i]) - self.lr * (0.8 * m + 0.2 * g) / c1 / self.root(v / c2)


class Highest(Parts):
    corrected = False

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.top = [np.zeros_like(p) for p in params]

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        self.top[i] = np.maximum(self.top[i], v / c2 if self.corrected else v)
        used = self.top[i] if self.corrected else self.top[i] / c2
        self.p[i] = self.decay(self.p[i]) - self.lr * (m / c1) / self.root(used)


class HighestCorrected(Highest):
    corrected = True


BESIDE_ROOT = "p = p - lr m_hat / (sqrt(v_hat) + eps)"

CASES: list[tuple[type, dict[str, Any]]] = [
    (Parts, {"first moment": "m = 0.8 m + 0.2 g", "second moment": "v = 0.96 v + 0.04 g^2"}),
    (Parts, {"correction": "v_hat = v / (1 - 0.96^t)"}),
    (Largest, {"second moment": "v = max(0.9 v, g^2)", "correction": "m_hat = m / (1 - 0.8^t)"}),
    (Sum, {"second moment": "v = v + g^2"}),
    (Towards, {"second moment": "v = v - 0.04 sign(v - g^2) g^2"}),
    (Difference, {"second moment": "v = 0.96 v + 0.04 (g - m)^2"}),
    (Uncorrected, {"second moment": "v = 0.96 v + 0.04 g^2", "correction": None}),
    (StandsStill, {"correction": "v_hat = v / (1 - 0.96^2)", "step": BESIDE_ROOT}),
    (Halved, {"correction": "v_hat = 0.5 v", "step": BESIDE_ROOT}),
    (Quadrupled, {"correction": "v_hat = 4 v / (1 - 0.96^t)", "step": BESIDE_ROOT.replace("m_hat", "m")}),
    (Unweighted, {"first moment": "m = 0.8 m + g", "correction": None}),
    (LookAhead, {"look-ahead": "m_hat = (0.8 m + 0.2 g) / (1 - 0.8^t)"}),
    (Highest, {"maximum": "v_max = max(v_max, v), in the place of v"}),
    (HighestCorrected, {"maximum": "v_max = max(v_max, v_hat), in the place of v_hat"}),
]


@pytest.mark.parametrize(("cls", "wanted"), CASES)
def test_the_equations(cls: type, wanted: dict[str, str | None]) -> None:
    found = equations_of(cls)
    assert {part: found.get(part) for part in wanted} == wanted


def test_a_correction_of_no_known_form_is_numbers() -> None:
    t = np.arange(1, 13)
    stops = np.where(t <= 10, 1 / (1 - 0.8**t), 1.0)
    text = correction_of_m(stops, 0.8, 0.96)
    assert text.startswith("m / (1 - 0.8^t), times 1, 1, 1, 1, ..., 0.93")
    assert correction_of_m(np.ones(12), 0.8, 0.96) == ""
    assert correction_of_m(2.0 / (1 - 0.8**t), 0.8, None) == "2 m / (1 - 0.8^t)"
    hat = np.sqrt(1 - 0.96**t) / (1 - 0.8**t)
    assert correction_of_m(hat, 0.8, 0.96) == "m sqrt(1 - 0.96^t) / (1 - 0.8^t)"
