"""Which jobs machine code, or NumPy in blocks, can carry out on the CPU, and in which formats."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.formats import LLVM, SIZES, Format, Storage
from adamcore.backends.kernels.memory import Memory, arrays_of, vectors_of
from adamcore.definition import Coefficients
from adamcore.jobs import PARTS_OF, Job, LeafDtypes, UniformJobs, columns_of
from adamcore.types import Array

COEFFICIENTS, WHERE, FORMATS = map(Job._fields.index, ("coefficients", "where", "formats"))


def unsupported(memory: Memory, job: Job) -> str | None:
    """Return why the kernel can't run a job, or None: it runs flat memory, on scalars of the host.

    Arrays that are dense with the same strides are the same vector in memory.  Complex arrays are vectors
    of their parts, unless v is of the modulus.  Without machine code all arrays have one dtype, that of the
    arithmetic.
    """
    if any(x is not None and not isinstance(x, float) for x in job.coefficients):
        return "a clock or hyperparameters that only the program knows"
    arrays = vectors_of(job)
    reason = unsupported_dtypes(memory, job, arrays) or unsupported_policy(memory, job)
    if reason is not None:
        return reason
    shape, size = job.p.shape, memory.size(job.p)
    for x in arrays:
        reason = memory.unsupported(x)
        if reason is not None:
            return reason
        if x.shape != shape:
            return "arrays of different shapes"
        if memory.size(x) != size:
            return f"{job.p.dtype} beside {x.dtype}"
    if job.where is None:
        return unsupported_layout(memory, arrays)
    if not llvm.available():
        return "a mask, without machine code"
    if memory.size(job.p) != prod(shape) or job.where.shape != shape or not memory.booleans(job.where):
        return "a mask that does not have a byte for each number"
    return unsupported_layout(memory, (*arrays, job.where))


def unsupported_dtypes(memory: Memory, job: Job, arrays: Sequence[Array]) -> str | None:
    """Return why neither machine code nor blocks can compute with the dtypes of a job, or None."""
    dtype, work = job.p.dtype, job.formats.work
    part = memory.storage(work)
    if part not in LLVM or not llvm.available():
        for x in arrays:
            if x.dtype != dtype:
                return f"{dtype} beside {x.dtype}" + (", without machine code" if part in LLVM else "")
        if dtype != work if part is None else memory.storage(dtype) != part:
            return f"{dtype}, with arithmetic in {work}"
        return None
    for x in arrays:
        storage = memory.storage(x.dtype)
        if storage is None and is_coded(job, x):  # of its own dtype, as the step has found
            continue
        if storage is None:
            return f"{x.dtype}, with arithmetic in {work}"
        if SIZES[storage] > SIZES[part] and x is not job.g:
            return f"arithmetic in {work} beside {x.dtype}"
    if job.v_max is not None and job.v_max.dtype != job.v.dtype:
        return f"{job.v.dtype} beside {job.v_max.dtype}"
    return None


def is_coded(job: Job, x: Array) -> bool:
    """True if an array of a job is of whole numbers: a rest of p, or the codes of a moment."""
    f = job.formats
    return x is job.p_rest or (x is job.m and f.m_coding is not None) or f.v_coding is not None


def unsupported_policy(memory: Memory, job: Job) -> str | None:
    """Return why parameter and moments can't be kept as they are to be kept, or None."""
    if job.formats.plain:
        return None
    if not llvm.available():
        policy = job.formats.storage
        what = "moments in 8 bits, or rounded at random" if policy is None else f"p_storage={policy.policy!r}"
        return f"{what}, without machine code"
    coded = job.m_scale is not None or job.v_scale is not None
    if coded and job.where is not None:
        return "a mask, with moments in 8 bits"
    if coded and not all(map(memory.contiguous, arrays_of(job))):
        return "an array that is not contiguous, with moments in 8 bits"
    if coded and any(memory.unsupported(x) is not None for x in arrays_of(job)):
        return "scales that can't be read"
    if job.key is None:
        return None
    if not isinstance(job.key.t, int):
        return "a clock that only the program knows"
    if job.key.elements is not None or not all(map(memory.contiguous, arrays_of(job))):
        return "rounding at random, with elements whose numbers are not their places in memory"
    return None


