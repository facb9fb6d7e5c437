"""Right Adams with parameters of 16 bits, each written in another way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from flat import A, F
from register import right
from sixteen import Kahan, Master, Sixteen, Split, Split8, Stochastic, f32, numbers, words


@right()
class Plain(Sixteen):
    """Each of p, m and v rounded once."""


@right()
class PlainInHalf(Sixteen):
    """The same in float16."""

    dtypes = ("float16",)


class Lerped(Sixteen):
    """Moments that move by what they lack."""

    def first(self, m: A, g: A) -> A:
        return m + f32(1 - self.b1) * (g - m)

    def second(self, v: A, g: A) -> A:
        return v + f32(1 - self.b2) * (g * g - v)


class Folded(Sixteen):
    """The corrections folded into the step size, by a reciprocal root."""

    def quotient(self, m: A, v: A, c1: F, c2: F) -> A:
        return m * (f32(1) / (np.sqrt(v) * f32(c2**-0.5) + f32(self.eps))) * f32(1 / c1)


class Doubled(Sixteen):
    """Arithmetic in float64, rounded once on store."""

    def gradient(self, g: A) -> A:
        return g.astype(np.float64)

    def first(self, m: A, g: A) -> A:
        return self.b1 * m.astype(float) + (1 - self.b1) * g

    def second(self, v: A, g: A) -> A:
        return self.b2 * v.astype(float) + (1 - self.b2) * g * g

    def quotient(self, m: A, v: A, c1: F, c2: F) -> A:
        return (m / c1) / (np.sqrt(v / c2) + self.eps)

    def apply(self, x: A, u: A) -> A:
        after: A = x.astype(float) * (1 - self.lr * self.wd) - self.lr * u
        return after.astype(f32)


class DecayedLast(Sixteen):
    """Decay and step taken off together."""

    def apply(self, x: A, u: A) -> A:
        return x - f32(self.lr) * (f32(self.wd) * x + u)


class RootOfCorrected(Sixteen):
    """The root of the corrected v."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / f32(c2)) + f32(self.eps)


class Logarithmic(Sixteen):
    """-expm1(t*log(b)), better than 1-b**t."""

    def correction(self, t: int) -> tuple[F, F]:
        return tuple(-math.expm1(t * math.log(b)) if b else 1.0 for b in (self.b1, self.b2))  # type: ignore[return-value]


FORMS = (Lerped, Folded, Doubled, DecayedLast, RootOfCorrected, Logarithmic)
for form in FORMS:
    right()(form)


@right()
class LerpedInHalf(Lerped):
    """Moments that move by what they lack, in float16."""

    dtypes = ("float16",)


@right()
class DoubledInHalf(Doubled):
    """Arithmetic in float64, in float16."""

    dtypes = ("float16",)


@right()
class KeptMaster(Master):
    """A float32 copy."""


@right()
class KeptMasterInHalf(Master):
    """A float32 copy of float16."""

    dtypes = ("float16",)


@right()
class LerpedMaster(Lerped, Master):
    """A float32 copy, moments that move by what they lack."""


@right()
class DoubledMaster(Doubled, Master):
    """A float32 copy, arithmetic in float64."""


@right()
class SilentMaster(Master):
    """A float32 copy that the state does not show under this name."""

    shows_rest = False

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"copy": [np.array(r) for r in self.rest]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state | {"p_rest": state.get("copy", self.rest)})


@right()
class KeptSplit(Split):
    """The bits that p lost."""


@right()
class FoldedSplit(Folded, Split):
    """The bits that p lost, the corrections folded."""


@right()
class DecayedLastSplit(DecayedLast, Split):
    """The bits that p lost, decay and step taken off together."""


@right()
class SplitByAnd(Split):
    """The bits by a mask, and one more in p where they are 2**15 or more."""

    def store(self, i: int, x: A) -> None:
        w = words(x)
        low = w & 0xFFFF
        up = low >= 0x8000
        self.p[i] = numbers((w & 0xFFFF0000) + up * 0x10000).astype(self.narrow)
        self.rest[i] = (low - up * 0x10000).astype(np.int16)


@right()
class KeptSplit8(Split8):
    """The 8 bits that p lost."""


@right()
class LerpedSplit8(Lerped, Split8):
    """The 8 bits that p lost, moments that move by what they lack."""


@right()
class DoubledSplit8(Doubled, Split8):
    """The 8 bits that p lost, arithmetic in float64."""


@right()
class KeptKahan(Kahan):
    """Compensation in bfloat16."""


@right()
class KeptKahanInHalf(Kahan):
    """Compensation in float16."""

    dtypes = ("float16",)


@right()
class KahanAsSum(Kahan):
    """The compensated sum, written as Kahan did."""

    def apply(self, x: A, u: A) -> A:
        return x + (-f32(self.lr) * u - f32(self.lr * self.wd) * x)


@right()
class DoubledKahan(Doubled, Kahan):
    """Compensation in bfloat16, arithmetic in float64."""


@right()
class KeptStochastic(Stochastic):
    """Random bits added and cut off, from NumPy's generator."""


@right()
class StochasticByChoice(Stochastic):
    """A number between 0 and 1, compared with the distance from the lower neighbour."""

    def store(self, i: int, x: A) -> None:
        lower = words(x) & 0xFFFF0000
        up = self.random.random(x.shape) * 0x10000 < (words(x) - lower)
        self.p[i] = numbers(lower + up * 0x10000).astype(self.narrow)


@right()
class StochasticByHash(Stochastic):
    """Bits from a hash of the clock, the parameter and the element."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        k = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64((int(self.t[i]) << 40) + (i << 32))
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            k = (k ^ (k >> np.uint64(shift))) * np.uint64(factor)
        return (k >> np.uint64(48)).astype(np.int64).reshape(shape)


@right()
class LerpedStochastic(Lerped, Stochastic):
    """Random bits, moments that move by what they lack."""


@right()
class FoldedStochastic(Folded, Stochastic):
    """Random bits, the corrections folded."""
