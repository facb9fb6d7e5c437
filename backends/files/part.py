"""A part of a step, as a task makes it, in a thread of whichever process.

What the task gets is names, ranges and numbers; it reads, steps and writes one piece after the other.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from adamcore.backends.files.arrays import Chunk
from adamcore.backends.files.batches import Buffer, Piece
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


def make_part(part: Part, gradient: Array | None = None) -> int:
    """Make a part of a step, and return how many elements it has.

    Args:
        part: of one leaf alone, if the gradient is given.
        gradient: a chunk of the gradient, whose first element is that of the part's first piece; None reads
            it as everything else.

    Raises:
        CheckpointError: the folder is not there, or the step was given up.
    """
    blocks = part.blocks
    if gradient is not None:
        blocks = with_chunk(part, gradient)
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


def with_chunk(part: Part, gradient: Array) -> Blocks:
    """Return the blocks of a part whose gradient is a chunk in memory."""
    [task] = part.blocks.tasks.values()
    p = task.sources["p"]
    if gradient.dtype != p.dtype or gradient.size != part.size:
        raise GradientError(
            f"a chunk of the gradient of {task.leaf.name!r} has {gradient.size} elements of "
            f"{gradient.dtype}: expected {part.size} of {p.dtype}, as its array says"
        )
    chunk = Chunk(gradient, part.batches[0][0].start)
    task = task._replace(sources={**task.sources, "g": chunk})
    return Blocks(part.blocks.adam, [task], part.blocks.at_once, part.blocks.scale)
