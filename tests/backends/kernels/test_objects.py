"""Words read in one call, and memory that arrays share."""

from __future__ import annotations

from array import array

import pytest

pytest.importorskip("llvmlite")

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.memory import touching
from adamcore.backends.kernels.objects import FEW, words


def test_words_at_a_distance() -> None:
    vector = array("q", range(50))
    places = array("q", [vector.buffer_info()[0] + 8 * k for k in range(40)])
    assert list(words(places, 16)) == list(range(2, 42))
    assert words(array("q"), 0) == array("q")


@pytest.mark.parametrize("count", [1, FEW, 40])
def test_arrays_that_share_memory(count: int) -> None:
    def shared(x: int, length: int, y: int, other: int, column: int) -> bool:
        a, lengths = array("q", range(10**6, 10**6 + 100 * count, 100)), array("q", [50] * count)
        b, others = array("q", [k + 10**7 * c for c in (1, 2, 3) for k in a]), array("q", [50] * 3 * count)
        a[-1], lengths[-1] = x, length
        b[column * count - 1], others[column * count - 1] = y, other
        found = touching(lengths, b, others)(a)
        with llvm.switched_off():
            assert touching(lengths, b, others)(a) == found
        return found

    for column in (1, 2, 3):
        assert not shared(100, 8, 108, 16, column)
        assert not shared(108, 16, 100, 8, column)
        assert shared(100, 9, 108, 16, column)
        assert shared(108, 16, 100, 9, column)
        assert shared(100, 8, 100, 4, column)
