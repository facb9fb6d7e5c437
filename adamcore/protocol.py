"""What the core asks of an array library, and a backend answers.

The core imports no framework.  :mod:`adamcore.step` checks a step and lays it out as a list of
:class:`adamcore.jobs.Job`; the backend of the caller's arrays carries them out.  ``adamcore.backends`` has
one for NumPy, PyTorch, JAX and any other array-API namespace.  Another package announces its own with an
entry point (docs/embedding.md), and derives it from :class:`adamcore.backends.base.BaseBackend`, which has a
generic form of every method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol

from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, Numbers
from adamcore.jobs import Columns, Job, Result
from adamcore.state import AdamState
from adamcore.storage.bits import TableWords
from adamcore.types import Array, Clock, Device, DType, Scalar, Tree

Kind = Literal["real", "complex", "other"]  #: of a dtype: what can be optimized is real or complex


# Cached steps ----------------------------------------------------------------------------------------


class StepRecord(NamedTuple):
    """A step that has just been made: what :meth:`Backend.cached_step` gets."""

    backend: Backend
    jobs: Sequence[Job]  #: as :meth:`Backend.apply` got them
    results: Sequence[Result]  #: what it returned for them
    params: Tree  #: the new parameters
    grads: Tree  #: a tree like params; None where the gradient was absent
    state: AdamState  #: the new state


class Clipping(Protocol):
    """How the gradients of a step are clipped: what :class:`adamcore.Clip` is to a cached step."""

    @property
    def term(self) -> str:
        """The coefficient by which a step clips."""

    def rows(
        self, backend: Backend, gs: Sequence[Array], rows: Sequence[Coefficients]
    ) -> Sequence[Coefficients] | None:
        """Return the coefficients of a step that clips; None if the host can't know them."""


class CachedStep(Protocol):
    """One Adam on one set of arrays whose checks were done once."""

    @property
    def dead(self) -> bool:
        """True if no step can come any more, since an array of the set is gone."""

    def bind(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any, clip: Clipping | None = None
    ) -> Callable[[], tuple[Tree, AdamState] | None] | None:
        """Return a function that makes the step; None if the arguments are not what was checked.

        Nothing is changed until the function is called, and it is called before the next ``bind``
        or never.  It returns None, with nothing changed, where the attempt alone can show that the
        step is another one.  Whoever gets None makes the step with all checks.

        Args:
            params, grads, state: as given to :meth:`adamcore.Adam.step`.
            lr: this step's learning rate; None for that of the Adam.
            clip: how the gradients are clipped; None if they are not.
        """


class ColumnStep(Protocol):
    """One Adam on one list of jobs whose checks were done once: the part of a cached step that computes."""

    def bind(
        self, columns: Columns, coefficients: Sequence[Coefficients], clocks: Sequence[int] = ()
    ) -> Callable[[], None] | None:
        """Return a function that steps the arrays in place; None if they are not what was checked.

        As with :meth:`CachedStep.bind`, nothing is changed until the function is called.

        Args:
            columns: the arrays of the jobs; only the gradients may be others than before.
            coefficients: a row for each job, or one row for all; the function reads the list when it is
                called, so that rows which depend on the gradients can be put in after ``bind``.
            clocks: after their tick, as many as there are rows; where p is rounded at random.
        """


class DeviceClockColumnStep(ColumnStep, Protocol):
    """A column step that can tick clocks on their device, where the host does not see them."""

    def bind_clocks(
        self,
        columns: Columns,
        clocks: Sequence[Clock],
        products: Sequence[Array],
        lr: Any,
        skip: Array | None = None,
    ) -> Callable[[], None] | None:
        """Return a function that ticks the clocks in place and steps the arrays; None as :meth:`bind`.

        Args:
            columns: as in :meth:`bind`.
            clocks: int32 0-d arrays, one for each job or one for all.
            products: the momentum products that go with the clocks; empty without Dozat's schedule.
            lr: a number >= 0, or an array of one element.
            skip: an array of one element on the device; unless it is 0, nothing changes, clocks either.
        """


