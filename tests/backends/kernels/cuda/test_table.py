"""The tables of launches: every element of every array in one piece, no more bytes than a launch takes."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest
from fast import adams
from hypothesis import given
from hypothesis import strategies as st

from adamcore import Adam
from adamcore.backends.kernels.cuda import kernel as cuda
from adamcore.backends.kernels.cuda.coefficients import ClockKernel
from adamcore.backends.kernels.cuda.table import BESIDE, LARGE, MIDDLE, SMALL, Part, filled, parts, room_for

SIZES = [0, 1, 2, 3, 4, 5, 7, 4095, 4096, 4097, 8191, 8192, 8193, 20_001, 0, 1]


def pieces(part: Part, words: array[int], arrays: int) -> list[tuple[int, range]]:
    """What the kernel's blocks step: the array's number in the launch, and which of its elements.

    The search of the text in :mod:`adamcore.backends.kernels.cuda.kernel`, once more.
    """
    n, found = len(part.indices), []
    for block in range(part.blocks):
        i, last = 0, n - 1
        while i < last:
            middle = (i + last) // 2
            if words[(arrays + 1) * n + middle] > block:
                last = middle
            else:
                i = middle + 1
        before = words[(arrays + 1) * n + i - 1] if i else 0
        start = (block - before) * cuda.PIECE
        found.append((i, range(start, min(start + cuda.PIECE, words[arrays * n + i]))))
    return found


def check(places: list[int], sizes: list[int], arrays: int, most: int) -> None:
    length = len(sizes)
    addresses = array("q", (1000 * k + i for k in range(arrays) for i in range(length)))
    rows = [7 * i for i in range(length)]
    seen: Counter[tuple[int, int]] = Counter()
    for part in parts(places, sizes, arrays, most):
        words = filled(part, addresses, length, rows)
        n = len(part.indices)
        assert len(words) == part.words <= most
        assert part.words == SMALL or n * (arrays + BESIDE) > SMALL
        assert n * (arrays + BESIDE) <= part.words
        for i, place in enumerate(part.indices):
            assert [words[k * n + i] for k in range(arrays)] == [1000 * k + place for k in range(arrays)]
            assert words[arrays * n + i] == sizes[place]
            assert words[(arrays + 2) * n + i] == rows[place]
        plain = filled(part, addresses, length, None)
        assert plain[: (arrays + 2) * n] == words[: (arrays + 2) * n]
        assert not any(plain[(arrays + 2) * n :])  # the first row, for all
        for i, elements in pieces(part, words, arrays):
            assert 0 < len(elements) <= cuda.PIECE
            seen.update((part.indices[i], k) for k in (elements.start, elements.stop))
            seen[part.indices[i], -1] += len(elements)
    for place in places:
        edges = range(0, sizes[place], cuda.PIECE)
        wanted = Counter([*edges, *(min(at + cuda.PIECE, sizes[place]) for at in edges)])
        assert {k: count for (i, k), count in seen.items() if i == place and k >= 0} == dict(wanted)
        assert seen[place, -1] == sizes[place]


@pytest.mark.parametrize("arrays", [4, 5, 7, 9])
@pytest.mark.parametrize("most", [SMALL, LARGE])
def test_every_element_is_in_one_piece(arrays: int, most: int) -> None:
    check(list(range(len(SIZES))), SIZES, arrays, most)
    check([3, 0, 13, 9], SIZES, arrays, most)
    check(list(range(1500)), [k % 11 for k in range(1500)], arrays, most)
    assert list(parts([0, 14], SIZES, arrays, most)) == []  # empty arrays alone


@given(st.lists(st.integers(0, 9000), max_size=80), st.integers(4, 9))
def test_any_sizes(sizes: list[int], arrays: int) -> None:
    check(list(range(len(sizes))), sizes, arrays, SMALL)


def test_launches_of_one_model() -> None:
    """As many arrays in a launch as fit: a GPT-2 of 148 arrays is one."""
    assert [len(p.indices) for p in parts(range(148), [768] * 148, 4, LARGE)] == [148]
    assert [len(p.indices) for p in parts(range(1000), [1000] * 1000, 4, LARGE)] == [571, 429]
    assert len(list(parts(range(1000), [1000] * 1000, 4, SMALL))) == 17


def test_a_table_is_not_much_larger_than_its_words() -> None:
    """A launch copies the whole table: a model of 148 arrays sends no 32 KB."""
    assert [p.words for p in parts(range(148), [768] * 148, 4, LARGE)] == [MIDDLE]
    sizes = [room_for(words, LARGE) for words in (1, SMALL, SMALL + 1, MIDDLE, MIDDLE + 1, LARGE)]
    assert sizes == [SMALL, SMALL, MIDDLE, MIDDLE, LARGE, LARGE]
    assert room_for(7, 100) == 100


def test_huge_arrays() -> None:
    [part] = parts([0, 1], [2**40, 2**33 + 1], 4, LARGE)
    assert list(part.ends) == [2**28, 2**28 + 2**21 + 1]
    assert part.blocks < 2**31


def test_arguments_fit_into_a_launch() -> None:
    """4096 bytes on every GPU, 32764 since CUDA 12.1: the table and all that stands beside it."""
    numbers = max(len(ClockKernel(adam).numbers) for adam in [*adams(400), Adam(nesterov="dozat")])
    for words, room in ((SMALL, 4096), (LARGE, 32764)):
        assert 8 * words + 4 + 8 * numbers + 8 * 4 + 3 * 4 <= room
