"""Pieces in a buffer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adamcore.backends.files.arrays import FileArray, MemoryArray
from adamcore.backends.files.batches import Buffer, Piece
from adamcore.backends.files.blocks import Blocks, task, within
from adamcore.config import AdamConfig


def test_the_scales_that_go_with_elements() -> None:
    adam = AdamConfig(m_storage="blockwise8", v_storage="companded8")
    parts = ["p", "m", "m_scale", "v_scale", "v_max_scale"]
    found = [within(adam, part, 256, 600) for part in parts]
    assert found == [(256, 600), (256, 600), (1, 3), (4, 10), (4, 10)]


def test_what_is_copied_is_read_and_written(tmp_path: Path) -> None:
    x, path = np.arange(10.0), tmp_path / "x"
    path.write_bytes(bytes(80))
    target = FileArray(path, 0, x.dtype, x.shape)
    blocks = Blocks(AdamConfig(), [task(3, "x", None, {"p": MemoryArray(x)}, {"p": target})], 256)
    batch = [Piece(3, 2, 5), Piece(3, 7, 8)]
    loaded = blocks.read(batch, Buffer(blocks.bytes_of(batch)))
    blocks.work(loaded)
    assert blocks.write(loaded) == blocks.files() == {path}
    assert blocks.bytes_written(loaded) == 32
    assert np.fromfile(path).tolist() == [0, 0, 2, 3, 4, 0, 0, 7, 0, 0]
