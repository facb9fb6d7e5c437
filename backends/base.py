"""What all backends share: :class:`BaseBackend` runs the definition on one leaf after the other.

It needs the array API alone.  A backend that can do better has a :class:`FastPath`, most often the module
``fast.py`` beside it.  docs/embedding.md explains both with an example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import optree

from adamcore.backends.arrays import ArrayOperations
from adamcore.coefficients import Traced
from adamcore.definition import Coefficients, Numbers, update
from adamcore.jobs import Job, Result
from adamcore.protocol import CachedStep, StepRecord
from adamcore.state import AdamState
from adamcore.storage.bits import to_odd
from adamcore.storage.moments import decode, updated
from adamcore.storage.policies import load, store
from adamcore.storage.random_bits import at_random
from adamcore.types import Array, Clock

if TYPE_CHECKING:
    from adamcore.config import AdamConfig

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


class BaseBackend(ArrayOperations):
    """A backend for any array library with an array-API namespace; trees by optree."""

    sorts_keys: bool | None = None
    fast: FastPath | None = None  #: None: the definition runs on one leaf after the other

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
        self,
        ts: Sequence[Clock],
        successor: Callable[[Array], Array],
        coefficients: Callable[[Array], Coefficients],
    ) -> list[tuple[Clock, Coefficients]] | None:
        """Tick many clocks that only the program knows; None: each ticks by itself."""
        return None

    def tick_on_device(
        self, adam: AdamConfig, t: Clock, mu_product: Any, lr: Any, like: Array
    ) -> tuple[Clock, Any, Coefficients] | None:
        """Tick a clock that is on a device, in one kernel; return None to have :meth:`numbers` used instead.

        Returns:
            The new clock, the new momentum product, and the coefficients of the update as 0-d arrays.
        """
        return None

    def tick_each_on_device(
        self, adam: AdamConfig, ts: Sequence[Clock], mu_products: Sequence[Any], lr: Any, like: Array
    ) -> list[tuple[Clock, Any, Coefficients]] | None:
        """Tick many clocks as :meth:`tick_on_device` ticks one; return None to have each tick by itself."""
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
        """Return the new values as they are kept: p and its rest, moments rounded at random or as codes."""
        formats, n = job.formats, self.bits_of_floats()
        if formats.plain:
            return new
        assert n is not None  # as adamcore.dtypes has found
        single = self.dtype_named("float32", job.p)
        if formats.storage is not None:
            p, rest = store(n, formats.storage, self.cast(new.p, single), job.key)
            new = new._replace(p=p, p_rest=rest)
        for name in ("m", "v", "v_max"):
            coding, random, x = formats.coding(name), formats.random(name), getattr(new, name)
            if random is not None and x is not None:
                assert job.key is not None  # as the plan of the step has made it
                new = new._replace(**{name: at_random(n, name, self.cast(x, single), random, job.key)})
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


backend = BaseBackend()  #: for array libraries that have no backend of their own
