"""What a worker does with one chunk."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dask.array")
from adamcore.backends.dask.chunks import numbers, pick  # it needs Dask


def test_the_numbers_are_those_of_the_whole_array() -> None:
    whole = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    assert (numbers([(1, 3), (0, 4), (2, 4)], whole.shape) == whole[1:3, :, 2:4]).all()
    assert numbers([], ()).shape == ()
    assert numbers([(2, 3), (0, 2)], (2**20, 2**20)).tolist() == [[2**21, 2**21 + 1]]
    assert numbers([(2**12, 2**12 + 1), (5, 6)], (2**20, 2**20)).tolist() == [[5]]  # 2**32 and more wrap


def test_one_of_several() -> None:
    x = [np.ones(1), np.zeros(2)]
    assert pick(x, 1) is x[1]
