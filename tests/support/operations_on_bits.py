"""What every library's operations on bits are held to; tests/adamcore/storage has the rounding."""

from __future__ import annotations

import numpy as np
import pytest
from storage_runs import array, numbers, words_of


class OperationsOnBits:
    """The bits of arrays: there and back, wrapped at the ends."""

    library: str

    def test_there_and_back(self) -> None:
        n = words_of(self.library)
        x = np.array([0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, 2.0**-149], np.float32)
        w = n.words(array(self.library, x, "float32"))
        assert numbers(w).tolist() == x.view(np.uint32).tolist()
        assert numbers(n.floats(w)).tobytes() == x.tobytes()

    def test_signed_numbers_are_words_modulo_2_to_the_32(self) -> None:
        n = words_of(self.library)
        small = array(self.library, [-1.0, 0.0, 5.0], "float32")
        small = small.short() if hasattr(small, "short") else small.astype("int16")
        w = n.unsigned(small)
        assert numbers(w).tolist() == [2**32 - 1, 0, 5]
        assert numbers(n.signed(w[1:])).tolist() == [0, 5]
        assert numbers(n.where(w > 4, w, n.word(7))).tolist() == [2**32 - 1, 7, 5]
        found = numbers(n.number(small))
        assert (found.tolist(), found.dtype) == ([-1.0, 0.0, 5.0], np.float32)

    @pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 1, 3)])
    def test_elements_are_counted_in_the_order_of_the_indices(self, shape: tuple[int, ...]) -> None:
        index = numbers(words_of(self.library).index(array(self.library, np.zeros(shape), "float32")))
        assert (index == np.arange(index.size).reshape(shape)).all()
        assert index.shape == shape

    @pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 1, 5)])
    def test_blocks_follow_the_order_of_the_indices(self, shape: tuple[int, ...]) -> None:
        n = words_of(self.library)
        x = array(self.library, np.arange(1.0, 1 + np.prod(shape)).reshape(shape), "float32")
        rows = n.blocks(x, 4)
        flat = numbers(rows).reshape(-1)
        size = int(np.prod(shape))
        assert numbers(rows).shape == (-(-size // 4), 4)
        assert flat.tolist() == [*range(1, 1 + size), *[0] * (flat.size - size)]
        assert numbers(n.unblocked(rows, x)).tolist() == numbers(x).tolist()
        if size:
            largest = n.each_block(n.most(rows), x)
            assert numbers(largest).tolist() == [min(4 * k, size) for k in range(1, 1 + len(numbers(rows)))]
            assert numbers(n.column(largest)).shape == (len(numbers(rows)), 1)
        zeros = n.zero_scales(x, 4, n.words(x).dtype)
        assert numbers(zeros).tolist() == [0] * len(numbers(rows))

    def test_roots_are_rounded_correctly(self) -> None:
        x = np.random.default_rng(0).random(1000).astype(np.float32)
        root = words_of(self.library).root(array(self.library, x, "float32"))
        assert numbers(root).tobytes() == np.sqrt(x.astype(np.float64)).astype(np.float32).tobytes()
