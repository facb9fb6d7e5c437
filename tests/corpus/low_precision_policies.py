"""Wrong Adams with parameters of 16 bits: what is kept of a parameter is lost, stale, or drawn wrongly."""

from __future__ import annotations

from typing import Any

import numpy as np
from flat import A
from register import wrong
from sixteen import Kahan, Master, Split, Split8, Stochastic, f32, numbers, to_zero, words

# A float32 copy


@wrong("storage", "STORE.2", like="NVIDIA/Megatron-LM#5071")
class MasterNotUpdated(Master):
    """p is stepped, and the copy stays as it was at the start."""

    def store(self, i: int, x: A) -> None:
        self.p[i] = x.astype(self.narrow)


@wrong("storage", "STORE.2")
class MasterFromParameter(Master):
    """Each step makes the copy anew of p."""

    def load(self, i: int) -> A:
        return self.p[i].astype(f32)


@wrong("storage", "STORE.2")
class MasterCutOff(Master):
    """p is the copy rounded towards 0."""

    def store(self, i: int, x: A) -> None:
        self.rest[i], self.p[i] = x, to_zero(x, self.narrow)


@wrong("storage", "STORE.2")
class MasterIn16(Master):
    """The copy is kept in p's dtype."""

    def store(self, i: int, x: A) -> None:
        self.p[i] = x.astype(self.narrow)
        self.rest[i] = self.p[i].astype(f32)


@wrong("storage decay", "STORE.2")
class MasterWithoutDecay(Master):
    """Decay is made on p, and the copy goes without."""

    def apply(self, x: A, u: A) -> A:
        self.decayed = x * f32(1 - self.lr * self.wd) - f32(self.lr) * u
        return x - f32(self.lr) * u

    def store(self, i: int, x: A) -> None:
        self.rest[i], self.p[i] = x, self.decayed.astype(self.narrow)


@wrong("storage state", "STORE.8", like="TensorAuto/OpenTau#185")
class MasterRebuiltOnLoad(Master):
    """The copy is not saved: it is made anew of p where a state is loaded."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.rest = [p.astype(f32) for p in self.p]


@wrong("storage state", "STORE.8", like="NovaSky-AI/SkyRL#2149")
class MasterStaleAfterLoad(Master):
    """The copy of the step before is saved, and the next step after a load goes on from it."""

    def store(self, i: int, x: A) -> None:
        self.stale = {**getattr(self, "stale", {}), i: self.rest[i]}
        super().store(i, x)

    def get_state(self) -> dict[str, Any]:
        old = getattr(self, "stale", {})
        return super().get_state() | {"p_rest": [old.get(i, r).copy() for i, r in enumerate(self.rest)]}


# The bits that p lost


@wrong("storage", "STORE.3", like="karpathy/llm.c#432")
class BitsDropped(Split):
    """The bits that p lost are not kept."""

    def store(self, i: int, x: A) -> None:
        super().store(i, x)
        self.rest[i] = np.zeros_like(self.rest[i])


@wrong("storage", "STORE.3", like="NVIDIA/apex#1842")
class BitsUnsigned(Split):
    """The bits are read as a number without a sign."""

    def load(self, i: int) -> A:
        return numbers(words(self.p[i].astype(f32)) + (self.rest[i].astype(np.int64) & 0xFFFF))


@wrong("storage", "STORE.3")
class BitsOfCutParameter(Split):
    """p is cut off, and the lower half of the bits is kept as a signed number."""

    def store(self, i: int, x: A) -> None:
        w = words(x)
        self.p[i] = numbers(w & 0xFFFF0000).astype(self.narrow)
        self.rest[i] = (w & 0xFFFF).astype(np.uint16).view(np.int16)


@wrong("storage", "STORE.3")
class BitsOfFirstStep(Split):
    """The bits of the first step are kept for good."""

    def store(self, i: int, x: A) -> None:
        kept = self.rest[i]
        super().store(i, x)
        self.rest[i] = kept if self.t[i] > 1 else self.rest[i]


@wrong("storage", "STORE.3")
class BitsNegated(Split):
    """The bits are added where they are to be taken off."""

    def load(self, i: int) -> A:
        return numbers(words(self.p[i].astype(f32)) - self.rest[i].astype(np.int64))


@wrong("storage", "STORE.4")
class EightBitsCutOff(Split8):
    """The value is cut off to 16 digits instead of rounded."""

    def whole(self, x: A) -> A:
        return words(x) & 0xFFFFFF00


@wrong("storage", "STORE.4")
class EightBitsOfSixteen(Split8):
    """The lower byte of the bits is kept instead of the upper one."""

    def store(self, i: int, x: A) -> None:
        w = words(x)
        upper = (w + 0x8000) & 0xFFFF0000
        self.p[i] = numbers(upper).astype(self.narrow)
        self.rest[i] = ((w - upper) & 0xFF).astype(np.uint8).view(np.int8)


# Compensation


@wrong("storage", "STORE.5")
class CompensationNegated(Kahan):
    """What was lost is taken off once more."""

    def load(self, i: int) -> A:
        return self.p[i].astype(f32) - self.rest[i].astype(f32)


@wrong("storage", "STORE.5")
class CompensationReset(Kahan):
    """What was lost is set to 0 in each step."""

    def store(self, i: int, x: A) -> None:
        super().store(i, x)
        self.rest[i] = np.zeros_like(self.rest[i])


@wrong("storage", "STORE.5")
class CompensationTwice(Kahan):
    """What was lost is added twice."""

    def load(self, i: int) -> A:
        return self.p[i].astype(f32) + 2 * self.rest[i].astype(f32)


@wrong("storage", "STORE.5")
class CompensationOfOldParameter(Kahan):
    """What the parameter before the step lost is kept, not what the new one did."""

    def store(self, i: int, x: A) -> None:
        old = self.p[i].astype(f32)
        self.p[i] = x.astype(self.narrow)
        self.rest[i] = ((x - old) - (self.p[i].astype(f32) - old) / 2).astype(self.narrow)


# Rounding at random


@wrong("storage", "STORE.6")
class AlwaysAway(Stochastic):
    """The neighbour farther from 0 is always taken."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return 0xFFFF


