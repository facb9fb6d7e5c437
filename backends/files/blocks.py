"""What is done with pieces of arrays in a buffer: they are read, stepped, written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adamcore import step
from adamcore.backends.files.arrays import Chunk, FileArray, Readable, Writable, ZarrArray
from adamcore.backends.files.batches import LINE, Buffer, Leaf, Piece, slices
from adamcore.backends.numpy import fast
from adamcore.backends.numpy.backend import backend as NUMPY
from adamcore.config import AdamConfig
from adamcore.dtypes import PARTS, SCALES
from adamcore.jobs import Job
from adamcore.storage.moments import Coding
from adamcore.types import Array

STORED = ("p", "m", "v", "v_max", *PARTS)  #: the parts of a job that a step changes


class Task(NamedTuple):
    """A leaf that is stepped, or copied as it is."""

    leaf: Leaf
    job: Job | None  #: of stand-ins; None to copy
    sources: Mapping[str, Readable]  #: by part; "g" is the gradient
    targets: Mapping[str, Writable]


def within(adam: AdamConfig, part: str, start: int, stop: int) -> tuple[int, int]:
    """Return the range of a part that goes with elements of a leaf: of scales, one for each block.

    >>> adam = AdamConfig(m_storage="companded8", v_storage="blockwise8")
    >>> [within(adam, part, 256, 300) for part in ("m", "m_scale", "v_scale")]
    [(256, 300), (4, 5), (1, 2)]
    """
    if part not in SCALES:
        return start, stop
    block = Coding(adam.m_storage if part == "m_scale" else adam.v_storage, signed=part == "m_scale").block
    return start // block, -(-stop // block)


Loaded = list[tuple[Piece, dict[str, Array]]]


def task(
    number: int, name: str, job: Job | None, sources: Mapping[str, Readable], targets: Mapping[str, Writable]
) -> Task:
    """Return the task of a leaf."""
    width = sum(x.dtype.itemsize for x in sources.values())  # more than enough for scales
    if job is not None:
        width += np.dtype(job.formats.work).itemsize  # a gradient that is divided by a loss scale
    p, chunked = sources["p"], any(isinstance(x, ZarrArray) for x in (*sources.values(), *targets.values()))
    leaf = Leaf(number, name, p.shape, int(np.prod(p.shape, dtype=np.int64)), width, len(sources), chunked)
    return Task(leaf, job, sources, targets)


class Blocks:
    """Reads, steps and writes pieces of leaves; it goes to other processes as a small record.

    Args:
        adam: the Adam that steps.
        tasks: the leaves.
        at_once: elements that are stepped at a time where each operation makes an array.
        scale: what the gradients were multiplied by; None for 1.
    """

    def __init__(
        self, adam: AdamConfig, tasks: Sequence[Task], at_once: int, scale: float | None = None
    ) -> None:
        self.adam, self.at_once, self.scale = adam, at_once, scale
        self.tasks = {task.leaf.number: task for task in tasks}

    def bytes_of(self, batch: Sequence[Piece]) -> int:
        """Return the bytes of a batch in a buffer."""
        leaves = [(piece, self.tasks[piece.leaf].leaf) for piece in batch]
        return sum((piece.stop - piece.start) * leaf.width + leaf.arrays * LINE for piece, leaf in leaves)

    def read(self, batch: Sequence[Piece], buffer: Buffer) -> Loaded:
        """Read the pieces of a batch into a buffer."""
        buffer.clear()
        loaded: Loaded = []
        for piece in batch:
            arrays = {}
            for part, source in self.tasks[piece.leaf].sources.items():
                start, stop = within(self.adam, part, piece.start, piece.stop)
                if isinstance(source, Chunk):  # it is in memory, and a step does not change it
                    arrays[part] = source.part(start, stop)
                    continue
                arrays[part] = buffer.take(source.dtype, stop - start)
                source.read(start, stop, arrays[part])
            loaded.append((piece, arrays))
        return loaded

    def work(self, loaded: Loaded) -> None:
        """Step the pieces in the buffer; those without machine code in slices."""
        together = []
        for piece, arrays in loaded:
            job = self.job(piece, arrays, piece.start, piece.stop)
            if job is None:
                continue
            if job.formats.plain and fast.unsupported(job) is None:
                together.append(job)
                continue
            for start, stop in slices(piece.start, piece.stop, self.at_once):
                part = self.job(piece, arrays, start, stop)
                assert part is not None
                NUMPY.apply(self.adam, [part], True)
        if together:
            NUMPY.apply(self.adam, together, True)

    def job(self, piece: Piece, arrays: Mapping[str, Array], start: int, stop: int) -> Job | None:
        """Return the job of a range of a piece; None if the piece is to be copied."""
        job = self.tasks[piece.leaf].job
        if job is None:
            return None
        found: dict[str, Any] = {
            part: x[slice(*within(self.adam, part, start - piece.start, stop - piece.start))]
            for part, x in arrays.items()
        }
        key = job.key
        if key is not None:
            key = key._replace(elements=np.arange(start, stop).astype(np.uint32))
        job = job._replace(**found, key=key)
        return job if self.scale is None else step.unscaled(NUMPY, job, self.scale)

    def write(self, loaded: Loaded) -> set[Path]:
        """Write the pieces, and return the files and folders that have to be put on the disk."""
        for piece, arrays in loaded:
            for part, target in self.tasks[piece.leaf].targets.items():
                target.write(*within(self.adam, part, piece.start, piece.stop), arrays[part])
        return self.files({piece.leaf for piece, _ in loaded})

    def files(self, leaves: Iterable[int] | None = None) -> set[Path]:
        """Return the files and folders that leaves are written to; None for all leaves."""
        numbers = self.tasks if leaves is None else leaves
        return {
            path for number in numbers for x in self.tasks[number].targets.values() for path in paths_of(x)
        }

    def bytes_written(self, loaded: Loaded) -> int:
        """Return how many bytes :meth:`write` writes."""
        return sum(arrays[part].nbytes for piece, arrays in loaded for part in self.tasks[piece.leaf].targets)


def paths_of(target: Writable) -> set[Path]:
    """Return the file of an array, or the folder with its files."""
    if isinstance(target, FileArray):
        return {target.path}
    assert isinstance(target, ZarrArray)
    return {Path(target.x.store.root) / target.x.path}
