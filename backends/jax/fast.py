"""The fast path of JAX: a step outside of jit with ``donate=True`` is compiled, and its arrays donated.

Inside the caller's own jit the definition becomes part of the caller's program, which places and shards
it; or the machine code does, where :func:`adamcore.backends.jax.native` asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from adamcore.backends.base import Fallback
from adamcore.backends.jax import batches, called, in_jit, jit_program
from adamcore.backends.jax.jit_program import unsupported
from adamcore.backends.jax.step_cache import jit_step
from adamcore.config import AdamConfig
from adamcore.jobs import Job, Result
from adamcore.protocol import CachedStep, StepRecord
from adamcore.state import AdamState

__all__ = ["apply", "cached_step", "unsupported"]


def apply(adam: AdamConfig, jobs: Sequence[Job], donate: bool, fallback: Fallback) -> list[Result]:
    """Carry out a step by a compiled program, or in the caller's; see ``FastPath`` in backends/base.py."""
    if donate and jit_program.can_donate(jobs):
        return jit_program.step(adam, jobs, fallback)
    if in_jit.serves(jobs):
        return in_jit.step(adam, jobs, fallback)
    if called.serves(jobs):
        return called.step(adam, jobs, fallback)
    return [fallback(adam, job, donate) for job in jobs] if donate else batches.step(adam, jobs, fallback)


def cached_step(
    adam: AdamConfig, record: StepRecord, fallback: Fallback
) -> tuple[CachedStep, AdamState] | None:
    """Return a cached step for the leaves that the step returned, and the state; or None."""
    cached = jit_step(adam, record, fallback)
    return None if cached is None else (cached, record.state)
