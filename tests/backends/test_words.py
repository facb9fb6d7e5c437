"""The rows of blocks, in NumPy; the storage tests have the other libraries."""

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
