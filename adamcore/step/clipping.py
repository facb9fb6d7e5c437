"""Gradients clipped inside the step (CLIP.1 to CLIP.5).

To clip by a norm is to multiply by one factor for each array; to clip by value is to raise what is below a
number.  Both are coefficients of the step (``scale_g``, ``least_g``), so no pass over memory is added to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from adamcore.axes import check_number
from adamcore.clock import known
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
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

    @property
    def term(self) -> str:
        """The coefficient by which a step clips."""
        return "scale_g" if self.value is None else "least_g"

    def rows(
        self, backend: Backend, gs: Sequence[Array], rows: Sequence[Coefficients]
    ) -> Sequence[Coefficients] | None:
        """Return the coefficients of a step that clips; None if the host can't know them.

        Args:
            backend: that of the gradients.
            gs: the gradients, all of those that take part.
            rows: the coefficients of the step without clipping, one for each gradient or one for all.

        Raises:
            HyperparameterError: a number is out of its range.
        """
        check_clip(self, backend)
        if self.value is not None:
            most = known("Clip.value", self.value, backend)
            return None if most is None else [c._replace(least_g=-most) for c in rows]
        with backend.scope():
            factors = factors_of(backend, gs, [None] * len(gs), self)
        return scaled_rows(rows, factors) if all(isinstance(f, float) for f in factors) else None


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
            return by_value(adam, backend, jobs, clip.value)
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


def in_kind_of(backend: Backend, c: Coefficients, value: Scalar) -> Scalar:
    """Return a number as the other coefficients are: a float, or a 0-d array."""
    return value if isinstance(c.w1, float) else in_array(backend, value, c.w1)


def in_array(backend: Backend, value: Scalar, like: Array) -> Array:
    """Return a number or a 0-d array as a 0-d array in the dtype of coefficients."""
    dtype = backend.coefficient_dtype(like)
    if not (hasattr(value, "dtype") and backend.owns(value)):
        return backend.full(value, dtype, like)
    return backend.cast(value, dtype)


def multiplied_jobs(backend: Backend, jobs: Sequence[Job], factors: Sequence[Scalar]) -> Sequence[Job]:
    """Return jobs whose gradients are multiplied by these factors, as part of the step where that can be."""
    if isinstance(jobs, UniformJobs) and all(isinstance(f, float) for f in factors):
        return UniformJobs(jobs.columns, scaled_rows(jobs.rows, factors), jobs.formats)
    rows = [job.coefficients for job in jobs]
    arrays = {f: in_kind_of(backend, rows[0], f) for f in {f for f in factors if isinstance(f, float)}}
    factors = [arrays[f] if isinstance(f, float) else f for f in factors]
    return [
        job._replace(g=multiplied(backend, job.g, f, job.formats.work))
        if isinstance(c.w1, float) and not isinstance(f, float)
        else job._replace(coefficients=scaled)
        for job, c, scaled, f in zip(jobs, rows, scaled_rows(rows, factors), factors, strict=True)
    ]


def scaled_rows(rows: Sequence[Coefficients], factors: Sequence[Scalar]) -> list[Coefficients]:
    """Return coefficients with factors of the gradients; what is the same object before is so after.

    Args:
        rows: a row for each factor, or one row for all.
        factors: numbers, or 0-d arrays where the coefficients are.
    """
    one = len({f if isinstance(f, float) else id(f) for f in factors}) == 1
    if len(rows) == 1 and not one:
        rows = [*rows] * len(factors)
    made: dict[Any, Coefficients] = {}
    found = []
    for c, f in zip(rows, factors, strict=False):
        key = id(c), f if isinstance(f, float) else id(f)
        if key not in made:
            made[key] = c._replace(scale_g=f)
        found.append(made[key])
    return found


def clips_by_coefficients(jobs: Sequence[Job]) -> bool:
    """True if all clipping is done by coefficients, and the gradients of the jobs are the caller's own."""
    rows = jobs.rows if isinstance(jobs, UniformJobs) else [job.coefficients for job in jobs]
    return all(c.scale_g is not None or c.least_g is not None for c in rows)


def multiplied(backend: Backend, g: Array, by: Scalar, work: DType) -> Array:
    """Return ``g * by``, formed in the dtype of the arithmetic."""

    def product(x: Array) -> Array:
        return x * (backend.cast(by, work) if hasattr(by, "dtype") else by)

    return backend.by_parts(g, work, product)


def by_value(adam: AdamConfig, backend: Backend, jobs: Sequence[Job], most: Scalar) -> Sequence[Job]:
    """Return jobs whose gradients have no element larger than ``most`` in size (CLIP.4)."""
    largest = known("clip", most, backend)
    if largest is not None and isinstance(jobs, UniformJobs) and not jobs.formats.is_complex:
        rows = [c._replace(least_g=-largest) for c in jobs.rows]
        return UniformJobs(jobs.columns, rows, jobs.formats)
    made: dict[int, Coefficients] = {}
    new = []
    for job in jobs:
        check_parts_can_be_clipped(adam, job)
        c = job.coefficients
        if isinstance(c.w1, float) and largest is None:
            new.append(clamped_job(backend, job, most))
            continue
        if id(c) not in made:
            made[id(c)] = c._replace(least_g=-in_kind_of(backend, c, most if largest is None else largest))
        new.append(job._replace(coefficients=made[id(c)]))
    return new


def check_parts_can_be_clipped(adam: AdamConfig, job: Job) -> None:
    """Raise HyperparameterError for a gradient whose two parts can't be clipped one by one."""
    if job.formats.is_complex and adam.complex == "modulus":
        raise HyperparameterError(
            f"Clip(value=...) with a gradient of {job.g.dtype} and complex='modulus': parts that are clipped "
            "one by one turn its direction; clip by norm"
        )


def clamped_job(backend: Backend, job: Job, most: Scalar) -> Job:
    """Return a job with a clipped gradient, where the host knows its coefficients but not ``most``."""
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
