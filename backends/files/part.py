"""A part of a step, as a task makes it, in a thread of whichever process.

What the task gets is names, ranges and numbers; it reads, steps and writes one piece after the other.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from adamcore.backends.files.arrays import Chunk
from adamcore.backends.files.batches import Budget, Buffer, Piece, pieces_within
from adamcore.backends.files.blocks import Blocks
from adamcore.backends.files.locks import as_task
from adamcore.backends.files.record import token_of
from adamcore.backends.files.step import sync_all
from adamcore.backends.kernels.threads import one_thread
from adamcore.errors import CheckpointError, GradientError
from adamcore.types import Array


class Part:
    """Some batches of a step.

    Args:
        folder: the run's, as every process finds it.
        token: of the step.
        blocks: the leaves of the batches.
        batches: the pieces, in those that share a buffer.
    """

    def __init__(self, folder: Path, token: str, blocks: Blocks, batches: Sequence[Sequence[Piece]]) -> None:
        self.folder, self.token, self.blocks, self.batches = folder, token, blocks, batches
        self.host = socket.gethostname()  #: of the process that commits the step

    @property
    def size(self) -> int:
        """How many elements are stepped."""
        return sum(piece.stop - piece.start for batch in self.batches for piece in batch)

    def of(self, gradient: Array, where: Array | None, batches: Sequence[Sequence[Piece]]) -> Part:
        """Return the part of one leaf that belongs to a chunk of its gradient, and of its mask.

        Args:
            gradient: the chunk, whose first element is that of the first piece.
            where: the chunk of the mask; None if it has none in memory.
            batches: the pieces.

        Raises:
            GradientError: the chunk has another size or another dtype.
        """
        part = copy(self)
        part.batches = batches
        [task] = self.blocks.tasks.values()
        p, start = task.sources["p"], batches[0][0].start
        if gradient.dtype != p.dtype or gradient.size != part.size:
            raise GradientError(
                f"a chunk of the gradient of {task.leaf.name!r} has {gradient.size} elements of "
                f"{gradient.dtype}: expected {part.size} of {p.dtype}, as its array says"
            )
        sources = {**task.sources, "g": Chunk(gradient, start)}
        if where is not None:
            sources["where"] = Chunk(where, start)
        blocks = self.blocks
        part.blocks = Blocks(blocks.adam, [task._replace(sources=sources)], blocks.at_once, blocks.scale)
        return part


def make_chunk(
    gradient: Array,
    where: Array | None = None,
    *,
    part: Part,
    share: Budget,
    threads: int,
    block_info: Mapping[Any, Any],
) -> Array:
    """Make the part of a step that belongs to a chunk of a gradient.

    Args:
        gradient: the chunk.
        where: the chunk of the mask; None if it has none in memory.
        part: of the leaf, without pieces.
        share: how the ceiling is divided.
        threads: of this process.
        block_info: where the chunk stands in the whole gradient, as Dask tells it.

    Returns:
        how many elements it has, as an array with as many axes as the gradient.

    Raises:
        CheckpointError: as :func:`make_part`.
        GradientError: the chunk is not what its array says.
    """
    place = block_info[0]
    ranges = place["array-location"]
    size = math.prod(stop - start for start, stop in ranges)
    if size:
        below = (math.prod(place["shape"][axis + 1 :]) for axis in range(len(ranges)))
        start = sum(start * n for (start, _), n in zip(ranges, below, strict=True))
        [task] = part.blocks.tasks.values()
        pieces = pieces_within(task.leaf, start, start + size, share, threads)
        make_part(part.of(gradient, where, pieces))
    return np.full((1,) * len(ranges), size)


def make_part(part: Part) -> int:
    """Make a part of a step, and return how many elements it has.

    Raises:
        CheckpointError: the folder is not there, or the step was given up.
    """
    blocks = part.blocks
    try:
        with as_task(part.folder):
            if token_of(part.folder) != part.token:
                raise CheckpointError(f"{part.folder}: this step was given up, or it was made by other tasks")
            buffer = Buffer(max(map(blocks.bytes_of, part.batches), default=0))
            written: set[Path] = set()
            for batch in part.batches:
                loaded = blocks.read(batch, buffer)
                with one_thread():  # Dask's threads have other parts
                    blocks.work(loaded)
                written |= blocks.write(loaded)
            if socket.gethostname() != part.host:  # whose fsync does not reach what this machine has
                sync_all(written)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{error.filename} is not there on {socket.gethostname()}: expected the run and its gradients in "
            "folders that every worker has under the same paths"
        ) from error
    return part.size
