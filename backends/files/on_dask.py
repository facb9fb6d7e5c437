"""A step of arrays in files as tasks of Dask's, on whichever scheduler is in use.

A task opens the files in the process in which it runs.  Gradients in files are read there too; those that are
arrays of Dask's are computed chunk by chunk, and the task that has computed a chunk steps it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.base import get_scheduler, persist
from dask.callbacks import Callback
from dask.core import flatten
from dask.delayed import delayed
from dask.system import CPU_COUNT

from adamcore._minimize import bar
from adamcore.backends.files.arrays import (
    Chunk,
    FileArray,
    LazyArray,
    MemoryArray,
    Writable,
    extents,
    range_of,
)
from adamcore.backends.files.batches import WHOLE, Budget, Piece, batches, budget, fitting
from adamcore.backends.files.blocks import Blocks, Task
from adamcore.backends.files.formats import CHUNK, chunk_shape
from adamcore.backends.files.part import Part, make_chunk, make_part
from adamcore.types import Array

PART = 1 << 23  #: elements of a task whose gradients are read from files
LAZY = 1 << 21  #: elements of a chunk of an array that Dask makes of one in a file or in memory


class Workers(NamedTuple):
    """Who carries out tasks, and how the ceiling of a process is divided there."""

    client: Any  #: of the distributed scheduler; None if another is in use
    threads: int  #: of a process
    share: Budget


class Step(NamedTuple):
    """A step that is to be made by tasks."""

    folder: Path  #: of the run
    token: str
    blocks: Blocks


def workers(ceiling: int) -> Workers:
    """Return who carries out tasks now.

    Raises:
        HyperparameterError: the ceiling is too low for so many threads.
    """
    client = client_in_use()
    threads = threads_of(client)
    return Workers(client, threads, budget(ceiling, threads, threads))


def make(step: Step, workers: Workers, progress: bool) -> None:
    """Make a step.

    Raises:
        HyperparameterError: a chunk of zarr's does not fit under the ceiling.
    """
    client, threads, share = workers
    leaves = step.blocks.tasks.values()
    in_chunks = [leaf for leaf in leaves if comes_in_chunks(leaf)]
    in_files = [leaf for leaf in leaves if not comes_in_chunks(leaf)]
    task: Any = delayed(make_part, pure=False, traverse=False)
    made = [task(part) for part in parts_of_files(step, in_files, share, threads)]
    made += [of_chunks(step, leaf, share, threads) for leaf in in_chunks]
    total = sum(each.leaf.size for each in leaves)
    with bar(total if progress else None, "step") as shown:
        done = 0

        def ended(size: int) -> None:
            nonlocal done
            done += size
            shown(done, f"{done / 1e6:.0f}M elements")

        carry_out(made, client, ended)


def comes_in_chunks(task: Task) -> bool:
    """True if the gradient of a leaf is no file: its chunks are handed to the tasks."""
    return isinstance(task.sources.get("g"), LazyArray | MemoryArray)


def parts_of_files(step: Step, tasks: Sequence[Task], share: Budget, threads: int) -> Iterator[Part]:
    """Yield the parts of leaves whose gradients are read by the tasks."""
    group: list[list[Piece]] = []
    size = 0
    for batch in batches([task.leaf for task in tasks], share.set, share.buffer, threads):
        group.append(batch)
        size += sum(piece.stop - piece.start for piece in batch)
        if size >= PART:
            yield part_of(step, share, group)
            group, size = [], 0
    if group:
        yield part_of(step, share, group)


def of_chunks(step: Step, task: Task, share: Budget, threads: int) -> Any:
    """Return an array of Dask's, to compute which is to step a leaf whose gradient comes in chunks.

    What computes a chunk of the gradient and what steps it become one task, where Dask can make it one.
    """
    x, leaf = in_ranges(task), task.leaf
    if leaf.chunked:
        fitting(leaf, int(np.prod(x.chunksize)), share.buffer, threads)
    given = [x]
    where = task.sources.get("where")
    if isinstance(where, MemoryArray):
        given.append(da.from_array(where.x.reshape(x.shape), chunks=x.chunks))
    part = part_of(step, share, [[Piece(leaf.number, 0, 0)]])
    each = tuple((1,) * n for n in x.numblocks)
    return da.map_blocks(
        make_chunk,
        *given,
        part=part,
        share=share,
        threads=threads,
        name=f"adamcore-step-{uuid4().hex}",
        chunks=each,
        dtype=np.int64,
        meta=np.empty((0,) * x.ndim, np.int64),
    )


def part_of(step: Step, share: Budget, group: Sequence[Sequence[Piece]]) -> Part:
    """Return a part, which has no other leaves than its own."""
    whole = step.blocks
    own = dict.fromkeys(piece.leaf for batch in group for piece in batch)
    tasks = [for_a_worker(whole.tasks[n], [p for batch in group for p in batch if p.leaf == n]) for n in own]
    return Part(step.folder, step.token, Blocks(whole.adam, tasks, share.slice, whole.scale), group)


def for_a_worker(task: Task, pieces: Sequence[Piece]) -> Task:
    """Return a task with no arrays but files, and of a mask in memory the part that belongs to the pieces.

    Of a leaf whose gradient comes in chunks, the mask comes in chunks too.
    """
    if task.job is None:
        return task
    sources, job = dict(task.sources), task.job._replace(where=None)
    chunks = comes_in_chunks(task)
    if chunks:
        del sources["g"]
        job = job._replace(g=None)
    if isinstance(sources.get("where"), MemoryArray):
        mask = sources.pop("where")
        if not chunks:
            start, stop = pieces[0].start, pieces[-1].stop
            part = np.empty(stop - start, np.bool_)
            mask.read(start, stop, part)
            sources["where"] = Chunk(part, start)
    return task._replace(sources=sources, job=job)


def in_ranges(task: Task) -> Any:
    """Return the gradient of a leaf as an array of Dask's, whose chunks are ranges of its elements."""
    g: Any = task.sources["g"]
    assert task.job is not None
    x = g.x
    if not isinstance(g, LazyArray):
        return da.from_array(x, chunks=chunk_shape(x.shape, CHUNK if task.leaf.chunked else LAZY))
    if task.leaf.chunked:
        return x.rechunk(chunk_shape(x.shape, CHUNK))
    if not are_ranges(x.chunks):
        x = x.rechunk(chunk_shape(x.shape, max(1, int(np.prod(x.chunksize)))))
    blocks = any(task.job.formats.in_blocks(part) for part in ("m", "v"))
    if blocks and x.ndim and x.size:  # a chunk has whole blocks
        flat = da.concatenate([x.blocks[at].reshape(-1) for at in np.ndindex(x.numblocks)])
        x = flat.rechunk(-(-int(np.prod(x.chunksize)) // WHOLE) * WHOLE)
    return x


def are_ranges(chunks: Sequence[Sequence[int]]) -> bool:
    """True if chunks are ranges of the elements of their array, which follow one another.

    >>> are_ranges(((2, 2), (5,))), are_ranges(((1, 1), (3, 2))), are_ranges(((2, 2), (3, 2)))
    (True, True, False)
    """
    cut = [axis for axis, sizes in enumerate(chunks) if len(sizes) > 1]
    return not cut or all(n == 1 for sizes in chunks[: cut[-1]] for n in sizes)


def carry_out(made: Sequence[Any], client: Any, ended: Callable[[int], None]) -> None:
    """Carry out tasks; call ``ended`` with the size of each that ends.

    Tasks that have not begun are taken back if one fails.

    Args:
        made: what has the tasks, of Dask's; each results in a size, or in an array of it.
        client: of the distributed scheduler; None if another is in use.
        ended: the function.
    """
    if client is None:
        keys = {key for each in made for key in flatten(each.__dask_keys__())}

        def after(key: Any, result: Any, *_: Any) -> None:
            if key in keys:
                ended(int(np.sum(result)))

        with Callback(posttask=after):
            persist(*made)
        return
    distributed = sys.modules["distributed"]
    futures = distributed.futures_of(client.persist(list(made)))
    try:
        for _, size in distributed.as_completed(futures, with_results=True):
            ended(int(np.sum(size)))
    except BaseException:
        client.cancel(futures)
        raise


def client_in_use() -> Any:
    """Return the client of Dask's distributed scheduler; None if another scheduler is in use."""
    client = getattr(get_scheduler(), "__self__", None)
    distributed = sys.modules.get("distributed")
    return client if distributed is not None and isinstance(client, distributed.Client) else None


def threads_of(client: Any) -> int:
    """Return how many tasks a process carries out at one time."""
    if client is None:
        return int(dask.config.get("num_workers", None) or CPU_COUNT)
    return max(client.nthreads().values(), default=1)


class Ranges:
    """What Dask reads chunks of a file from, in the process that needs them."""

    def __init__(self, x: Writable) -> None:
        self.x, self.shape, self.dtype, self.ndim = x, x.shape, x.dtype, len(x.shape)

    def __getitem__(self, index: Any) -> Array:
        found = range_of(self.shape, index)
        if found is None or not isinstance(self.x, FileArray):
            return np.array(self.x.mapped()[index])
        start, stop = found
        into = np.empty(stop - start, self.dtype)
        self.x.read(start, stop, into)  # which takes less time than to touch the pages of a map
        return into.reshape(extents(self.shape, index))


def lazy(arrays: Mapping[str, Writable]) -> dict[str, Any]:
    """Return arrays in files as arrays of Dask's, whose chunks are ranges of elements."""
    return {
        name: da.from_array(
            Ranges(x),
            chunks=chunk_shape(x.shape, LAZY),
            name=f"adamcore-{uuid4().hex}",  # a file of the same name may have other content
            meta=np.empty((0,) * len(x.shape), x.dtype),
        )
        for name, x in arrays.items()
    }
