"""Pieces under a ceiling."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from adamcore.backends.files.batches import LEAST, LINE, SETS, WHOLE, Buffer, Leaf, batches, budget
from adamcore.errors import HyperparameterError


@pytest.mark.parametrize("wrong", [0, LEAST - 1, 1e9, True, "1G"])
def test_what_is_no_ceiling(wrong: Any) -> None:
    with pytest.raises(HyperparameterError, match="expected a whole number of bytes"):
        budget(wrong)


def test_buffers_and_slices_are_under_the_ceiling() -> None:
    for ceiling in (LEAST, 3 << 20, 1 << 29, 1 << 40):
        found = budget(ceiling)
        assert SETS * found.buffer + 128 * found.slice <= ceiling
        assert found.slice % WHOLE == 0 < found.slice


def test_every_element_is_in_one_piece() -> None:
    pick = random.Random(1)
    for _ in range(100):
        leaves = []
        for number in range(pick.randint(0, 8)):
            shape = (pick.choice([0, 1, 7, 100, 500]), pick.choice([1, 3, 64]))
            leaf = Leaf(number, str(number), shape, shape[0] * shape[1], pick.choice([8, 16, 22]), 4, False)
            leaves.append(leaf)
        room = pick.choice([400, 3000, 100_000])
        seen: dict[int, int] = {}
        for batch in batches(leaves, room):
            sizes = [(p.stop - p.start) * leaves[p.leaf].width + 4 * LINE for p in batch]
            assert 0 < sum(sizes) <= room
            for piece in batch:
                assert piece.start == seen.get(piece.leaf, 0)
                seen[piece.leaf] = piece.stop
        assert seen == {leaf.number: leaf.size for leaf in leaves if leaf.size}


def test_a_chunk_is_never_divided() -> None:
    leaf = Leaf(0, "x", (3, 1 << 20), 3 << 20, 16, 4, True)
    assert [len(batch) for batch in batches([leaf], 40 << 20)] == [2, 1]
    assert [len(batch) for batch in batches([leaf], 10 << 20, 17 << 20)] == [1, 1, 1]
    with pytest.raises(HyperparameterError, match=r"a chunk of 'x' takes 16777472 bytes.*give a ceiling of"):
        batches([leaf], 10 << 20)
    asked = 16777472 * SETS * 4 // 3 + SETS
    assert budget(asked).buffer >= 16777472


def test_vectors_of_a_buffer_are_apart_and_aligned() -> None:
    buffer = Buffer(1000)
    for _ in range(2):
        vectors = [buffer.take(np.dtype(d), n) for d, n in [("float32", 3), ("float64", 5), ("int16", 1)]]
        assert all(x.__array_interface__["data"][0] % LINE == 0 for x in vectors)
        assert not any(np.shares_memory(a, b) for a in vectors for b in vectors if a is not b)
        buffer.clear()
