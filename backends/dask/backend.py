"""The backend of Dask's arrays: one task steps one chunk of a parameter, with its gradient and its state.

A step is lazy, as everything of Dask's is: it returns arrays that are computed when they are asked for, on
whichever scheduler is in use.  Clocks are Python's numbers, so that to make the next step computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np

from adamcore.backends.base import BaseBackend
from adamcore.backends.dask.chunks import pick, step_chunk
from adamcore.backends.numpy.backend import backend as NUMPY
from adamcore.backends.numpy.words import NumPyWords
from adamcore.config import AdamConfig
from adamcore.errors import BackendError
from adamcore.jobs import Job, Result
from adamcore.storage.bits import TableWords
from adamcore.types import Array, DType


class DaskWords(NumPyWords):
    """Says that bits can be read, which is done chunk by chunk."""

    def zero_scales(self, like: Array, size: int, dtype: DType) -> Array:
        raise BackendError(
            "moments in 8 bits with arrays of Dask: expected m_storage='plain' and v_storage='plain', since "
            "chunks part the blocks that share a scale"
        )


WORDS = DaskWords()


class DaskBackend(BaseBackend):
    """Dask: chunks of NumPy's are stepped by its backend, others by the definition on Dask's operations."""

    name = "dask"
    sorts_keys: bool | None = True

    def owns(self, leaf: object) -> bool:
        return isinstance(leaf, da.Array)

    def refuse(self, leaf: Array) -> str | None:
        if any(math.isnan(n) for n in leaf.shape):
            return "an array whose chunks have unknown sizes; call its compute_chunk_sizes()"
        return None

    def full(self, value: float, dtype: DType, like: Array) -> Any:
        return int(value) if np.dtype(dtype).kind == "i" else float(value)

    def zeros(self, like: Array, dtype: DType) -> Array:
        if type(like._meta) is not np.ndarray:
            return super().zeros(like, dtype)
        return da.zeros(like.shape, dtype=dtype, chunks=like.chunks)

    def kind(self, dtype: DType) -> Any:
        return NUMPY.kind(dtype)

    def finfo(self, dtype: DType) -> Any:
        return NUMPY.finfo(dtype)

    def dtype_named(self, name: str, like: Array) -> DType:
        return NUMPY.dtype_named(name, like)

    def bits_of_floats(self) -> TableWords | None:
        return WORDS

    def apply(self, adam: AdamConfig, jobs: Sequence[Job], donate: bool) -> Sequence[Result]:
        return [stepped(adam, job) if in_numpy(job) else self.apply_one(adam, job, donate) for job in jobs]


def in_numpy(job: Job) -> bool:
    """True if the chunks of a job are NumPy's, and its coefficients are known."""
    arrays = [x for x in (job.p, job.g, job.m, job.v, job.v_max, job.p_rest) if x is not None]
    known = all(x is None or isinstance(x, float) for x in job.coefficients)
    return known and all(type(x._meta) is np.ndarray for x in arrays)


def stepped(adam: AdamConfig, job: Job) -> Result:
    """Return the arrays after a step, of which each chunk is computed by one task from the old ones."""
    p = job.p
    arrays = {"p": p, "g": job.g, "m": job.m, "v": job.v, "v_max": job.v_max, "p_rest": job.p_rest}
    if job.where is not None:
        arrays["where"] = da.broadcast_to(job.where, p.shape)
    given = {name: rechunked(x, p) for name, x in arrays.items() if x is not None}
    blank = Job(None, None, None, None, None, job.coefficients, None, job.formats, None, job.key)
    whole = da.map_blocks(
        step_chunk,
        *given.values(),
        adam=adam,
        job=blank,
        names=tuple(given),
        dtype=object,
        meta=np.empty((0,) * p.ndim, object),
    )
    found = {
        name: da.map_blocks(pick, whole, number, dtype=arrays[name].dtype, meta=arrays[name]._meta)
        for number, name in enumerate(name for name in Result._fields if given.get(name) is not None)
    }
    return Result(**{name: found.get(name) for name in Result._fields})


def rechunked(x: Array, p: Array) -> Array:
    """Return an array in the chunks of another."""
    return x if x.chunks == p.chunks else x.rechunk(p.chunks)


backend = DaskBackend()
