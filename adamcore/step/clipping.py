"""Gradients clipped inside the step (CLIP.1 to CLIP.5).

To clip by a norm is to multiply by one factor for each array.  If the host knows the factor, it goes into the
coefficients of the job (``scale_g``), so that no pass over memory is added to the step itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from adamcore.axes import check_number
from adamcore.clock import known
from adamcore.config import AdamConfig
from adamcore.errors import HyperparameterError
from adamcore.jobs import Job, UniformJobs
from adamcore.presence import presence, where_of
from adamcore.protocol import Backend
from adamcore.step.rows import Rows, sums_of
from adamcore.trees import ParamTree
from adamcore.types import Array, DType, Scalar, Tree

WAYS = ("global_norm", "norm", "value")


class Clip(NamedTuple):
    """How the gradients of a step are clipped: in one of three ways, and no further than its number says.

    Attributes:
        global_norm: the largest Euclidean norm that all gradients together may have (CLIP.2), a number >= 0
            or a 0-d array.
        norm: the largest norm that the gradient of each leaf may have (CLIP.3).
        value: the largest size that each element of a gradient may have (CLIP.4).
        eps: a number >= 0 that is added to a norm before it is a divisor, 1e-6 in
            ``torch.nn.utils.clip_grad_norm_``.
        total: the norm of all gradients, if the caller knows it: of those that other processes have too, say.
            It goes with ``global_norm``, and is that of the gradients without their loss scale.

    Example:
        >>> import numpy as np
        >>> from adamcore import Adam
        >>> opt, params = Adam(lr=0.1, b1=0.0), [np.zeros(2), np.zeros(1)]
        >>> grads = [np.array([3.0, 0.0]), np.array([4.0])]
        >>> _, state = opt.step(params, grads, opt.init(params), clip=Clip(global_norm=1.0))
        >>> state.m
        [array([0.6, 0. ]), array([0.8])]
    """

    global_norm: Scalar | None = None
    norm: Scalar | None = None
    value: Scalar | None = None
    eps: float = 0.0
    total: Scalar | None = None

    @property
    def way(self) -> str:
        """The name of the field that is given."""
        return next(name for name in WAYS if getattr(self, name) is not None)


def check_clip(clip: object, backend: Backend) -> None:
    """Raise HyperparameterError unless this is a :class:`Clip` of one way, with numbers in their ranges."""
    if not isinstance(clip, Clip):
        raise HyperparameterError(
            f"clip is {clip!r} ({type(clip).__name__}): expected an adamcore.Clip, such as "
            "Clip(global_norm=1.0)"
        )
    given = [name for name in WAYS if getattr(clip, name) is not None]
    if len(given) != 1:
        raise HyperparameterError(
            f"Clip with {' and '.join(given) or 'no number'}: expected one of {', '.join(WAYS)}"
        )
    known(f"Clip.{given[0]}", getattr(clip, given[0]), backend)
    check_number("Clip.eps", clip.eps)
    if clip.eps and given == ["value"]:
        raise HyperparameterError(
            f"Clip(value=..., eps={clip.eps!r}): expected eps=0.0, as nothing is divided"
        )
    if clip.total is not None:
        if given != ["global_norm"]:
            raise HyperparameterError(f"Clip.total with {given[0]}: expected it with global_norm alone")
        known("Clip.total", clip.total, backend)


def clipped(adam: AdamConfig, backend: Backend, jobs: Sequence[Job], clip: Clip) -> Sequence[Job]:
    """Return jobs whose gradients are clipped; those that are absent or under False do not count.

    Raises:
        HyperparameterError: complex gradients by value, under ``complex="modulus"``.
    """
    if not jobs:
        return jobs
    with backend.scope():
        if clip.value is not None:
            return [by_value(adam, backend, job, clip.value) for job in jobs]
        factors = factors_of(backend, [job.g for job in jobs], [job.where for job in jobs], clip)
        return multiplied_jobs(backend, jobs, factors)


def factors_of(backend: Backend, gs: Sequence[Array], wheres: Sequence[Any], clip: Clip) -> list[Scalar]:
    """Return what each gradient is multiplied by: a float, or a 0-d array that only the program knows.

    Args:
        gs: the gradients, without their loss scale.
        wheres: for each the boolean array that says which elements count; None: all.
        clip: by a norm.
    """
    if clip.total is not None:
        return [factor(backend, clip.total, clip.global_norm, clip.eps, gs[0])] * len(gs)
    return factors_of_norms(backend, backend.norms(gs, wheres), gs, clip)


def factors_of_norms(
    backend: Backend, norms: Sequence[Scalar], gs: Sequence[Array], clip: Clip
) -> list[Scalar]:
    """Return what :func:`factors_of` does, of the norm of each gradient."""
    if clip.norm is not None:
        return [factor(backend, n, clip.norm, clip.eps, g) for n, g in zip(norms, gs, strict=True)]
    total = together(backend, norms, gs[0]) if clip.total is None else clip.total
    return [factor(backend, total, clip.global_norm, clip.eps, gs[0])] * len(gs)


def together(backend: Backend, norms: Sequence[Scalar], like: Array) -> Scalar:
    """Return the norm of all gradients from the norm of each, without overflow on the way."""
    if all(isinstance(n, float) for n in norms):
        return math.hypot(*norms)
    n, xp = [in_array(backend, norm, like) for norm in norms], backend.namespace(like)
    if len(n) == 1:
        return n[0]
    largest = n[0]
    for x in n[1:]:
        largest = xp.maximum(largest, x)
    divisor = backend.where(largest > 0, largest, largest + 1)
    total = (n[0] / divisor) * (n[0] / divisor)
    for x in n[1:]:
        total = total + (x / divisor) * (x / divisor)
    return divisor * xp.sqrt(total)


def factor(backend: Backend, norm: Scalar, most: Any, eps: float, like: Array) -> Scalar:
    """Return ``min(1, most / (norm + eps))``, which is 1 for a norm of 0."""
    largest, total = (known(name, x, backend) for name, x in (("clip", most), ("norm", norm)))
    if largest is not None and total is not None:
        over = total + eps
        return 1.0 if over <= largest else largest / over
    n, m = in_array(backend, norm, like) + eps, in_array(backend, most, like)
    fits = n <= m
    return backend.where(fits, n * 0 + 1, m / backend.where(fits, n * 0 + 1, n))


def in_array(backend: Backend, value: Scalar, like: Array) -> Array:
    """Return a number or a 0-d array as a 0-d array in the dtype of coefficients."""
    dtype = backend.coefficient_dtype(like)
    if not (hasattr(value, "dtype") and backend.owns(value)):
        return backend.full(value, dtype, like)
    return backend.cast(value, dtype)


def multiplied_jobs(backend: Backend, jobs: Sequence[Job], factors: Sequence[Scalar]) -> Sequence[Job]:
    """Return jobs whose gradients are multiplied by these factors, as part of the step where that can be."""
    made: dict[Any, Any] = {}

    def with_factor(c: Any, f: float) -> Any:
        key = id(c), f
        if key not in made:
            made[key] = c._replace(scale_g=f)
        return made[key]

    if isinstance(jobs, UniformJobs) and all(isinstance(f, float) for f in factors):
        rows = jobs.rows
        if len({*factors}) > 1:
            rows = [rows[i if len(rows) > 1 else 0] for i in range(len(jobs))]
        pairs = zip(rows, factors, strict=False)
        return UniformJobs(jobs.columns, [with_factor(c, f) for c, f in pairs], jobs.formats)
    new = []
    for job, f in zip(jobs, factors, strict=True):
        if isinstance(f, float) and isinstance(job.coefficients.w1, float):
            new.append(job._replace(coefficients=with_factor(job.coefficients, f)))
        else:
            new.append(job._replace(g=multiplied(backend, job.g, f, job.formats.work)))
    return new


def multiplied(backend: Backend, g: Array, by: Scalar, work: DType) -> Array:
    """Return ``g * by``, formed in the dtype of the arithmetic."""

    def product(x: Array) -> Array:
        return x * (backend.cast(by, work) if hasattr(by, "dtype") else by)

    return backend.by_parts(g, work, product)


def by_value(adam: AdamConfig, backend: Backend, job: Job, most: Scalar) -> Job:
    """Return a job whose gradient has no element larger than ``most`` in size (CLIP.4)."""
    if job.formats.is_complex and adam.complex == "modulus":
        raise HyperparameterError(
            f"Clip(value=...) with a gradient of {job.g.dtype} and complex='modulus': parts that are clipped "
            "one by one turn its direction; clip by norm"
        )
    work = job.formats.work

    def clamped(x: Array) -> Array:
        xp = backend.namespace(x)
        limit = backend.cast(in_array(backend, most, x), work)
        return xp.maximum(-limit, -xp.maximum(-limit, -x))

    return job._replace(g=backend.by_parts(job.g, work, clamped))


def total_norm(adam: AdamConfig, tree: ParamTree, grads: Tree, present: Tree) -> Scalar:
    """Return the norm of all gradients that take part in a step: a float, or a 0-d array."""
    gs = tree.match(grads, "grads")
    parts = presence(adam, tree, gs, present)
    gs = [sums_of(tree.backend, g, p) if type(g) is Rows else g for g, p in zip(gs, tree.leaves, strict=True)]
    pairs = [
        (g, where_of(part)) for g, part in zip(gs, parts, strict=True) if g is not None and not part.absent
    ]
    if not pairs:
        return 0.0
    with tree.backend.scope():
        norms = tree.backend.norms([g for g, _ in pairs], [where for _, where in pairs])
        return together(tree.backend, norms, pairs[0][0])
