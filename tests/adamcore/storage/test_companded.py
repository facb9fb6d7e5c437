"""The codes of "companded8" (STORE.10 to STORE.12), against Python's own numbers and against the danger."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from moment_runs import found_again, kept, moments

from adamcore.storage.companded import BLOCK, M_PART, M_TOP, V_PART, V_TOP
from adamcore.storage.moments import Coding

M, V = Coding("companded8", True), Coding("companded8", False)


def nearest(x: Fraction | float) -> float:
    """Return a number rounded to float32."""
    return float(np.float32(float(x)))


def of_word(x: float) -> int:
    """Return the word of a float32 number."""
    return int(np.float32(x).view(np.uint32))


def word_of(word: int) -> float:
    """Return the float32 number of a word."""
    return float(np.uint32(word).view(np.float32))


def values_of(scales: Any) -> Any:
    """Return scales as numbers."""
    return (scales.astype(np.uint32) << 16).view(np.float32) if scales.dtype == np.int16 else scales


def by_the_rules(block: list[float], signed: bool) -> tuple[list[int], float]:
    """Return the codes and the scale of a block, operation by operation as the rules have them."""
    top, part, least = (127, M_PART, 2.0**-124) if signed else (254, V_PART, 2.0**-63)
    sizes: list[float | None] = []
    for x in block:
        if not math.isfinite(x):
            sizes.append(None)
        elif signed:
            sizes.append(abs(x) if abs(x) >= 2.0**-126 else 0.0)
        else:
            sizes.append(nearest(math.sqrt(max(x, 2.0**-126))) if x else 0.0)
    value = nearest(max((y for y in sizes if y is not None), default=0.0) * part)
    if signed:  # up to bfloat16
        value = word_of(-(-of_word(value) // 65536) * 65536)
    value = max(value, least)
    codes = []
    for x, y in zip(block, sizes, strict=True):
        if y is None:
            codes.append(-128 if signed else 255)
            continue
        code = min(round(nearest(math.sqrt(nearest(y * nearest(1 / value))))), top)
        codes.append((code if x >= 0 else -code) if signed else max(code, 1) if y else 0)
    return codes, value


@pytest.mark.parametrize("coding", [M, V], ids=["m", "v"])
def test_codes_and_scales_are_those_of_the_rules(coding: Coding) -> None:
    for x in moments(coding.signed):
        codes, scales, _ = kept("numpy", coding, x)
        flat = [float(y) for y in x.reshape(-1)[: 12 * BLOCK]]
        blocks = [by_the_rules(flat[k : k + BLOCK], coding.signed) for k in range(0, len(flat), BLOCK)]
        assert codes.reshape(-1)[: 12 * BLOCK].tolist() == [code for own, _ in blocks for code in own]
        assert values_of(scales)[:12].tolist() == [scale for _, scale in blocks]


@pytest.mark.parametrize("coding", [M, V], ids=["m", "v"])
def test_a_number_is_what_its_code_stands_for(coding: Coding) -> None:
    x = moments(coding.signed)[0]
    codes, scales, again = kept("numpy", coding, x)
    each = np.repeat(values_of(scales), BLOCK)
    for code, scale, found in list(zip(codes.reshape(-1), each, again.reshape(-1), strict=False))[::7]:
        c, s = int(code), Fraction(float(scale))
        if coding.signed:
            assert found == c * abs(c) * s
        else:
            assert found == nearest(Fraction(nearest(c * c * s)) ** 2)


def test_the_largest_codes_are_used() -> None:
    for coding, top, least in ((M, M_TOP, 126), (V, V_TOP, V_TOP)):
        x = np.abs(moments(True)[0][:, :52]).astype(np.float32)
        codes = np.abs(kept("numpy", coding, x)[0].astype(int)).reshape(-1)
        largest = [codes[k : k + BLOCK].max() for k in range(0, codes.size, BLOCK)]
        assert set(largest) <= set(range(least, top + 1))


def relative(coding: Coding, x: Any) -> Any:
    """Return by how much the numbers found again are off, in parts of the root of v or of m."""
    again = found_again(coding, x)
    return np.abs(again / x - 1) if coding.signed else np.abs(np.sqrt(again / x) - 1)


def test_the_error_is_that_of_a_code() -> None:
    """Half a code: (c + 1/2)**2/c**2 - 1 or less, with c of the number itself; and the roundings."""
    size = np.repeat(10.0 ** np.linspace(-15, 20, 200), BLOCK)
    u = np.tile(10.0 ** np.linspace(0, -4, BLOCK), 200)
    m, v = (size * u).astype(np.float32), (size**1.5 * u**2).astype(np.float32)
    for coding, x, top in ((M, m, M_TOP), (V, v, V_TOP)):
        c = top * np.sqrt(u) * (1 - 2.0**-8)  # the scale is rounded up by 2**-7 at most
        bound = (0.5 / c) * (2 + 0.5 / c)
        few = c < 1.5
        assert (relative(coding, x) <= bound + 2.0**-20)[~few].all()


def test_v_is_not_0_where_it_was_not() -> None:
    """unsloth-zoo#962: beside a v of 0, an m that is not 0 makes a step of m/eps."""
    u = 10.0 ** np.linspace(0, -38, 64 * 40)
    v = np.random.default_rng(0).permutation(u).astype(np.float32)
    again = found_again(V, v)
    assert (again >= 2.0**-126).all()
    assert (again * 2.25**2 * (1 + 2.0**-20) >= v).all()  # so no step becomes longer than that by v
    assert (found_again(V, np.zeros(100, np.float32)) == 0).all()


def test_what_is_not_finite_reaches_no_other_element() -> None:
    for coding in (M, V):
        x = np.linspace(1, 2, 128, dtype=np.float32)
        spoilt = x.copy()
        spoilt[[3, 70]] = np.nan, np.inf
        clean, found = found_again(coding, x), found_again(coding, spoilt)
        assert np.isnan(found[[3, 70]]).all()
        others = np.delete(np.arange(128), [3, 70])
        assert (found[others] == clean[others]).all()


def test_numbers_of_codes_are_kept_as_they_are() -> None:
    """Codes of ``m`` are found again, with the scale that they have."""
    for x in moments(True):
        once = kept("numpy", M, x)
        twice = kept("numpy", M, once[2])
        assert all(a.tobytes() == b.tobytes() for a, b in zip(once[:2], twice[:2], strict=True))


def test_v_falls_where_gradients_end() -> None:
    """By b2 in each step: the scale follows, where codes and a scale of bfloat16 would not."""
    v = (np.random.default_rng(3).random(640) + 0.01).astype(np.float32)
    kept_v = v
    for _ in range(1000):
        kept_v = found_again(V, kept_v * np.float32(0.999))
    assert np.allclose(np.sqrt(kept_v / (v * 0.999**1000)), 1.0, atol=0.03)