# Rows -------------------------------------------------------------------------------------------------


class RowFunctions(Protocol):
    """What a library does with some rows of an array: what stands under single indices of its first axis."""

    def reach(self, indices: Array) -> tuple[int, int] | None:
        """Return the smallest and the largest index; None if there is none, or the host knows none."""

    def sums(self, indices: Array, values: Array, count: int, dtype: DType) -> tuple[Array, Array]:
        """Return each index once, in ascending order, and the sums of its values in this dtype.

        A library whose shapes are known before values returns as many as were given; those that are over, and
        indices outside of 0 to ``count - 1``, become ``count`` with a sum of 0.
        """

    def take(self, x: Array, rows: Array) -> Array:
        """Return a copy of these rows, of what :meth:`sums` returned."""

    def put(self, x: Array, rows: Array, new: Array, donate: bool) -> Array:
        """Return ``x`` with new rows, rounded to its dtype: ``x`` itself, if it may be written to."""

    def listed(self, rows: Array, like: Array) -> Array:
        """Return True for these rows and False for others, to be broadcast to the shape of ``like``."""


# A library --------------------------------------------------------------------------------------------


class Backend(Protocol):
    """One array library."""

    name: str  #: as the user calls it: "torch"
    sorts_keys: (
        bool | None
    )  #: `flatten` lists a dictionary by its sorted keys, or in its own order; None: unknown
    flushes: bool  #: subnormal numbers become 0 in its arithmetic

    # arrays

    def owns(self, leaf: object) -> bool:
        """True if it is an array of this library."""

    def refuse(self, leaf: Array) -> str | None:
        """Return why this array can't be optimized, or None."""

    def namespace(self, like: Array) -> Any:
        """Return the array-API functions for such an array."""

    def identity(self, leaf: object) -> int | None:
        """Return what tells a leaf from every other; None if nothing does, as while a program is traced."""

    def identities(self, leaves: Sequence[object]) -> set[int | None]:
        """Return what :meth:`identity` returns for the leaves, each once."""

    def overlap(self, columns: Columns) -> tuple[int, int] | None:
        """Return two jobs of which one writes to memory of the other; None if there are none."""

    def uniform(self, columns: Columns) -> bool:
        """True if these can surely be optimized and are alike; False where it takes long to find out.

        They are alike if all have one dtype and one device, those of a job have one shape, and each lies in
        memory as a vector.
        """

    def device(self, leaf: Array) -> Device:
        """Return what the arrays of a leaf must share; None where the library does not ask for it."""

    def host(self, x: Array) -> Any:
        """Return a 0-d array as a Python number; None if only the program knows its value."""

    def integers(self, xs: Sequence[Array]) -> list[int] | None:
        """Return the values of 0-d arrays of one dtype of integers; None if they are none, or not known."""

    def full(self, value: float, dtype: DType, like: Array) -> Array:
        """Return a 0-d array on the device of ``like``."""

    def full_each(self, values: Sequence[float], dtype: DType, like: Array) -> list[Array]:
        """Return a 0-d array for each value, on the device of ``like``; each may be written to on its own."""

    def zeros(self, like: Array, dtype: DType) -> Array:
        """Return zeros of the shape of ``like``."""

    def cast(self, x: Array, dtype: DType) -> Array:
        """Return ``x`` in that dtype: itself, if it is of that dtype already."""

    def by_parts(self, g: Array, work: DType, function: Callable[[Array], Array]) -> Array:
        """Return what a function makes of ``g`` in the real dtype ``work``, or of both parts of ``g``."""

    def divided(self, g: Array, scale: Scalar, work: DType) -> Array:
        """Return ``g / scale`` in the real dtype ``work``, or in the complex one with such parts."""

    def norms(self, gs: Sequence[Array], wheres: Sequence[Array | None]) -> Sequence[Scalar]:
        """Return the Euclidean norm of each array, in a dtype in which neither it nor its squares overflow.

        Args:
            gs: at least one array; one that is sharded counts as a whole.
            wheres: boolean arrays; elements under False do not count.  None is all True.  NaN and
                infinities never count.

        Returns:
            A float for each, or where the host does not know it a 0-d array in the dtype of coefficients.
        """

    def where(self, condition: Array, new: Array, old: Array) -> Array:
        """Return ``new`` where the condition is True, else ``old``."""

    # dtypes

    def kind(self, dtype: DType) -> Kind:
        """Return "real" or "complex" for a dtype that can be optimized, else "other"."""

    def bits(self, dtype: DType) -> int:
        """Return the number of bits of a real floating dtype."""

    def least(self, dtype: DType) -> float:
        """Return the smallest positive number that the arithmetic of a real dtype holds."""

    def dtype_named(self, name: str, like: Array) -> DType:
        """Return the dtype of that name; raise LookupError if there is none."""

    def coefficient_dtype(self, like: Array) -> DType:
        """Return the dtype of coefficients: float64 where the library has it."""

    def part_of(self, dtype: DType, like: Array) -> DType:
        """Return the real dtype of a complex dtype's parts."""

    def complex_of(self, dtype: DType, like: Array) -> DType:
        """Return the complex dtype with parts of a real dtype; raise LookupError if there is none."""

    def boolean(self, dtype: DType) -> bool:
        """True if it is the dtype of booleans."""

    def integer(self, dtype: DType) -> bool:
        """True if it is a dtype of integers."""

    # bits

    def bits_of_floats(self) -> TableWords | None:
        """Return the operations on the bits of float32 arrays; None where the library has none."""

    # rows

    def rows(self) -> RowFunctions | None:
        """Return what can be done with some rows of an array; None where the library has no way to."""

    # trees

    def flatten(self, tree: Tree) -> tuple[list[Any], Any]:
        """Return the leaves of a tree, of which None is one, and its structure."""

    def unflatten(self, structure: Any, leaves: Sequence[Any]) -> Tree:
        """Return a tree of that structure."""

    def paths(self, tree: Tree) -> list[str]:
        """Return the path of each leaf, such as "['layer']['w']"; "" for a bare array."""

    # the step

    def numbers(self, like: Array) -> Numbers:
        """Return the arithmetic of coefficients that only the program knows."""

    def tick_each(
        self,
        ts: Sequence[Clock],
        successor: Callable[[Array], Array],
        coefficients: Callable[[Array], Coefficients],
    ) -> list[tuple[Clock, Coefficients]] | None:
        """Tick many clocks that only the program knows; None where each is to tick by itself.

        Args:
            ts: 0-d arrays.
            successor: returns a clock after its tick.
            coefficients: returns those of a clock after its tick; of a vector of clocks, vectors.

        Returns:
            For each clock what it is after its tick, and the coefficients.
        """

    def tick_on_device(
        self, adam: AdamConfig, t: Clock, mu_product: Any, lr: Any, like: Array
    ) -> tuple[Clock, Any, Coefficients] | None:
        """Tick a clock that the host can't know in one kernel; None where :meth:`numbers` is to do it.

        Returns:
            The new clock, the new momentum product, and the coefficients of the update as 0-d arrays.
        """

    def tick_each_on_device(
        self, adam: AdamConfig, ts: Sequence[Clock], mu_products: Sequence[Any], lr: Any, like: Array
    ) -> list[tuple[Clock, Any, Coefficients]] | None:
        """Tick many clocks as :meth:`tick_on_device` ticks one; None where each is to tick by itself."""

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context that is entered around arithmetic with the caller's arrays."""

    def apply(self, adam: AdamConfig, jobs: Sequence[Job], donate: bool) -> Sequence[Result]:
        """Carry out one step's jobs; nothing is modified unless ``donate``."""

    def cached_step(self, adam: AdamConfig, record: StepRecord) -> tuple[CachedStep, AdamState] | None:
        """Return a cached step for the step after ``record``, and the state to hand out; or None."""
