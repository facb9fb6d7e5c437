"""The norm of a gradient in a file, read once, range by range; it has the bits of the norm in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np

from adamcore.backends.files.arrays import LazyArray, Readable, ZarrArray, as_shape, boxes
from adamcore.backends.files.batches import slices
from adamcore.backends.files.formats import CHUNK
from adamcore.backends.kernels.norms import SAFE, block_sums
from adamcore.backends.numpy.backend import backend as NUMPY
from adamcore.backends.numpy.backend import counted, squares_in_blocks
from adamcore.backends.numpy.fast import MEMORY
from adamcore.errors import GradientError
from adamcore.jobs import Job
from adamcore.types import Array

RANGE = 1 << 20  #: elements that are read at once, a multiple of all blocks with a sum of their own


def norm(name: str, job: Job, scale: float | None) -> float:
    """Return the norm of the gradient of a job, without its loss scale; what a mask excludes does not count.

    Raises:
        GradientError: it is an array of Dask's.
    """
    if isinstance(job.g, LazyArray):
        raise GradientError(
            f"grads {name!r} is an array of Dask's, of which no norm is formed here: form the norm of all "
            "gradients with Dask, and give it as Clip(global_norm=..., total=...); or clip by value"
        )

    def ranges() -> Iterator[Array]:
        masks = repeat(None) if job.where is None else ranges_of(as_shape(job.where, job.p.shape))
        for x, where in zip(ranges_of(job.g), masks, strict=False):
            g = x if where is None else counted(x, where)
            yield g if scale is None else NUMPY.divided(g, scale, job.formats.work)

    return norm_of(ranges)


def norm_of(ranges: Callable[[], Iterable[Array]]) -> float:
    """Return the norm of numbers that come in vectors, each of :data:`RANGE` elements but the last.

    One beyond what float64 can square may differ from that in memory by a unit in the last place.
    """
    sums: list[float] = []
    total, code, wide = 0.0, True, False
    with NUMPY.scope():
        for x in ranges():
            found = block_sums(MEMORY, x) if code else None
            code, wide = found is not None, wide or x.dtype == np.float64
            if found is None:
                total = squares_in_blocks(x, total)
            else:
                sums.extend(found)
    quick = math.sqrt(math.fsum(sums)) if code else math.sqrt(total)
    if (code and not wide) or SAFE[0] < quick < SAFE[1]:
        return quick
    return careful_norm(ranges)


def careful_norm(ranges: Callable[[], Iterable[Array]]) -> float:
    """Return a norm of which the largest number is divided out first; NaN and infinities do not count."""

    def sizes() -> Iterator[Array]:
        for x in ranges():
            real = x.view(x.real.dtype) if x.dtype.kind == "c" else x
            size = np.abs(real.astype(np.float64))
            yield np.where(np.isfinite(size), size, 0.0)

    largest = max((float(size.max(initial=0.0)) for size in sizes()), default=0.0)
    divisor = largest or 1.0
    return divisor * math.sqrt(math.fsum(float(np.sum((size / divisor) ** 2)) for size in sizes()))


def ranges_of(g: Readable) -> Iterator[Array]:
    """Yield the elements of an array in order, :data:`RANGE` at a time."""
    size = math.prod(g.shape)
    if not isinstance(g, ZarrArray):
        for start, stop in slices(0, size, RANGE):
            x = np.empty(stop - start, g.dtype)
            g.read(start, stop, x)
            yield x
        return
    left: Any = np.empty(0, g.dtype)
    for start, stop in boxes(g.shape, CHUNK):
        x = np.empty(stop - start, g.dtype)
        g.read(start, stop, x)
        left = np.concatenate([left, x])
        while left.size >= RANGE:
            yield left[:RANGE]
            left = left[RANGE:]
    if left.size:
        yield left
