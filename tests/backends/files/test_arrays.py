"""Arrays that are read and written in ranges."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path

import numpy as np
import pytest

from adamcore.backends.files.arrays import (
    Chunk,
    FileArray,
    MemoryArray,
    ZarrArray,
    box,
    boxes,
    range_of,
    readable,
)
from adamcore.errors import CheckpointError


def test_a_range_of_a_file(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r+")
    found = readable(mapped)
    assert isinstance(found, FileArray)
    into = np.empty(5, np.float32)
    found.read(7, 12, into)
    assert into.tolist() == [7, 8, 9, 10, 11]
    found.write(0, 5, into)
    assert found.mapped()[0].tolist() == [7, 8, 9, 10, 11, 5]
    with pytest.raises(CheckpointError, match="cut"):
        found.read(22, 27, into)


def test_what_is_read_from_its_file(tmp_path: Path) -> None:
    x = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    own = np.memmap(tmp_path / "x.npy", np.float32, "r", mapped.offset + 4 * 3000, (20, 1000))
    views = [mapped, mapped[3:9], mapped[5], own[2:], mapped.view(np.int32)[7:8]]
    for view in views:
        found = readable(view)
        assert isinstance(found, FileArray)
        into = np.empty(10, view.dtype)
        found.read(2, 12, into)
        assert into.tolist() == view.reshape(-1)[2:12].tolist()
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[0] = 1  # in memory alone
    for other in (private, mapped.T, mapped[:, ::2], mapped + 1, x):
        found = readable(other)
        assert isinstance(found, MemoryArray)
        into = np.empty(4, np.float32)
        found.read(1, 5, into)
        assert into.tolist() == other.flatten()[1:5].tolist()


@pytest.mark.parametrize("wrong", [1.0, [1.0], None, "x", np.ma.ones(3)])
def test_what_is_no_array(wrong: object) -> None:
    assert readable(wrong) is None


def test_boxes_are_ranges() -> None:
    pick = random.Random(0)
    for _ in range(300):
        shape = tuple(pick.randint(1, 6) for _ in range(pick.randint(0, 4)))
        total = math.prod(shape)
        ranges = boxes(shape, pick.randint(1, 40))
        assert [k for start, stop in ranges for k in range(start, stop)] == list(range(total))
        x = np.arange(total).reshape(shape)
        for start, stop in ranges:
            assert x[box(shape, start, stop)].reshape(-1).tolist() == list(range(start, stop))
    assert boxes((3, 0), 5) == []


def test_an_array_of_zarr() -> None:
    zarr = pytest.importorskip("zarr")
    x = zarr.create_array({}, shape=(4, 6), chunks=(1, 6), dtype="float32")
    found = readable(x)
    assert isinstance(found, ZarrArray)
    found.write(6, 18, np.arange(12, dtype=np.float32))
    into = np.empty(6, np.float32)
    found.read(12, 18, into)
    assert into.tolist() == [6, 7, 8, 9, 10, 11]
    assert found.mapped()[1].tolist() == [0, 1, 2, 3, 4, 5]


def test_an_index_is_a_range() -> None:
    shape = (3, 1, 4)
    x = np.arange(12).reshape(shape)
    cuts = [
        slice(None),
        slice(0, 2),
        slice(1, 2),
        slice(2, None),
        slice(-1, None),
        slice(0, 3, 2),
        slice(2, 1),
    ]
    for index in itertools.product(cuts, cuts, cuts):
        found, part = range_of(shape, index), x[index].reshape(-1)
        together = part.size > 0 and part.tolist() == list(range(part[0], part[-1] + 1))
        steps = any(cut.step for cut in index)
        assert found == ((part[0], part[-1] + 1) if together and not steps else None)
    assert range_of((), ()) == (0, 1)
    assert range_of(shape, (0, slice(None), slice(None))) is None
    assert range_of(shape, slice(0, 2)) is None


def test_a_part_of_a_chunk_is_dense_and_aligned() -> None:
    raw = np.frombuffer(bytes(1) + np.arange(6, dtype=np.float32).tobytes(), np.uint8)[1:].view(np.float32)
    for x in (raw, np.arange(12, dtype=np.float32)[::2] / 2, np.broadcast_to(np.float32(3), (6,))):
        part = Chunk(x, 10).part(12, 15)
        assert part.tolist() == x[2:5].tolist()
        assert part.flags.aligned
        assert part.flags.c_contiguous
    x = np.arange(6.0)
    assert np.shares_memory(Chunk(x.reshape(2, 3), 10).part(12, 15), x)
