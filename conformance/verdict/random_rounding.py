"""Stochastic rounding judged by its statistics: unbiased, by independent bits (STORE.6, STORE.7).

The exact value of a step lies between two neighbours.  With the fraction ``f`` of their distance below it,
the upper one has to be taken with the probability ``f``.  What is summed up is ``up - f``, which is 0 on
average: over all roundings, over those of each quarter of the distance, times the sign of the value, and
times the
same of another element, step or parameter, each up and away from 0.

Each sum is a martingale whose steps lie within an interval of length 1.  So by the inequality of Azuma and
Hoeffding it leaves ``sqrt(n * log(2/ALARM) / 2)`` with a probability of at most ALARM, whatever the
candidate's parameters are: that is the rate of false alarms of one sum.  A run has SUMS of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from adamcore.conformance.oracle.kept import neighbours
from adamcore.conformance.oracle.stored import Unrounded
from adamcore.conformance.oracle.trajectory import Trajectory
from adamcore.conformance.types import FloatArray

ALARM = 1e-9  #: the rate of false alarms of one sum
LAGS = (1, 2, 4)  #: elements, and steps, whose random bits are compared
SUMS = 8 + 4 * len(LAGS)  #: at most, in a run
FEW = 64  #: roundings; fewer say nothing
SHARP = 2.0**-5  #: a value that is known less exactly than this part of the distance is left out
BIASED = "its stochastic rounding is biased"
DEPENDENT = "its random bits are not independent"


@dataclass(frozen=True)
class Roundings:
    """The roundings of one parameter in one step; an element that was not rounded is 0 in all of them."""

    off: FloatArray  #: 1 or 0, whether the upper neighbour was taken, less the probability of that
    unsure: FloatArray  #: how far the probability may be off
    fraction: FloatArray  #: the probability
    sign: FloatArray  #: the sign of the value
    counted: FloatArray  #: 1 for a rounding


def roundings(exact: Unrounded, p: FloatArray, dtype: str) -> Roundings:
    """Return the roundings from an exact vector to the parameter that was stored."""
    low, high = neighbours(exact.high, dtype)
    got = np.ravel(p).astype(np.float64)
    with np.errstate(all="ignore"):
        gap = high - low
        fraction = ((exact.high - low) + exact.low) / gap
        unsure = exact.arithmetic / gap
        counted = np.isfinite(gap) & (gap > 0) & (unsure < SHARP) & ((got == low) | (got == high))
        counted &= (fraction > unsure) & (fraction < 1 - unsure)

    def of_counted(x: FloatArray) -> FloatArray:
        return np.where(counted, x, 0.0)

    return Roundings(
        of_counted((got == high) - fraction),
        of_counted(unsure),
        of_counted(fraction),
        of_counted(np.sign(exact.high)),
        counted.astype(float),
    )


def random_problem(
    trajectory: Trajectory[Unrounded], params: Sequence[Sequence[FloatArray]], dtype: str
) -> str:
    """Return what is wrong with the random numbers of a run, or nothing."""
    found = [
        [roundings(exact, p, dtype) for (exact, *_), p in zip(step, after, strict=True)]
        for step, after in zip(trajectory.steps, params, strict=False)
    ]
    flat = [each for step in found for each in step]
    if sum(float(each.counted.sum()) for each in flat) < FEW:
        return ""
    from_zero = [[replace(each, off=each.off * each.sign) for each in step] for step in found]
    sums = {**biases(flat), **dict(products(found)), **dict(products(from_zero, "away from 0, "))}
    limits = {
        what: math.sqrt(count * math.log(2 / ALARM) / 2) + unsure for what, (_, unsure, count) in sums.items()
    }
    what = max(sums, key=lambda what: abs(sums[what][0]) / (limits[what] or 1.0))
    total, _, count = sums[what]
    if abs(total) <= limits[what]:
        return ""
    return (
        f"{BIASED if what in BIASES else DEPENDENT}: {what}, {total:+.0f} in {count:.0f} roundings; chance "
        f"alone stays within {limits[what]:.0f} but once in {1 / ALARM:.0e}"
    )


BIASES = {
    "up less its probability": (0.0, 1.0),
    **{f"the same in quarter {k + 1} of the distance": (k / 4, (k + 1) / 4) for k in range(4)},
    "away from 0 less its probability": (0.0, 1.0),
}
Sum = tuple[float, float, float]  #: the sum, how far it may be off, and the number of terms


def biases(flat: Sequence[Roundings]) -> dict[str, Sum]:
    """Return the sums that are 0 on average where each rounding is unbiased."""
    off, unsure, fraction, sign, counted = (
        np.concatenate([np.ravel(getattr(each, name)) for each in flat])
        for name in ("off", "unsure", "fraction", "sign", "counted")
    )
    sums = {}
    for what, (low, high) in BIASES.items():
        among = counted * (fraction >= low) * (fraction < high)
        weight = among * (sign if what.startswith("away") else 1.0)
        sums[what] = (float((weight * off).sum()), float((among * unsure).sum()), float(among.sum()))
    return sums


def products(found: Sequence[Sequence[Roundings]], how: str = "") -> Iterator[tuple[str, Sum]]:
    """Yield the sums of products, which are 0 on average where the random bits are independent."""
    flat = [each for step in found for each in step]
    for lag in LAGS:
        yield (
            f"{how}an element goes as the one {lag} before it does",
            added([(first(each, -lag), first(each, lag, behind=True)) for each in flat]),
        )
    for lag in LAGS:
        pairs = [pair for a, b in zip(found, found[lag:], strict=False) for pair in zip(a, b, strict=True)]
        yield f"{how}a step goes as the one {lag} before it does", added(pairs)
    pairs = [pair for step in found for pair in pairwise(step)]
    yield (
        f"{how}a parameter goes as the one before it does",
        added(
            [(first(a, min(len(a.off), len(b.off))), first(b, min(len(a.off), len(b.off)))) for a, b in pairs]
        ),
    )


def first(each: Roundings, count: int, *, behind: bool = False) -> Roundings:
    """Return the first elements, or with ``behind`` those after them."""
    part = slice(count, None) if behind else slice(None, count)
    return Roundings(*(np.ravel(x)[part] for x in vars(each).values()))


def added(pairs: Sequence[tuple[Roundings, Roundings]]) -> Sum:
    """Return the sum of the products of all pairs."""
    total = unsure = count = 0.0
    for a, b in pairs:
        both = a.counted * b.counted
        total += float((a.off * b.off).sum())
        unsure += float((both * (a.unsure + b.unsure)).sum())
        count += float(both.sum())
    return total, unsure, count
