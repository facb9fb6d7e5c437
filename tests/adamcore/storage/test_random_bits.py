"""The random bits: the same everywhere, and without a pattern that rounding would show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from storage_runs import LIBRARIES, array, numbers, words_of

from adamcore.storage.random_bits import key_of, mix, random_words

KNOWN = [3739721716, 996898439, 1289690078]


def bits_of(library: str, seed: int, leaf: int, t: Any, shape: tuple[int, ...]) -> Any:
    n = words_of(library)
    index = n.index(array(library, np.zeros(shape), "float32"))
    key = key_of(seed, leaf, t) if isinstance(t, int) else key_of(seed, leaf, t, n.word)
    return numbers(random_words(n, index, key)).astype(np.uint32)


@pytest.mark.parametrize("library", LIBRARIES)
def test_they_are_those_of_the_rule(library: str) -> None:
    """Against Python's integers, element by element, as STORE.7 has it."""
    a = mix(mix(mix(7) ^ 3) ^ 11)
    b = mix(mix(mix(7 ^ 0x9E3779B9) ^ 11) ^ 3)
    wanted = [[mix(mix(i ^ a) ^ b) for i in range(5 * k, 5 * k + 5)] for k in range(4)]
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
        return random_words(n, n.index(jax.numpy.zeros((4, 5))), key_of(7, 3, n.unsigned(t), n.word))

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
