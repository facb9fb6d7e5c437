"""How a policy of storage keeps a value: STORE.1 to STORE.7 of docs/spec.md, transcribed.

Nothing here comes from :mod:`adamcore.storage`: a fault there is no fault here.  A *value* is a float32
number, a *rest* what the state keeps of it beside p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adamcore.conformance.dtypes import DTYPES, round_to
from adamcore.conformance.types import FloatArray
from adamcore.storage.policies import PStorage

Words = np.ndarray[Any, np.dtype[np.int64]]
PARTS = {"p": 0, "m": 1, "v": 2, "v_max": 3}  #: what tells the random bits of an element apart (STORE.16)
RESTS = ("master", "split", "split8", "kahan")  #: the policies that keep a part of the value in the state
STEP = {"split": 1, "split8": 256}  #: how many float32 numbers one unit of the rest is
MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Draw:
    """Whose random bits a parameter or a moment is rounded with (STORE.7, STORE.16)."""

    seed: int
    leaf: int  #: the number of the parameter
    t: int  #: the clock of the update
    part: int = 0  #: of :data:`PARTS`


def words(values: FloatArray) -> Words:
    """Return the bits of float32 numbers as integers.

    >>> [hex(w) for w in words(np.array([1.0, -2.0]))]
    ['0x3f800000', '0xc0000000']
    """
    return np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.int64)


def numbers(w: Words) -> FloatArray:
    """Return the float32 numbers that have these bits, modulo 2**32."""
    return (w & MASK).astype(np.uint32).view(np.float32)


def shown(policy: PStorage, x: FloatArray, dtype: str) -> FloatArray:
    """Return the parameter of a value, for all policies but "stochastic": the nearest number of its dtype.

    Ties go to even, but in bfloat16 under "split" and "split8" away from 0 (STORE.3).
    """
    if policy in STEP and dtype == "bfloat16":
        up = numbers((words(x) + 0x8000) & 0xFFFF0000)
        return np.where(np.isnan(x), np.float32(np.nan), up)
    return round_to(x, dtype).astype(np.float32)


def value_of(policy: PStorage, p: FloatArray, rest: FloatArray | None, dtype: str) -> FloatArray:
    """Return the value of a parameter (STORE.2 to STORE.5); without a rest it is the parameter itself."""
    p = np.asarray(p, dtype=np.float32)
    if rest is None or policy not in RESTS:
        return p
    with np.errstate(invalid="ignore", over="ignore"):
        if policy in STEP:
            return numbers(words(p) + np.asarray(rest, dtype=np.int64) * STEP[policy])
        rest = np.asarray(rest, dtype=np.float32)
        if policy == "master":
            same = (shown(policy, rest, dtype) == p) | (np.isnan(rest) & np.isnan(p))
            return np.where(same, rest, p)
        x = np.where(rest == 0, p, (p + rest).astype(np.float32))
        nearest = shown(policy, x, dtype)
        return np.where(np.abs(p.astype(float) - x) > np.abs(nearest.astype(float) - x), p, x)


def kept(policy: PStorage, x: FloatArray, dtype: str) -> FloatArray:
    """Return what is left of real values after they were stored: float32 numbers (STORE.2 to STORE.5)."""
    single = round_to(x, "float32").astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        if policy == "master" or policy not in RESTS:
            return single
        if policy == "kahan":
            p = shown(policy, single, dtype)
            rest = round_to(np.where(np.isfinite(p), single - p, 0.0), dtype).astype(np.float32)
            return np.where(rest == 0, p, (p + rest).astype(np.float32))
        if policy == "split8":
            w = words(single)
            single = np.where(np.isnan(single), single, numbers((w + 0x7F + ((w >> 8) & 1)) & 0xFFFFFF00))
        p = shown(policy, single, dtype)
        apart = words(single) - words(p)
        held = (apart >= -0x8000) & (apart < 0x8000)
        return np.where(held | np.isnan(single), single, p)


def disagreement(
    policy: PStorage, p: FloatArray, rest: FloatArray, dtype: str
) -> tuple[tuple[int, ...], str] | None:
    """Return where p is not the parameter of the value that it and its rest stand for, and what is wrong."""
    p, x = np.asarray(p, dtype=np.float32), value_of(policy, p, rest, dtype)
    if policy == "master":
        x = np.asarray(rest, dtype=np.float32)
    want = shown(policy, x, dtype)
    with np.errstate(invalid="ignore"):
        wrong = ~((want == p) | (np.isnan(want) & np.isnan(p)))
        if policy == "kahan":
            x = p.astype(np.float64) + np.asarray(rest, dtype=np.float64)
            wrong = np.abs(p - x) > np.abs(round_to(x, dtype) - x)
    if not wrong.any():
        return None
    where = tuple(int(k) for k in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    near, is_ = np.broadcast_to(want, wrong.shape)[where], np.broadcast_to(p, wrong.shape)[where]
    return where, f"p is {is_:.9g}, and what the state keeps of it belongs to {near:.9g}"


def neighbours(x: FloatArray, dtype: str) -> tuple[FloatArray, FloatArray]:
    """Return the numbers of a dtype next to real numbers, below and above; infinity is one (STORE.6).

    >>> neighbours(np.array([1.001, 1.0]), "bfloat16")
    (array([1., 1.]), array([1.0078125, 1.       ]))
    """
    d = DTYPES[dtype]
    x = np.asarray(x, dtype=np.float64)
    _, exponent = np.frexp(x)
    quantum = np.maximum(exponent - d.bits, d.smallest)

    def rounded(direction: Any) -> FloatArray:
        with np.errstate(all="ignore"):
            y = np.ldexp(direction(np.ldexp(x, -quantum)), quantum)
            y = np.where(np.abs(y) >= 2.0**d.top, np.copysign(np.inf, x), y)
        return np.where(np.isfinite(x), y, x)

    return rounded(np.floor), rounded(np.ceil)


def mix(x: Any) -> Any:
    """Return ``mix`` of STORE.7, of a number or of words."""
    x = (x + 0x9E3779B9) & MASK
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & MASK
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & MASK
    return x ^ (x >> 16)


def random_bits(draw: Draw, count: int) -> Any:
    """Return the 32 random bits of each element of a parameter (STORE.7).

    >>> [hex(int(k)) for k in random_bits(Draw(0, 0, 1), 2)]
    ['0xb70a8c7f', '0xf6bd3da8']
    """
    a = mix(mix(mix(draw.seed) ^ draw.leaf) ^ draw.t)
    b = mix(mix(mix(draw.seed ^ 0x9E3779B9) ^ draw.t) ^ draw.leaf)
    b = mix(b ^ draw.part) if draw.part else b
    x: Any = (np.arange(count, dtype=np.uint64) & np.uint64(MASK)) ^ np.uint64(a)
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & MASK
    x = ((x ^ (x >> 13) ^ np.uint64(b)) * 0xC2B2AE35) & MASK
    return x ^ (x >> 16)


def drawn(x: FloatArray, dtype: str, draw: Draw) -> FloatArray:
    """Return the parameters of float32 values, element by element, by the random bits of STORE.7."""
    x = round_to(x, "float32").reshape(-1)
    low, high = neighbours(np.abs(x), dtype)
    bits = random_bits(draw, len(x)).astype(np.int64)
    w = words(np.abs(x))
    if dtype == "bfloat16":
        away = (bits >> 16) + (w & 0xFFFF) >= 1 << 16
    else:
        away = (bits >> 19) + (w & 0x1FFF) >= 1 << 13
        mantissa, exponent = np.frexp(np.abs(x))  # |x| = mantissa * 2**exponent, with 24 bits
        digits, shift = np.ldexp(mantissa, 24).astype(np.int64), -exponent.astype(np.int64)
        digits >>= np.clip(shift - 31, 0, 62)  # digits below 2**-55 are cut off
        shift = np.clip(shift, 0, 31)
        rest = digits & ((1 << shift) - 1)
        tiny = (np.abs(x) < 2.0**-14) & (x != 0)
        away = np.where(tiny, (bits >> (32 - shift)) + rest >= 1 << shift, away)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(x), np.copysign(np.where(away & (low != high), high, low), x), x)
