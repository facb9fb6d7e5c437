"""Many small leaves outside of jit: those alike are stepped as one array.

An operation of JAX outside of ``jit`` takes some ten microseconds whatever its size, and a step has more
than ten of them.  So leaves of one kind are stacked, :data:`SIZE` at a time, and the definition runs on
what results.  Stacking and taking apart are compiled, once for each kind, and compute nothing: the bits are
those of the leaves stepped one by one, which a compiled step's need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding

from adamcore.backends.base import Fallback
from adamcore.backends.kernels.memory import arrays_of
from adamcore.config import AdamConfig
from adamcore.jobs import Job, Result

SIZE = 64  #: leaves of a batch
MANY = 256  #: leaves of one kind from which to compile two programs for it pays
LARGE = 1 << 12  #: elements from which a leaf is stepped for itself

stack = jax.jit(jnp.stack)
"""Return a list of arrays as one array."""


@jax.jit
def unstack(x: Any) -> list[Any]:
    """Return the arrays of which :func:`stack` made one."""
    return [jax.lax.index_in_dim(x, i, keepdims=False) for i in range(x.shape[0])]


def step(adam: AdamConfig, jobs: Sequence[Job], fallback: Fallback) -> list[Result]:
    """Carry out jobs outside of jit, whose arrays are kept."""
    results: list[Any] = [None] * len(jobs)
    for indices in batches(jobs):
        new = step_batch(adam, [jobs[i] for i in indices], fallback)
        for i, result in zip(indices, new, strict=True):
            results[i] = result
    return [
        fallback(adam, job, False) if new is None else new for job, new in zip(jobs, results, strict=True)
    ]


def batches(jobs: Sequence[Job]) -> list[list[int]]:
    """Return which jobs are stepped together; those that are in no batch are stepped one by one."""
    if len(jobs) < MANY or jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        return []
    kinds: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        if is_small(job):
            facts = [(x.shape, x.dtype, x.sharding, x.committed) for x in arrays_of(job)]
            kinds.setdefault((id(job.coefficients), *facts), []).append(i)
    many = [indices for indices in kinds.values() if len(indices) >= MANY]
    return [each[k : k + SIZE] for each in many for k in range(0, len(each) - SIZE + 1, SIZE)]


def is_small(job: Job) -> bool:
    """True if a job has concrete arrays of few elements on one device, plainly kept, and no mask."""
    return (
        job.where is None
        and job.formats.plain
        and all(
            not isinstance(x, jax.core.Tracer)
            and x.size < LARGE
            and type(x.sharding) is SingleDeviceSharding
            and not x.weak_type
            for x in arrays_of(job)
        )
    )


def step_batch(adam: AdamConfig, jobs: Sequence[Job], fallback: Fallback) -> list[Result]:
    """Carry out jobs of one kind as one job."""
    columns = [stack(list(column)) for column in zip(*map(arrays_of, jobs), strict=True)]
    p, g, m, v, v_max = (*columns, None)[:5]
    new = fallback(adam, jobs[0]._replace(p=p, g=g, m=m, v=v, v_max=v_max), False)
    parts = [[None] * len(jobs) if x is None else unstack(x) for x in new]
    return list(map(Result._make, zip(*parts, strict=True)))


def scalars(values: Sequence[float], dtype: Any) -> list[Any]:
    """Return a new 0-d array for each of many values; nothing if they are few, or a program is traced."""
    if len(values) < MANY:
        return []
    full = len(values) - len(values) % SIZE
    parts = [unstack(np.array(values[k : k + SIZE], dtype)) for k in range(0, full, SIZE)]
    if isinstance(parts[0][0], jax.core.Tracer):
        return []
    return [x for part in parts for x in part] + [jnp.asarray(x, dtype=dtype) for x in values[full:]]
