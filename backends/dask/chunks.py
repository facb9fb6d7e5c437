"""What a worker does with one chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adamcore.backends.kernels.threads import one_thread
from adamcore.backends.numpy.backend import backend as NUMPY
from adamcore.config import AdamConfig
from adamcore.jobs import Job, Result
from adamcore.types import Array


def step_chunk(
    *arrays: Array, adam: AdamConfig, job: Job, names: Sequence[str], block_info: Mapping[Any, Any]
) -> list[Array]:
    """Return what a step makes of one chunk: its p, m, v and so on.

    Args:
        arrays: the chunks of the parameter, the gradient, and the rest.
        adam: the Adam that steps.
        job: the job of the whole leaf, without arrays.
        names: which array is which.
        block_info: where the chunk stands in the whole array, as Dask tells it.
    """
    found: dict[str, Any] = dict(zip(names, map(dense, arrays), strict=True))
    job = job._replace(**found)
    if job.key is not None:
        place = block_info[0]
        job = job._replace(key=job.key._replace(elements=numbers(place["array-location"], place["shape"])))
    with one_thread():  # Dask's threads have other chunks
        result: Result = NUMPY.apply(adam, [job], False)[0]
    return [x for x in result if x is not None]


def dense(x: Array) -> Array:
    """Return an array with memory for each element, which Dask's zeros do not have."""
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def pick(whole: Sequence[Array], number: int) -> Array:
    """Return one of the arrays that :func:`step_chunk` has made."""
    return whole[number]


def numbers(ranges: Sequence[tuple[int, int]], shape: Sequence[int]) -> Array:
    """Return the numbers of a chunk's elements in the order of the whole array's indices, as words.

    >>> numbers([(1, 3), (2, 4)], (5, 4)).tolist()
    [[6, 7], [10, 11]]
    """
    found, stride = np.zeros((1,) * len(shape), np.int64), 1
    for axis in reversed(range(len(shape))):
        index = np.arange(*ranges[axis], dtype=np.int64) * stride
        found = found + index.reshape([-1 if k == axis else 1 for k in range(len(shape))])
        stride *= shape[axis]
    return found.astype(np.uint32)
