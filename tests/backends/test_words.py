"""The rows of blocks and the bytes of words, in NumPy; the storage tests have the other libraries."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.backends.numpy.words import WORDS


@pytest.mark.parametrize("shape", [(), (1,), (64,), (65,), (5, 26)])
def test_blocks_and_back(shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    rows = WORDS.blocks(x, 64)
    assert rows.shape == (-(-x.size // 64), 64)
    np.testing.assert_array_equal(WORDS.unblocked(rows, x), x)
    first = WORDS.each_block(rows, x)
    assert first.shape == (len(rows),)
    np.testing.assert_array_equal(WORDS.column(first)[:, 0], first)


def test_the_lowest_bytes_of_words() -> None:
    w = np.array([0, 0x7F, 0x80, 0x1FF, 0xFFFFFF01], np.uint32)
    assert WORDS.byte(w, True).tolist() == [0, 127, -128, -1, 1]
    assert WORDS.byte(w, False).tolist() == [0, 127, 128, 255, 1]


def test_a_usual_condition_is_a_choice_like_others() -> None:
    assert WORDS.usual(np.array([True, False]), np.array([1, 2]), 3).tolist() == [1, 3]
