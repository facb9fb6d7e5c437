"""Rounding to 16 bits on words, against the casts of the libraries and against its own definition."""

from __future__ import annotations

import ast
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from storage_runs import LIBRARIES, equal, numbers, samples, words_of

from adamcore.storage.bits import away, nearest, quiet, stochastic

X = samples()


def rounded(library: str, how: Any, x: Any) -> Any:
    """Return what a function makes of the words of ``x``, in float32."""
    n = words_of(library)
    given = pytest.importorskip("torch").from_numpy(x.copy()) if library == "torch" else x
    if library == "jax":
        given = pytest.importorskip("jax").numpy.asarray(x)
    return numbers(n.floats(how(n, quiet(n, n.words(given)))))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_nearest_is_that_of_a_cast(library: str, dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = X.astype(np.dtype(dtype)).astype(np.float32)
    assert equal(rounded(library, lambda n, w: nearest(n, w, dtype), X), wanted)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_jit_rounds_likewise(dtype: str) -> None:
    """XLA leaves out conversions to a narrow dtype and back, and sums up constants."""
    jax = pytest.importorskip("jax")
    n = words_of("jax")

    def back_and_forth(x: Any) -> Any:
        return n.floats(nearest(n, quiet(n, n.words(x)), dtype))

    assert equal(np.asarray(jax.jit(back_and_forth)(X)), np.asarray(back_and_forth(jax.numpy.asarray(X))))


@pytest.mark.parametrize("library", LIBRARIES)
def test_away_differs_at_ties_alone(library: str) -> None:
    even = rounded(library, lambda n, w: nearest(n, w, "bfloat16"), X)
    other = rounded(library, away, X)
    ties = (X.view(np.uint32) & 0xFFFF) == 0x8000
    assert equal(even[~ties], other[~ties])
    known = np.array([1.00390625, -1.00390625, 1.01171875], np.float32)
    assert rounded(library, away, known).tolist() == [1.0078125, -1.0078125, 1.015625]


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_nan_becomes_the_same_one(library: str) -> None:
    n = words_of(library)
    x = np.array([0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32).view(np.float32)
    for how in (away, lambda n, w: nearest(n, w, "float16"), lambda n, w: nearest(n, w, "bfloat16")):
        assert rounded(library, how, x).view(np.uint32).tolist() == [0x7FC00000] * 4
    assert n is not None


def test_no_operator_shifts_words() -> None:
    """A DTensor of PyTorch ignores ``>>`` and ``<<``: findings/torch-dtensor-shift.sh."""
    found = []
    for path in sorted((ROOT / "adamcore" / "storage").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        own = [
            n for n in tree.body if not isinstance(n, ast.ClassDef) or n.name != "Numbers"
        ]  # Python's integers
        shifts = [x for n in own for x in ast.walk(n) if isinstance(x, ast.LShift | ast.RShift)]
        found += [path.name] * len(shifts)
    assert found == []


def neighbours(dtype: str, x: float) -> tuple[Fraction, Fraction]:
    """Return the sizes of the two neighbours of a number in a dtype of 16 bits, by its step there."""
    size = Fraction(abs(x))
    exponent = 0
    while Fraction(2) ** (exponent + 1) <= size:
        exponent += 1
    while Fraction(2) ** exponent > size:
        exponent -= 1
    least, digits = (-126, 7) if dtype == "bfloat16" else (-14, 10)
    unit = Fraction(2) ** (max(exponent, least) - digits)
    below = size // unit * unit
    return below, below if below == size else below + unit


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("x", [1.0, 1.003, -1.003, 3e-5, -7e-7, 2.9e-8, 1e-12, 100.3, 65504.0, 5.5e-7])
def test_the_random_bits_from_which_on_it_rounds_up_are_its_share(dtype: str, x: float) -> None:
    """The threshold of the random bits is found by halving, and compared with the exact distance."""
    n = words_of("numpy")
    value = np.float32(x)
    below, above = neighbours(dtype, float(value))

    def size(random: int) -> Fraction:
        w = stochastic(n, n.words(np.array([value])), dtype, np.array([random], np.uint32))
        result = float(n.floats(w)[0])
        assert np.signbit(result) == np.signbit(x)
        return abs(Fraction(result))

    low, high = -1, 2**32  # at `low` it is rounded down, at `high` up
    while high - low > 1:
        middle = (low + high) // 2
        found = size(middle)
        assert found in (below, above)
        low, high = (middle, high) if found == below else (low, middle)
    share = Fraction(0) if above == below else (Fraction(abs(float(value))) - below) / (above - below)
    if above == below:
        assert size(2**32 - 1) == below
    else:
        assert abs(Fraction(2**32 - high, 2**32) - share) <= Fraction(1, 2**31)
