"""Gradients clipped inside a step of the optimizer: what each is multiplied by, over all groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch.backend import backend
from adamcore.backends.torch.optimizer import sparse
from adamcore.backends.torch.optimizer.group_keys import Group
from adamcore.clock import known
from adamcore.errors import BackendError
from adamcore.jobs import Job
from adamcore.step.clipping import Clip, by_value, factors_of_norms, multiplied_jobs
from adamcore.types import Scalar

Factors = list[Scalar]  #: what the gradients of a group that take part are multiplied by


def factors_of_groups(
    clip: Clip, groups: Sequence[Group], grads: Sequence[Sequence[torch.Tensor | None]], scale: Any
) -> list[Factors]:
    """Return for each group what its gradients are multiplied by; the norm is that of all groups together.

    Args:
        clip: how they are clipped; by value the numbers are what the gradients are raised to.
        groups: of the optimizer.
        grads: for each group, those that take part in the step.  A sharded gradient counts as a whole.
        scale: the factor that the gradients carry, a tensor of one element; None for 1.

    Raises:
        BackendError: a group is ``differentiable``.
    """
    if any(group["differentiable"] for group in groups):
        raise BackendError("`differentiable` with clip: a clipped step is not recorded; clip before the step")
    if clip.value is not None:
        most = known("Clip.value", clip.value, backend)
        return [[clip.value if most is None else -most] * len(each) for each in grads]
    gs = [sparse.values(g) for each in grads for g in each if g is not None]
    if not gs:
        return [[1.0] * len(each) for each in grads]
    norms = backend.norms(gs, [None] * len(gs))
    if scale is not None:
        by: Any = scale.detach().reshape(())
        by = by.to(gs[0].device) if backend.host(by) is None else by.item()
        norms = [n / by for n in norms]
    factors = iter(factors_of_norms(backend, norms, gs, clip))
    return [[1.0 if g is None else next(factors) for g in each] for each in grads]


def clipped_jobs(core: Core, jobs: list[Job], clip: Clip, factors: Factors) -> Sequence[Job]:
    """Return the jobs of a group with their gradients clipped, after the loss scale and before all else."""
    if clip.value is not None:
        return by_value(core, backend, jobs, clip.value)
    here = [
        f.to(job.g.device) if isinstance(f, torch.Tensor) else f for f, job in zip(factors, jobs, strict=True)
    ]
    return multiplied_jobs(backend, jobs, here)
