"""The random bits: the same everywhere, and without a pattern that rounding would show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from storage_runs import LIBRARIES, array, numbers, words_of

from adamcore.storage.policies import Storage, store
from adamcore.storage.random_bits import key_of, mix, random_words

KNOWN = [3070921855, 4139597224, 2588767267]


def bits_of(library: str, seed: int, leaf: int, t: Any, shape: tuple[int, ...]) -> Any:
    n = words_of(library)
    index = n.index(array(library, np.zeros(shape), "float32"))
    return numbers(random_words(n, index, key_of(seed, leaf, t))).astype(np.uint32)


@pytest.mark.parametrize("library", LIBRARIES)
def test_they_are_those_of_the_rule(library: str) -> None:
    """Against Python's integers, element by element, as STORE.7 has it."""
    a = mix(mix(mix(7) ^ 3) ^ 11)
    b = mix(mix(mix(7 ^ 0x9E3779B9) ^ 11) ^ 3)

    def bits(x: int) -> int:
        x = ((x ^ x >> 16) * 0x85EBCA6B) % 2**32
        x = ((x ^ x >> 13 ^ b) * 0xC2B2AE35) % 2**32
        return x ^ x >> 16

    wanted = [[bits(i ^ a) for i in range(5 * k, 5 * k + 5)] for k in range(4)]
    assert bits_of(library, 7, 3, 11, (4, 5)).tolist() == wanted


def test_they_stay_as_they_are() -> None:
    """A run that is continued with a later version has the same bits."""
    assert bits_of("numpy", 0, 0, 1, (3,)).tolist() == KNOWN


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_a_clock_in_an_array_gives_the_same(library: str) -> None:
    n = words_of(library)
    t = array(library, 11, "float32")
    t = t.int() if library == "torch" else t.astype("int32")
    assert (bits_of(library, 7, 3, n.unsigned(t), (9,)) == bits_of(library, 7, 3, 11, (9,))).all()


def test_a_compiled_program_has_the_same() -> None:
    jax = pytest.importorskip("jax")
    n = words_of("jax")

    def draw(t: Any) -> Any:
        return random_words(n, n.index(jax.numpy.zeros((4, 5))), key_of(7, 3, n.unsigned(t)))

    drawn = np.asarray(jax.jit(draw)(jax.numpy.int32(11)))
    assert (drawn == bits_of("numpy", 7, 3, 11, (4, 5))).all()


def test_mix_is_one_to_one() -> None:
    x = np.arange(1 << 16, dtype=np.uint32) * np.uint32(65537)
    assert len(np.unique(mix(x))) == len(x)


def test_every_bit_of_the_result_depends_on_every_bit_of_the_number() -> None:
    """A changed bit of the element changes each bit of the result in half of the cases.

    The share among 4096 elements is within 6 standard deviations of 1/2: 1024 comparisons fail by chance
    with a probability below 1024 * 2e-9.
    """
    n = words_of("numpy")
    i = np.arange(4096, dtype=np.uint32)
    key = key_of(1, 2, 3)
    plain = random_words(n, i, key)
    for bit in range(32):
        changed = plain ^ random_words(n, i ^ np.uint32(1 << bit), key)
        shares = [((changed >> np.uint32(k)) & 1).mean() for k in range(32)]
        assert np.abs(np.array(shares) - 0.5).max() < 6 * 0.5 / 64


# Rounding at random: false alarms ------------------------------------------------------------------------
#
# Each assertion below compares a mean of N independent draws with its expectation.  It fails by chance if the
# mean is 6 standard deviations off: with a probability below 2e-9, and below 1e-6 for all of them together.

N = 1 << 16
SIX = 6 / N**0.5


def ups(x: float, dtype: str, seed: int = 0, leaf: int = 0, t: int = 1, size: int = N) -> Any:
    """Return which elements of equal value are rounded away from 0."""
    n = words_of("numpy")
    value = np.full(size, x, np.float32)
    p, _ = store(n, Storage("stochastic", dtype), value, key_of(seed, leaf, t))
    assert len(np.unique(p)) <= 2
    return np.abs(p) > abs(np.float32(x))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("x", [1.001, -0.7003, 3.14159, 1e-6, -2.5e-7, 3e-5])
def test_rounding_is_unbiased(dtype: str, x: float) -> None:
    """The mean of the rounded values is the value, in units of the distance of the two neighbours."""
    n = words_of("numpy")
    value = np.full(N, x, np.float32)
    p, _ = store(n, Storage("stochastic", dtype), value, key_of(1, 2, 3))
    low, high = np.unique(p.astype(np.float64))
    assert low < np.float64(np.float32(x)) < high
    assert abs((p.astype(np.float64).mean() - np.float64(np.float32(x))) / (high - low)) < SIX / 2


@pytest.mark.parametrize(
    "other",
    [{"t": 2}, {"leaf": 1}, {"seed": 1}, {"t": 65537}, {"leaf": 7, "t": 3}, {"seed": 2**31}],
)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_steps_leaves_and_seeds_are_independent(dtype: str, other: dict[str, int]) -> None:
    """The value lies in the middle of two neighbours: a fair coin for each element."""
    x = 1 + 2.0**-8 if dtype == "bfloat16" else 1 + 2.0**-11
    a, b = 2.0 * ups(x, dtype) - 1, 2.0 * ups(x, dtype, **other) - 1
    assert abs((a * b).mean()) < SIX


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 8, 16, 64, 256, 1024, 4096])
def test_elements_are_independent(lag: int) -> None:
    coin = 2.0 * ups(1 + 2.0**-8, "bfloat16", size=N + lag) - 1
    assert abs((coin[lag:] * coin[:-lag]).mean()) < SIX


def test_one_element_from_step_to_step() -> None:
    """The coins of the same eight elements in 8192 steps: fair, and independent of the step before."""
    coins = np.array([2.0 * ups(1 + 2.0**-8, "bfloat16", t=t, size=8) - 1 for t in range(1, 8193)])
    assert abs(coins.mean()) < SIX
    assert abs((coins[1:] * coins[:-1]).mean()) < 6 / (8 * 8191) ** 0.5


def test_any_two_of_many_steps_are_independent() -> None:
    """The coins of 4096 elements in 400 steps: 79,800 pairs, of which one fails by chance with 2e-4."""
    coins = np.array([2.0 * ups(1 + 2.0**-8, "bfloat16", t=t, size=4096) - 1 for t in range(1, 401)])
    together = coins @ coins.T / 4096
    assert np.abs(together - np.eye(400)).max() < 6 / 64


def test_the_bits_are_uniform() -> None:
    """The 256 values of each byte: chi squared with 255 degrees of freedom is above 433 with 1e-11."""
    bits = bits_of("numpy", 5, 6, 7, (N,))
    for shift in (0, 8, 16, 24):
        counts = np.bincount((bits >> np.uint32(shift)) & 255, minlength=256)
        assert ((counts - N / 256) ** 2).sum() / (N / 256) < 433
