"""Rows of NumPy's arrays."""

from __future__ import annotations

import numpy as np

from adamcore.backends.numpy.rows import ROWS


def test_sums() -> None:
    rows, sums = ROWS.sums(np.array([3, 0, 3]), np.array([[1.0], [2.0], [4.0]], "f2"), 5, np.dtype("f4"))
    assert rows.tolist() == [0, 3]
    assert (sums.tolist(), sums.dtype) == ([[2.0], [5.0]], np.float32)
    assert ROWS.reach(np.array([3, 0])) == (0, 3)
    assert ROWS.reach(np.array([], int)) is None


def test_put() -> None:
    x = np.zeros(3, "f4")
    assert ROWS.put(x, np.array([1]), np.array([2.0]), False).tolist() == [0, 2, 0]
    assert not x.any()
    assert ROWS.put(x, np.array([1]), np.array([2.0]), True) is x
    x.flags.writeable = False
    assert ROWS.put(x, np.array([0]), np.array([2.0]), True).tolist() == [2, 2, 0]


def test_listed() -> None:
    assert ROWS.listed(np.array([1]), np.zeros((2, 3))).tolist() == [[False], [True]]