@wrong("storage", "STORE.6")
class AlwaysTowardsZero(Stochastic):
    """The random bits are masked away: p is cut off."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return 0


@wrong("storage", "STORE.6", like="Nerogar/OneTrainer#994")
class NearestAfterAll(Stochastic):
    """What was rounded at random is overwritten by the nearest number."""

    def store(self, i: int, x: A) -> None:
        self.p[i] = x.astype(self.narrow)


@wrong("storage", "STORE.6")
class NoiseOfHalfRange(Stochastic):
    """The noise is half a distance wide, in the middle."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return super().noise(i, shape) // 2 + 0x4000


@wrong("storage", "STORE.6")
class NoiseOfHalfRangeBelow(Stochastic):
    """The noise has 15 bits, so that p is too small on average."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return super().noise(i, shape) // 2


@wrong("storage", "STORE.6")
class CoinAfterCut(Stochastic):
    """p is cut off, and half of the elements get one more, wherever the value lies."""

    def store(self, i: int, x: A) -> None:
        lower = words(x) & 0xFFFF0000
        up = self.random.integers(0, 2, x.shape) * 0x10000 * (words(x) != lower)
        self.p[i] = numbers(lower + up).astype(self.narrow)


@wrong("storage", "STORE.7", like="karpathy/llm.c#432")
class OneDrawForAll(Stochastic):
    """All elements of a parameter share the random bits."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return super().noise(i, ())


@wrong("storage", "STORE.7")
class DrawsInPairs(Stochastic):
    """Two elements share a word of random bits, each with the same half."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        drawn = super().noise(i, shape)
        flat = np.reshape(drawn, -1).copy()
        flat[1::2] = flat[: 2 * (flat.size // 2) : 2]
        return flat.reshape(shape)


@wrong("storage", "STORE.7", like="karpathy/llm.c#601")
class SameSeedEveryStep(Stochastic):
    """The generator is seeded anew in each step."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return np.random.default_rng(i).integers(0, 1 << 16, shape, dtype=np.int64)


@wrong("storage", "STORE.7", like="karpathy/llm.c#601")
class SameSeedEveryParameter(Stochastic):
    """The generator is seeded with the clock, so that all parameters get the same bits."""

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        return np.random.default_rng(int(self.t[i])).integers(0, 1 << 16, shape, dtype=np.int64)
