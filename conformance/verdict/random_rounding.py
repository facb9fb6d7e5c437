"""Stochastic rounding judged by its statistics: unbiased, by independent bits (STORE.6, STORE.7, STORE.16).

The exact value of a step lies between two neighbours.  With the fraction ``f`` of their distance below it,
the upper one has to be taken with the probability ``f``.  What is summed up is ``up - f``, which is 0 on
average: over all roundings, over those of each quarter of the distance, times the sign of the value, and
times the same of another element, step, parameter or part (p, m, v, v_max), each up and away from 0.

Each sum is a martingale whose steps lie within an interval of length 1.  So by the inequality of Azuma and
Hoeffding it leaves ``sqrt(n * log(2/ALARM) / 2)`` with a probability of at most ALARM, whatever the
candidate's parameters are: that is the rate of false alarms of one sum.  A run has SUMS of them for each
part, and two for each pair of parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.kept import neighbours
from adamcore.conformance.oracle.stored import Unrounded
from adamcore.conformance.oracle.trajectory import Trajectory
from adamcore.conformance.types import FloatArray, Moments
from adamcore.conformance.verdict.random_moments import each_moment, random_parts

ALARM = 1e-10  #: the rate of false alarms of one sum
LAGS = (1, 2, 4)  #: elements, and steps, whose random bits are compared
SUMS = 8 + 4 * len(LAGS)  #: at most, of one part
FEW = 64  #: roundings; fewer say nothing
SHARP = 2.0**-5  #: a value that is known less exactly than this part of the distance is left out
BIASED = "its stochastic rounding is biased"
DEPENDENT = "its random bits are not independent"
BIASED_MOMENTS = "its stochastic rounding of moments is biased"
DEPENDENT_MOMENTS = "the random bits of its moments are not independent"
#: by whether the mean is wrong, and whether p is rounded
KINDS = {
    (True, True): BIASED,
    (False, True): DEPENDENT,
    (True, False): BIASED_MOMENTS,
    (False, False): DEPENDENT_MOMENTS,
}
AWAY = "away from 0, "


@dataclass(frozen=True)
class Roundings:
    """The roundings of one parameter in one step; an element that was not rounded is 0 in all of them."""

    off: FloatArray  #: 1 or 0, whether the upper neighbour was taken, less the probability of that
    unsure: FloatArray  #: how far the probability may be off
    fraction: FloatArray  #: the probability
    sign: FloatArray  #: the sign of the value
    counted: FloatArray  #: 1 for a rounding


Series = list[list[Roundings]]  #: after each step, of each parameter


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


def all_roundings(
    trajectory: Trajectory[Unrounded],
    params: Sequence[Sequence[FloatArray]],
    dtype: str,
    moments: Sequence[Sequence[Moments]] | None,
    adam: Adam,
) -> dict[str, Series]:
    """Return the roundings of each part that is rounded at random.

    Args:
        trajectory: what is stored after each step, before it is rounded.
        params: the parameters that were stored.
        dtype: their dtype.
        moments: the moments that were stored, if those of the trajectory begin at them.
        adam: the claim.
    """
    found: dict[str, Series] = {}
    if adam.p_storage == "stochastic":
        found["p"] = [
            [roundings(exact, p, dtype) for (exact, *_), p in zip(step, after, strict=True)]
            for step, after in zip(trajectory.steps, params, strict=False)
        ]
    parts = random_parts(adam, dtype)
    for s, _, name, ends, kept in each_moment(parts, trajectory, moments or ()):
        exact = Unrounded(ends.exact, np.zeros_like(kept), (ends.high - ends.low) / 2, np.abs(ends.exact))
        series = found.setdefault(name, [])
        series += [[] for _ in range(s + 1 - len(series))]
        series[s].append(roundings(exact, kept, parts[name]))
    return {name: series for name, series in found.items() if count_of(series) >= FEW}


def count_of(series: Series) -> float:
    """Return how many roundings there are."""
    return sum(float(each.counted.sum()) for step in series for each in step)


def random_problem(parts: Mapping[str, Series]) -> str:
    """Return what is wrong with the random numbers of a run, or nothing."""
    sums: dict[tuple[str, str], Sum] = {}
    for name, series in parts.items():
        flat = [each for step in series for each in step]
        found = {**biases(flat), **dict(products(series)), **dict(products(from_zero(series), AWAY))}
        sums |= {(name, what): each for what, each in found.items()}
    for one, other in combinations(parts, 2):
        for how, turned in (("", list), (AWAY, from_zero)):
            a, b = (turned(parts[name]) for name in (one, other))
            pairs = [pair for x, y in zip(a, b, strict=True) for pair in zip(x, y, strict=True)]
            sums[other, f"{how}it goes as {one} does"] = added(pairs)
    if not sums:
        return ""
    limits = {
        key: math.sqrt(count * math.log(2 / ALARM) / 2) + unsure for key, (_, unsure, count) in sums.items()
    }
    name, what = max(sums, key=lambda key: abs(sums[key][0]) / (limits[key] or 1.0))
    total, _, count = sums[name, what]
    limit = limits[name, what]
    if abs(total) <= limit:
        return ""
    kind, of = KINDS[what in BIASES, name == "p"], "" if name == "p" else f"{name}, "
    return (
        f"{kind}: {of}{what}, {total:+.0f} in {count:.0f} roundings; chance "
        f"alone stays within {limit:.0f} but once in {1 / ALARM:.0e}"
    )


def from_zero(series: Series) -> Series:
    """Return roundings away from 0 instead of up."""
    return [[replace(each, off=each.off * each.sign) for each in step] for step in series]


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