def format_of(memory: Memory, job: Job) -> Format:
    """Return the dtypes of a supported job."""
    f = job.formats
    found: Any = map(memory.storage, (f.work, job.p.dtype, job.g.dtype, job.m.dtype, job.v.dtype))
    return kept_as(Format(*found), f)


def kept_as(dtypes: Format, formats: LeafDtypes) -> Format:
    """Return dtypes with what the dtypes of a leaf say of how it is kept."""
    policy, m, v = formats.storage, formats.m_coding, formats.v_coding
    if policy is not None:
        dtypes = dtypes._replace(p_storage=policy.policy)
    if m is not None:
        codes: Storage = "int8" if m.dtype == "int8" else "uint8"
        dtypes = dtypes._replace(m=codes, m_storage=m.policy)
    if formats.m_random is not None:
        dtypes = dtypes._replace(m_storage="stochastic")
    if formats.v_random is not None:
        dtypes = dtypes._replace(v_storage="stochastic")
    return dtypes if v is None else dtypes._replace(v="uint8", v_storage=v.policy)


def unsupported_layout(memory: Memory, arrays: Sequence[Array]) -> str | None:
    """Return why arrays of one shape are not vectors in memory with the same order of elements, or None."""
    if all(map(memory.contiguous, arrays)):
        return None
    shape = arrays[0].shape
    different = {tuple(s for s, n in zip(memory.strides(x), shape, strict=True) if n != 1) for x in arrays}
    if len(different) > 1:
        return "an array that is not contiguous, beside one with other strides"
    if not dense(shape, memory.strides(arrays[0])):
        return "an array that is not contiguous, nor a permutation of a contiguous one"
    return None


def dense(shape: Sequence[int], strides: Sequence[float]) -> bool:
    """True if elements lie in memory without gaps, the dimensions in any order.

    >>> dense((2, 3), (3, 1)), dense((2, 3), (1, 2)), dense((2, 3), (6, 2)), dense((2, 3), (0, 1))
    (True, True, False, False)
    """
    length = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size != 1:
            if stride != length:
                return False
            length *= size
    return True


def all_supported(memory: Memory, jobs: Sequence[Job]) -> bool:
    """True if :func:`unsupported` has nothing against any of the jobs, and they are of the same dtypes.

    It looks at columns instead of jobs, for lists of 100,000.
    """
    first, n = jobs[0], len(jobs)
    if unsupported(memory, first) is not None:
        return False
    if any(x is not None and not isinstance(x, float) for row in rows_of(jobs).values() for x in row):
        return False
    if isinstance(jobs, UniformJobs):
        return True
    wheres, formats = ([job[k] for job in jobs] for k in (WHERE, FORMATS))
    if len({*map(id, formats)}) > 1 or any(x is not None for x in wheres):
        return False
    there = [x is not None for x in PARTS_OF(first)]
    if any([x is not None for x in PARTS_OF(job)] != there for job in jobs):
        return False
    if first.key is not None and any(unsupported_policy(memory, job) for job in jobs):
        return False
    columns = columns_of(jobs)
    shapes = [x.shape for x in columns.p]
    for name, xs in zip(columns._fields, columns, strict=True):
        if xs and [x.dtype for x in xs].count(xs[0].dtype) < n:
            return False
        if xs and not name.endswith("_scale") and [x.shape for x in xs] != shapes:
            return False
    return all(memory.plain(xs) for xs in columns if xs) or all(
        unsupported(memory, job) is None for job in jobs
    )


def rows_of(jobs: Sequence[Job]) -> dict[int, Coefficients]:
    """Return the different rows of coefficients, each by its ``id``."""
    rows: Any = jobs.rows if isinstance(jobs, UniformJobs) else [job[COEFFICIENTS] for job in jobs]
    return dict(zip(map(id, rows), rows, strict=True))
