"""What all backends share: :class:`BaseBackend` runs the definition on one leaf after the other.

It needs the array API alone.  A backend that can do better has a :class:`FastPath`, most often the module
``fast.py`` beside it.  docs/embedding.md explains both with an example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import array_api_compat
import optree

from adamcore.coefficients import Traced
from adamcore.definition import Coefficients, Numbers, update
from adamcore.jobs import Columns, Job, Result
from adamcore.protocol import CachedStep, Kind, RowFunctions, StepRecord
from adamcore.state import AdamState
from adamcore.storage.bits import TableWords, to_odd
from adamcore.storage.moments import decode, updated
from adamcore.storage.policies import load, store
from adamcore.types import Array, Clock, Scalar

if TYPE_CHECKING:
    from adamcore.config import AdamConfig

PARTS = {"complex64": "float32", "complex128": "float64"}


class Float(NamedTuple):
    """The facts on a floating dtype that :meth:`BaseBackend.finfo` returns."""

    bits: int
    smallest_normal: float
    eps: float


FLOATS = {
    "bfloat16": Float(16, 2.0**-126, 2.0**-7),
    "float16": Float(16, 2.0**-14, 2.0**-10),
    "float32": Float(32, 2.0**-126, 2.0**-23),
    "float64": Float(64, 2.0**-1022, 2.0**-52),
}


Fallback = Callable[..., Result]  #: (adam, job, donate, update): :meth:`BaseBackend.apply_one`


class FastPath(Protocol):
    """A way to carry out a step that is faster than to run the definition operation by operation."""

    def unsupported(self, job: Job) -> str | None:
        """Return why this path cannot run the job, or None."""

    def apply(
        self, adam: AdamConfig, jobs: Sequence[Job], donate: bool, fallback: Fallback
    ) -> Sequence[Result]:
        """Carry out the jobs of one step; use ``fallback`` for a job that this path cannot run.

        Args:
            adam: the Adam that steps.
            jobs: a job for each leaf that takes part in the step.
            donate: True if results may be written into the memory of p, m, v, v_max and p_rest.  A gradient
                is never written to.
            fallback: runs the definition on one job.

        Returns:
            The result of each job, in the order of the jobs.
        """

    def cached_step(
        self, adam: AdamConfig, record: StepRecord, fallback: Fallback
    ) -> tuple[CachedStep, AdamState] | None:
        """Return a cached step for the step after ``record``, and the state that the caller gets; or None.

        The state is that of the record.  Only its clocks may be other arrays, which the cached step keeps.
        """


class BaseBackend:
    """A backend for any array library with an array-API namespace; trees by optree."""

    name = "array"
    flushes = False
    sorts_keys: bool | None = None
    fast: FastPath | None = None  #: None: the definition runs on one leaf after the other

    # ------------------------------------------------------------------------------- arrays

    def owns(self, leaf: object) -> bool:
        return array_api_compat.is_array_api_obj(leaf)

    def refuse(self, leaf: Array) -> str | None:
        return None

    def namespace(self, like: Array) -> Any:
        return array_api_compat.array_namespace(like)

    def identity(self, leaf: Array) -> int | None:
        return id(leaf)

    def identities(self, leaves: Sequence[Array]) -> set[int | None]:
        return {*map(self.identity, leaves)}

    def overlap(self, columns: Columns) -> tuple[int, int] | None:
        """Return two jobs of which one writes to the other's memory; None if this library writes to none."""
        return None

    def uniform(self, columns: Columns) -> bool:
        """True if arrays are alike; never, where to find out takes as long as to look at each."""
        return False

    def device(self, leaf: Array) -> Any:
        return array_api_compat.device(leaf)

    def host(self, x: Array) -> Any:
        """Return the value of a 0-d array (a lazy library such as Dask computes it); None if it is traced."""
        try:
            return x.item() if hasattr(x, "item") else x.__index__() if self.integer(x.dtype) else float(x)
        except (TypeError, ValueError, AttributeError, NotImplementedError):
            return None

    def integers(self, xs: Sequence[Array]) -> list[int] | None:
        if not all(self.owns(x) and x.shape == () for x in xs) or not self.integer(xs[0].dtype):
            return None
        if any(x.dtype != xs[0].dtype for x in xs):
            return None
        values = list(map(self.host, xs))
        return None if None in values else values

    def full(self, value: float, dtype: Any, like: Array) -> Array:
        return self.namespace(like).asarray(value, dtype=dtype, device=self.device(like))

    def full_each(self, values: Sequence[float], dtype: Any, like: Array) -> list[Array]:
        """Return a 0-d array for each value; a library that has them at once from a vector overrides it."""
        return [self.full(value, dtype, like) for value in values]

    def zeros(self, like: Array, dtype: Any) -> Array:
        return self.namespace(like).zeros_like(like, dtype=dtype)

    def where(self, condition: Array, new: Array, old: Array) -> Array:
        return self.namespace(new).where(condition, new, old)

    def cast(self, x: Array, dtype: Any) -> Array:
        """Return ``x`` in ``dtype``: itself, if it is of that dtype already."""
        return x if x.dtype == dtype else self.namespace(x).astype(x, dtype)

    def divided(self, g: Array, scale: Any, work: Any) -> Array:
        """Return ``g / scale`` in the dtype ``work``; both parts of a complex ``g`` are divided."""
        by = self.cast(scale, work) if hasattr(scale, "dtype") and self.owns(scale) else scale
        return self.by_parts(g, work, lambda x: x / by)

    def by_parts(self, g: Array, work: Any, function: Callable[[Array], Array]) -> Array:
        """Return what a function makes of ``g`` in the dtype ``work``, or of both its parts."""
        if self.kind(g.dtype) != "complex":
            return function(self.cast(g, work))
        re, im = (function(self.cast(x, work)) for x in self.split(g))
        return self.join(re, im, self.complex_of(work, g))

    def norms(self, gs: Sequence[Array], wheres: Sequence[Array | None]) -> Sequence[Scalar]:
        """Return the norm of each gradient."""
        found = [self.norm(g, where) for g, where in zip(gs, wheres, strict=True)]
        values = [self.host(x) for x in found]
        return found if None in values else list(map(float, values))

    def norm(self, g: Array, where: Array | None) -> Array:
        """Return the norm of one gradient as a 0-d array; the largest element is divided out first."""
        xp, wide = self.namespace(g), self.coefficient_dtype(g)
        parts = self.split(g) if self.kind(g.dtype) == "complex" else (g,)
        largest = self.full(0.0, wide, g)
        sizes = []
        for part in parts:
            size = xp.abs(self.cast(part, wide))
            counts = xp.isfinite(size) if where is None else xp.isfinite(size) & where
            sizes.append(xp.where(counts, size, xp.zeros_like(size)))
            if 0 not in size.shape:
                largest = xp.maximum(largest, xp.max(sizes[-1]))
        divisor = xp.where(largest > 0, largest, xp.ones_like(largest))
        squares = [xp.sum((size / divisor) * (size / divisor)) for size in sizes]
        return divisor * xp.sqrt(sum(squares[1:], squares[0]))

    def overwrite(self, old: Array, new: Array) -> Array:
        """Return ``new``, in the storage of ``old`` if this library can write there (``donate=True``)."""
        return new

    # ------------------------------------------------------------------------------- dtypes

    def kind(self, dtype: Any) -> Kind:
        name = dtype_name(dtype)
        return "real" if "float" in name else "complex" if "complex" in name else "other"

    def boolean(self, dtype: Any) -> bool:
        return dtype_name(dtype) in ("bool", "bool_")

    def integer(self, dtype: Any) -> bool:
        return "int" in dtype_name(dtype)

    def finfo(self, dtype: Any) -> Any:
        """Return an object with ``bits``, ``smallest_normal`` and ``eps``."""
        return FLOATS[dtype_name(dtype)]

    def bits(self, dtype: Any) -> int:
        return int(self.finfo(dtype).bits)

    def least(self, dtype: Any) -> float:
        info = self.finfo(dtype)
        return float(info.smallest_normal) * (1.0 if self.flushes else float(info.eps))

    def dtype_named(self, name: str, like: Array) -> Any:
        dtype = getattr(self.namespace(like), name, None)
        if dtype is None:
            raise LookupError(f"{self.name} has no dtype {name!r}")
        return dtype

    def coefficient_dtype(self, like: Array) -> Any:
        xp = self.namespace(like)
        return getattr(xp, "float64", xp.float32)

    def part_of(self, dtype: Any, like: Array) -> Any:
        return self.dtype_named(PARTS[dtype_name(dtype)], like)

    def complex_of(self, dtype: Any, like: Array) -> Any:
        name = dtype_name(dtype)
        for whole, part in PARTS.items():
            if part == name:
                return self.dtype_named(whole, like)
        raise LookupError(f"{self.name} has no complex dtype of {name} parts")

    def bits_of_floats(self) -> TableWords | None:
        """Return the operations on the bits of float32 arrays; the array API has none."""
        return None

    def rows(self) -> RowFunctions | None:
        """Return what can be done with some rows of an array; the array API can put none back."""
        return None

    # ---------------------------------------------------------------------- complex numbers

    def split(self, x: Array) -> tuple[Array, Array]:
        """Return the real and the imaginary part."""
        xp = self.namespace(x)
        return xp.real(x), xp.imag(x)

    def join(self, re: Array, im: Array, dtype: Any) -> Array:
        """Return a complex array of two parts; NaN or infinity in one part does not change the other.

        ``re + 1j*im`` does not do that: the product multiplies an infinite ``im`` by the 0 in ``1j``, which
        makes the real part NaN.  A *sum* keeps the parts separate, so values that are not finite are added as
        constants.
        """
        xp = self.namespace(re)
        re, im = (self.cast(x, self.part_of(dtype, re)) for x in (re, im))

        def constant(value: complex) -> Array:
            return xp.asarray(value, dtype=dtype, device=self.device(re))

        finite = xp.isfinite(im)
        i_im = xp.astype(xp.where(finite, im, xp.zeros_like(im)), dtype) * constant(1j)
        special = xp.where(
            xp.isnan(im), constant(complex(0, float("nan"))), constant(complex(0, float("inf")))
        )
        special = xp.where(im < 0, constant(complex(0, -float("inf"))), special)
        return xp.astype(re, dtype) + xp.where(finite, i_im, special)

    # -------------------------------------------------------------------------------- trees

    def flatten(self, tree: Any) -> tuple[list[Any], Any]:
        leaves, structure = optree.tree_flatten(tree, none_is_leaf=True)
        return leaves, structure

    def unflatten(self, structure: Any, leaves: Sequence[Any]) -> Any:
        return optree.tree_unflatten(structure, leaves)

    def paths(self, tree: Any) -> list[str]:
        return [a.codify("") for a in optree.tree_flatten_with_accessor(tree, none_is_leaf=True)[0]]

    # ----------------------------------------------------------------------------- the step

    def numbers(self, like: Array) -> Numbers:
        """Return the arithmetic that forms coefficients as 0-d arrays, for a clock or lr that is traced."""
        return Traced(self.namespace(like), self.coefficient_dtype(like), self.device(like))

    def tick_each(
        self, ts: Sequence[Clock], tick: Callable[[Array], tuple[Array, Coefficients]]
    ) -> list[tuple[Clock, Coefficients]] | None:
        """Tick many clocks that only the program knows as one vector; None: each ticks by itself."""
        return None

    def tick_on_device(
        self, adam: AdamConfig, t: Clock, mu_product: Any, lr: Any, like: Array
    ) -> tuple[Clock, Any, Coefficients] | None:
        """Tick a clock that is on a device, in one kernel; return None to have :meth:`numbers` used instead.

        Returns:
            The new clock, the new momentum product, and the coefficients of the update as 0-d arrays.
        """
        return None

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context that is entered around the arithmetic of a step."""
        return nullcontext()

    def apply(self, adam: AdamConfig, jobs: Sequence[Job], donate: bool) -> Sequence[Result]:
        """Carry out the jobs of one step; modify no array unless ``donate``."""
        with self.scope():
            if self.fast is None:
                return [self.apply_one(adam, job, donate) for job in jobs]
            return self.fast.apply(adam, jobs, donate, self.apply_one)

    def cached_step(self, adam: AdamConfig, record: StepRecord) -> tuple[CachedStep, AdamState] | None:
        """Return a cached step for the step after ``record``, and the state that the caller gets; or None."""
        return None if self.fast is None else self.fast.cached_step(adam, record, self.apply_one)

    def apply_one(
        self, adam: AdamConfig, job: Job, donate: bool, update: Callable[..., Any] = update
    ) -> Result:
        """Run the definition on one leaf: widen, update, round once; masked elements keep their values.

        Args:
            adam: the Adam that steps.
            job: the leaf.
            donate: True if its arrays may be written to.
            update: what makes the step of real numbers, with the bits of :func:`adamcore.definition.update`.
        """
        work, c = job.formats.work, job.coefficients
        if hasattr(c.w1, "dtype"):
            c = self.round_coefficients(c, work)
        if job.formats.is_complex:
            new = self.complex_update(adam, job, c)
        else:
            g, m, v = self.cast(job.g, work), self.moment(job, "m"), self.moment(job, "v")
            p = self.cast(job.p if job.formats.storage is None else self.load(job), work)
            v_max = None if job.v_max is None else self.moment(job, "v_max")
            [(p, m)], v, v_max = update(self.namespace(p), adam, c, [(p, g, m)], v, v_max)
            new = Result(p, m, v, v_max)
        return self.store(job, new, donate)

    def complex_update(self, adam: AdamConfig, job: Job, c: Coefficients) -> Result:
        """Return the new values of a complex leaf (CPX.1, CPX.2)."""
        work = job.formats.work

        def parts(x: Array) -> tuple[Array, Array]:
            re, im = self.split(x)
            return self.cast(re, work), self.cast(im, work)

        p, g, m = parts(job.p), parts(job.g), parts(job.m)
        xp = self.namespace(p[0])
        if adam.complex == "modulus":
            v, v_max = self.cast(job.v, work), None if job.v_max is None else self.cast(job.v_max, work)
            new, v, v_max = update(xp, adam, c, list(zip(p, g, m, strict=True)), v, v_max)
        else:
            vs = parts(job.v)
            maxima = (None, None) if job.v_max is None else parts(job.v_max)
            re, im = (update(xp, adam, c, [(p[i], g[i], m[i])], vs[i], maxima[i]) for i in (0, 1))
            new = [re[0][0], im[0][0]]
            v = self.join(re[1], im[1], job.v.dtype)
            v_max = None if job.v_max is None else self.join(re[2], im[2], job.v_max.dtype)
        (p_re, m_re), (p_im, m_im) = new
        return Result(self.join(p_re, p_im, job.p.dtype), self.join(m_re, m_im, job.m.dtype), v, v_max)

    def round_coefficients(self, c: Coefficients, work: Any) -> Coefficients:
        """Round coefficients that are 0-d arrays, once, to the dtype of the arithmetic."""
        return Coefficients(*(x if x is None else self.cast(x, work) for x in c))

    def load(self, job: Job) -> Array:
        """Return the float32 value of a parameter that is not kept plainly (STORE.1)."""
        storage, n = job.formats.storage, self.bits_of_floats()
        assert storage is not None
        assert n is not None  # as adamcore.dtypes has found
        single = self.dtype_named("float32", job.p)
        rest = job.p_rest
        if rest is not None and storage.policy == "kahan":
            rest = self.cast(rest, single)
        return load(n, storage, self.cast(job.p, single), rest)

    def moment(self, job: Job, name: str) -> Array:
        """Return "m", "v" or "v_max" in the dtype of the arithmetic."""
        x, coding = getattr(job, name), job.formats.coding(name)
        if coding is not None:
            n = self.bits_of_floats()
            assert n is not None  # as adamcore.dtypes has found
            x = decode(n, coding, x, getattr(job, f"{name}_scale"))
        return self.cast(x, job.formats.work)

    def parts(self, job: Job, new: Result) -> Result:
        """Return the new values as they are kept: the parameter and its rest, codes and scales of moments."""
        formats, n = job.formats, self.bits_of_floats()
        if formats.plain:
            return new
        assert n is not None  # as adamcore.dtypes has found
        single = self.dtype_named("float32", job.p)
        if formats.storage is not None:
            p, rest = store(n, formats.storage, self.cast(new.p, single), job.key)
            new = new._replace(p=p, p_rest=rest)
        for name in ("m", "v", "v_max"):
            coding, x = formats.coding(name), getattr(new, name)
            if coding is not None and x is not None:
                old = getattr(job, name), getattr(job, f"{name}_scale")
                codes, scales = updated(n, coding, self.cast(x, single), job.where, *old)
                new = new._replace(**{name: codes, f"{name}_scale": scales})
        return new

    def rounded(self, x: Array, dtype: Any) -> Array:
        """Return ``x`` in ``dtype``, rounded once (NUM.1); libraries round float64 to 16 bits twice."""
        n = self.bits_of_floats()
        if n is None or self.kind(dtype) != "real" or not self.bits(dtype) < 32 < self.bits(x.dtype):
            return self.cast(x, dtype)
        w = n.words(self.cast(x, self.dtype_named("float32", x)))
        near = self.cast(n.floats(w), x.dtype)
        return self.cast(n.floats(to_odd(n, w, near > x, near < x)), dtype)

    def store(self, job: Job, new: Result, donate: bool) -> Result:
        """Return the new values in the dtypes of the old ones; with ``donate``, in their memory."""
        stored: list[Any] = []
        new = self.parts(job, new)
        for name, x in zip(Result._fields, new, strict=True):
            old = getattr(job, name)
            if old is None:
                stored.append(None)
                continue
            x = self.rounded(x, old.dtype)
            if job.where is not None and not job.formats.in_blocks(name):
                x = self.where(job.where, x, old)  # F3: what is frozen stays bit for bit
            stored.append(self.overwrite(old, x) if donate else x)
        return Result(*stored)


def dtype_name(dtype: Any) -> str:
    """Return the name of a dtype of any library, such as ``"float32"``.

    >>> import numpy as np
    >>> dtype_name(np.dtype("float32")), dtype_name(np.float32)
    ('float32', 'float32')
    """
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return str(name).rsplit(".", 1)[-1]


backend = BaseBackend()  #: for array libraries that have no backend of their own
