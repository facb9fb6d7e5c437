"""One step of arrays in files: which pieces are read, how each is stepped, where it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adamcore import step
from adamcore._minimize import bar
from adamcore.backends.files.arrays import FileArray, Readable, Writable, ZarrArray
from adamcore.backends.files.batches import SETS, Budget, Buffer, Leaf, Piece, batches, slices
from adamcore.backends.files.formats import files_of
from adamcore.backends.files.stream import stream
from adamcore.backends.io.atomic import sync
from adamcore.backends.numpy import fast
from adamcore.backends.numpy.backend import backend as NUMPY
from adamcore.config import AdamConfig
from adamcore.dtypes import PARTS, SCALES
from adamcore.jobs import Job
from adamcore.storage.moments import Coding
from adamcore.types import Array

SYNC = 1 << 30  #: bytes that are written before they, and how far the step is, are put on the disk
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


class Mover:
    """Carries out tasks under a ceiling.

    Args:
        adam: the Adam that steps.
        tasks: the leaves.
        budget: how the ceiling is divided.
        scale: what the gradients were multiplied by; None for 1.
        saved: called with the number of batches that are on the disk.
    """

    def __init__(
        self,
        adam: AdamConfig,
        tasks: Sequence[Task],
        budget: Budget,
        scale: float | None = None,
        saved: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.adam, self.budget, self.scale, self.saved = adam, budget, scale, saved
        self.tasks = {task.leaf.number: task for task in tasks}
        self.batches = batches([task.leaf for task in tasks], budget.set, budget.buffer)
        self.done = self.unsaved = self.bytes = 0
        self.written: set[Path] = set()

    def run(self, done: int = 0, progress: bool = False) -> None:
        """Carry out all batches from number ``done`` on."""
        self.done = done
        largest = max((sum(self.bytes_of(piece) for piece in batch) for batch in self.batches), default=0)
        buffers = [Buffer(largest) for _ in range(min(SETS, len(self.batches)))]
        total = sum(task.leaf.size for task in self.tasks.values())
        with bar(total if progress else None, "step") as shown:
            stepped = sum(piece.stop - piece.start for batch in self.batches[:done] for piece in batch)

            def write(loaded: Loaded) -> None:
                nonlocal stepped
                self.write(loaded)
                stepped += sum(piece.stop - piece.start for piece, _ in loaded)
                shown(stepped, f"{stepped / 1e6:.0f}M elements")

            stream(self.batches[done:], buffers, self.read, self.work, write)
        self.sync()

    def bytes_of(self, piece: Piece) -> int:
        """Return the bytes of a piece in a buffer."""
        leaf = self.tasks[piece.leaf].leaf
        return (piece.stop - piece.start) * leaf.width + leaf.arrays * 64

    def read(self, batch: Sequence[Piece], buffer: Buffer) -> Loaded:
        """Read the pieces of a batch into a buffer."""
        buffer.clear()
        loaded: Loaded = []
        for piece in batch:
            arrays = {}
            for part, source in self.tasks[piece.leaf].sources.items():
                start, stop = within(self.adam, part, piece.start, piece.stop)
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
            for start, stop in slices(piece.start, piece.stop, self.budget.slice):
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

    def write(self, loaded: Loaded) -> None:
        """Write the pieces; now and then, have all that was written be on the disk."""
        for piece, arrays in loaded:
            for part, target in self.tasks[piece.leaf].targets.items():
                target.write(*within(self.adam, part, piece.start, piece.stop), arrays[part])
                self.unsaved += arrays[part].nbytes
                self.written |= paths_of(target)
        self.done += 1
        if self.unsaved >= SYNC:
            self.sync()
            self.saved(self.done)

    def sync(self) -> None:
        """Have all that was written be on the disk."""
        for path in sorted(self.written):
            for file in files_of(path) if path.is_dir() else ():
                sync(file)
            sync(path)
        self.written, self.unsaved = set(), 0


def paths_of(target: Writable) -> set[Path]:
    """Return the file of an array, or the folder with its files."""
    if isinstance(target, FileArray):
        return {target.path}
    assert isinstance(target, ZarrArray)
    return {Path(target.x.store.root) / target.x.path}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from stepping the run in this folder, where the system has locks of files.

    Raises:
        BlockingIOError: another process steps it now.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(folder / "lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
