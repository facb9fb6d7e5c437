"""Adams whose moments are rounded at random into 16 bits: right ones by other random bits, and wrong ones."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from flat import A
from low_precision_right import Doubled, Folded, Lerped
from register import right, wrong
from sixteen import RandomMoments, Split, Stochastic, f32, numbers, words

# Right ones


@right()
class MomentsAtRandom(RandomMoments):
    """Random bits from NumPy's generator, added and cut off."""


@right()
class MomentsByChoice(RandomMoments):
    """A number between 0 and 1, compared with the distance from the lower neighbour."""

    def at_random(self, part: str, x: A) -> A:
        lower = words(x) & 0xFFFF0000
        up = self.random.random(x.shape) * 0x10000 < (words(x) - lower)
        return numbers(lower + up * 0x10000).astype(self.narrow)


@right()
class MomentsByChoiceInHalf(RandomMoments):
    """The same in float16, whose neighbours NumPy finds."""

    dtypes = ("float16",)

    def at_random(self, part: str, x: A) -> A:
        near = x.astype(self.narrow)
        below = near.astype(f32) < x
        away = np.where(below, np.inf, -np.inf).astype(self.narrow)
        far = np.nextafter(near, away)
        gap = np.abs(far.astype(float) - near.astype(float))
        kept: A = np.where(self.random.random(x.shape) * gap < np.abs(x - near.astype(float)), far, near)
        return kept


@right()
class MomentsByHash(RandomMoments):
    """Bits from a hash of the clock, the parameter, the part and the element."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        first = (int(self.t[self.at]) << 40) + (self.at << 34) + ((part == "v") << 33)
        k = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(first)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            k = (k ^ (k >> np.uint64(shift))) * np.uint64(factor)
        return (k >> np.uint64(48)).astype(np.int64).reshape(shape)


@right()
class LerpedMomentsAtRandom(Lerped, RandomMoments):
    """Moments that move by what they lack, rounded at random."""


@right()
class FoldedMomentsAtRandom(Folded, RandomMoments):
    """The corrections folded, moments rounded at random."""


@right()
class DoubledMomentsAtRandom(Doubled, RandomMoments):
    """Arithmetic in float64, moments rounded to float32 and then at random."""


@right()
class SplitAndMomentsAtRandom(RandomMoments, Split):
    """The bits that p lost, moments rounded at random."""

    options: ClassVar[dict[str, str]] = {**Split.options, **RandomMoments.options}


@right()
class AllAtRandom(RandomMoments, Stochastic):
    """p, m and v rounded at random."""

    options: ClassVar[dict[str, str]] = {**Stochastic.options, **RandomMoments.options}


@right()
class HiddenMoments(RandomMoments):
    """Moments rounded at random that the state shows under other names."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {"t": state["t"], "first": state["m"], "second": state["v"]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"t": state["t"], "m": state["first"], "v": state["second"]})


# Wrong ones: the mean


@wrong("storage", "STORE.16")
class MomentsCutOff(RandomMoments):
    """The random bits are masked away: m and v are cut off."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        return 0


@wrong("storage", "STORE.16")
class MomentsAway(RandomMoments):
    """The neighbour farther from 0 is always taken."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        return 0xFFFF


@wrong("storage", "STORE.16")
class SecondToNearest(RandomMoments):
    """m is rounded at random, and v to the nearest, where it stands still."""

    def keep_second(self, v: A) -> A:
        return v.astype(self.narrow)


@wrong("storage", "STORE.16")
class FirstToNearest(RandomMoments):
    """v is rounded at random, and m to the nearest."""

    def keep_first(self, m: A) -> A:
        return m.astype(self.narrow)


@wrong("storage", "STORE.16")
class MomentsNoiseOfHalfRange(RandomMoments):
    """The noise has 15 bits, so that both moments are too small on average."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        return super().noise_of(part, shape) // 2


@wrong("storage", "STORE.16")
class MomentsNoiseInTheMiddle(RandomMoments):
    """The noise is half a distance wide, in the middle: right on average, and too near to the nearest."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        return super().noise_of(part, shape) // 2 + 0x4000


@wrong("storage", "STORE.16")
class NoiseWithoutCarry(RandomMoments):
    """Random bits are put in the place of the lower ones, and cut off with them."""

    def at_random(self, part: str, x: A) -> A:
        w = (words(x) & 0xFFFF0000) | self.noise_of(part, x.shape)
        return numbers(w & 0xFFFF0000).astype(self.narrow)


@wrong("storage", "STORE.16")
class RoundedBeforeAverage(RandomMoments):
    """g and g*g are rounded at random, and their averages to the nearest."""

    def first(self, m: A, g: A) -> A:
        return super().first(m, self.at_random("m", g).astype(f32))

    def second(self, v: A, g: A) -> A:
        return f32(self.b2) * v + f32(1 - self.b2) * self.at_random("v", g * g).astype(f32)

    def keep_first(self, m: A) -> A:
        return m.astype(self.narrow)

    def keep_second(self, v: A) -> A:
        return v.astype(self.narrow)


@wrong("storage", "STORE.16")
class ChangeRoundedAtRandom(RandomMoments):
    """What is added to v is rounded at random, and v itself to the nearest."""

    def keep_second(self, v: A) -> A:
        old = self.v[self.at].astype(f32)
        change = self.at_random("v", v - old).astype(f32)
        return (old + change).astype(self.narrow)


# Wrong ones: the bits


@wrong("storage", "STORE.16")
class SameBitsForBoth(RandomMoments):
    """m and v are rounded by the same bits."""

    def one(self, i: int, g: A) -> None:
        self.drawn = self.random.integers(0, 1 << 16, g.shape, dtype=np.int64)
        super().one(i, g)

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        return self.drawn


@wrong("storage", "STORE.16")
class SameBitsAsParameter(RandomMoments, Stochastic):
    """p and v are rounded by the same bits."""

    options: ClassVar[dict[str, str]] = {**Stochastic.options, **RandomMoments.options}

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        self.drawn = super().noise_of(part, shape)
        return self.drawn

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return self.drawn


@wrong("storage", "STORE.16")
class MomentsSameBitsEveryStep(RandomMoments):
    """The generator is seeded anew in each step, with the parameter and the part."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        return np.random.default_rng([self.at, part == "v"]).integers(0, 1 << 16, shape, dtype=np.int64)


@wrong("storage", "STORE.16")
class MomentsSameBitsEveryElement(RandomMoments):
    """All elements of a moment share the random bits of a step."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        return super().noise_of(part, ())


@wrong("storage", "STORE.16")
class MomentsSameBitsEveryParameter(RandomMoments):
    """The generator is seeded with the clock and the part, so that all parameters get the same bits."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        seed = [int(self.t[self.at]), part == "v"]
        return np.random.default_rng(seed).integers(0, 1 << 16, shape, dtype=np.int64)


@wrong("storage", "STORE.16")
class SecondInPairs(RandomMoments):
    """Two elements of v share a word of random bits, each with the same half."""

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        drawn = super().noise_of(part, shape)
        if part == "m":
            return drawn
        flat = np.reshape(drawn, -1).copy()
        flat[1::2] = flat[: 2 * (flat.size // 2) : 2]
        return flat.reshape(shape)
