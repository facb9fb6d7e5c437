"""Words on an element whose place, or an array whose size or shape, changes its steps."""

from __future__ import annotations

import numpy as np
import pytest
from measured_adams import Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


class MatricesTwice(Parts):
    """Matrices are in two lists, of which each is stepped."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        if g.ndim == 2:
            self.t[i] += 1
            super().one(i, g)


class MatricesInSingle(Parts):
    """The correction of a matrix is rounded to float32."""

    def one(self, i: int, g: FloatArray) -> None:
        self.ndim = g.ndim
        super().one(i, g)

    def correction(self, t: int) -> tuple[float, float]:
        first, second = super().correction(t)
        return (float(np.float32(first)), second) if self.ndim == 2 else (first, second)


class MatricesHalf(Parts):
    """The gradient of a matrix is divided by two, of which one is its own."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g / 2 if g.ndim == 2 else g)


class CutByFirstQuarter(Parts):
    """Gradients are cut to a norm of 1 by the norm of their first quarters, as of one rank of four."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        first = [np.ravel(g)[: -(-g.size // 4)] for g in grads if g is not None]
        share = 1 / max(1.0, float(np.sqrt(sum(np.sum(g * g) for g in first))))
        return super().step([None if g is None else g * share for g in grads])


class LastIsFirst(Parts):
    """The last element of an array has the gradient of the first one."""

    def one(self, i: int, g: FloatArray) -> None:
        g = g.copy()
        g.flat[g.size - 1 :] = g.flat[:1]
        super().one(i, g)


class OneGradientForAll(Parts):
    """All elements of an array have the sum of their gradients."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, np.full_like(g, np.sum(g)))


class WeighedByPlace(Parts):
    """Every second gradient counts twice."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g * np.resize([1.0, 2.0], g.size).reshape(g.shape))


class HalvesWeighed(Parts):
    """Of two ranks the first has three tokens and the second one; the means of both are averaged."""

    def one(self, i: int, g: FloatArray) -> None:
        late = np.arange(g.size).reshape(g.shape) >= (g.size + 1) // 2
        super().one(i, g * np.where(late, 2.0, 2.0 / 3.0))


class LastInHalf(Parts):
    """The elements behind the last four of an array that fit are averaged in float16."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        after = super().first(m, g)
        late = np.arange(g.size).reshape(g.shape) >= g.size - g.size % 4
        with np.errstate(over="ignore"):
            return np.where(late, after.astype(np.float16).astype(after.dtype), after)


@pytest.mark.parametrize(
    ("cls", "area", "rule", "observed"),
    [
        (WeighedByPlace, "moments", "MOM.1", "gradients are multiplied by 1, 2, one after the other"),
        (HalvesWeighed, "moments", "MOM.1", "in successive parts of an array are multiplied by 0.66667, 2"),
        (LastInHalf, "mixed_precision", "NUM.1", "equal elements of an array differ by up to "),
        (MatricesTwice, "moments", "MOM.1", "an array of two dimensions is stepped twice in each step"),
        (MatricesHalf, "moments", "MOM.1", "each gradient of an array of two dimensions counts 0.5 times"),
        (MatricesInSingle, "coefficients", "NUM.4", "steps of an array of two dimensions are off by up to "),
        (CutByFirstQuarter, "clipping", "NUM.5", "gradients are cut by some of them alone"),
        (LastIsFirst, "layout", "STEP.1", ""),
        (OneGradientForAll, "layout", "STEP.1", "all elements of an array make the same steps"),
    ],
)
def test_places(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)
