"""Numbers whose roots are hard to round, and those roots, worked out with integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

DIGITS = {"float32": 24, "float64": 53}
WORDS = {"float32": np.uint32, "float64": np.uint64}


def exact_root(x: float, digits: int) -> float:
    """Return the square root of a positive number, rounded once to so many binary digits."""
    mantissa, exponent = math.frexp(x)
    whole, exponent = int(mantissa * 2**53), exponent - 53
    if exponent % 2:
        whole, exponent = whole * 2, exponent - 1
    root = math.isqrt(whole << 128)  # times 2**64: more digits than are wanted, the rest is cut off
    extra = root.bit_length() - digits
    rest, half = root % 2**extra, 2 ** (extra - 1)
    root >>= extra
    if rest >= half:  # never a tie: a root of so many digits and a half has a square of too many
        root += 1
    return math.ldexp(root, extra + exponent // 2 - 64)


def hard_values(dtype: str, count: int = 4000) -> np.ndarray[Any, Any]:
    """Return positive numbers: of all sizes, beside squares, subnormal, and the largest and smallest."""
    rng, kind, word = np.random.default_rng(0), np.dtype(dtype), WORDS[dtype]
    infinity = int(np.asarray(np.inf, kind).view(word))
    smallest_normal = int(np.finfo(kind).tiny.view(word))
    drawn = rng.integers(1, infinity, count, dtype=word).view(kind)
    usual = (rng.random(count) * 10).astype(kind)
    subnormal = rng.integers(1, smallest_normal, count // 4, dtype=word).view(kind)
    half = DIGITS[dtype] // 2
    short = (np.round(rng.random(count // 4) * 2**half) / 2**half + 1).astype(kind)  # with exact squares
    full = (rng.random(count // 4) * 3 + 0.5).astype(kind)
    powers = np.ldexp(np.ones(1, kind), np.arange(np.finfo(kind).minexp, np.finfo(kind).maxexp))
    squares = np.concatenate([short * short, full * full, powers])
    up, down = np.asarray(np.inf, kind), np.asarray(0, kind)
    beside = [squares, np.nextafter(squares, up), np.nextafter(squares, down), full * np.nextafter(full, up)]
    ends = np.concatenate([np.arange(1, 100, dtype=word), infinity - np.arange(1, 100, dtype=word)])
    found = np.concatenate([drawn, usual, subnormal, *beside, ends.astype(word).view(kind)])
    assert np.all(found > 0)
    assert np.all(np.isfinite(found))
    return found


def exact_roots(values: Any) -> np.ndarray[Any, Any]:
    """Return the roots of positive numbers, each rounded once to their dtype."""
    digits = DIGITS[values.dtype.name]
    return np.asarray([exact_root(x, digits) for x in values.tolist()], values.dtype)
