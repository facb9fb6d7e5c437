"""Many leaves inside the caller's program: leaves that are alike are one function, called for each.

Tracing and lowering the operations of a leaf, in Python, takes longer than compiling a kernel that XLA has
compiled before.  So the operations are traced once for each kind of leaf, and the program of the step calls
the result.  XLA puts the operations in the place of each call, so the program that it compiles is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
from jax.interpreters.partial_eval import DynamicJaxprTracer

from adamcore.backends.base import Fallback
from adamcore.backends.kernels.memory import arrays_of
from adamcore.config import AdamConfig
from adamcore.jobs import Job, LeafDtypes, Result

MANY = 8  #: leaves from which a function for each kind pays


def serves(jobs: Sequence[Job]) -> bool:
    """True if the jobs are many, and part of a program that is traced for ``jax.jit``."""
    return len(jobs) >= MANY and any(type(job.p) is DynamicJaxprTracer for job in jobs)


def step(adam: AdamConfig, jobs: Sequence[Job], fallback: Fallback) -> list[Result]:
    """Carry out jobs as part of the program that is traced."""
    plain = replace(adam, lr=0.0)  # the coefficients have it
    results = []
    for job in jobs:
        if can_be_called(job):
            fields = job._asdict()
            formats = fields.pop("formats")
            results.append(leaf(plain, formats, fallback, fields))
        else:
            results.append(fallback(adam, job, False))
    return results


def can_be_called(job: Job) -> bool:
    """True if a function can take all of a job but its formats as arguments, and give the same bits.

    The coefficients must be arrays, since a Python number would be rounded to become an argument.  The arrays
    must be traced for ``jax.jit`` itself: eager ``jax.vmap`` and ``jax.grad`` run one operation after the
    other, where a function would be compiled as a whole.
    """
    return (
        job.key is None
        and all(type(x) is DynamicJaxprTracer for x in arrays_of(job))
        and all(x is None or isinstance(x, jax.Array) for x in job.coefficients)
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def leaf(adam: AdamConfig, formats: LeafDtypes, fallback: Fallback, fields: Mapping[str, Any]) -> Result:
    """Return the result of a job, whose formats are given beside its other fields."""
    return fallback(adam, Job(formats=formats, **fields), False)
