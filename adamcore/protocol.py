"""What the core asks of an array library, and a backend answers.

The core imports no framework.  :mod:`adamcore.step` checks a step and lays it out as a list of
:class:`Job`; the backend of the caller's arrays carries them out.  ``adamcore.backends`` has one for
NumPy, PyTorch, JAX and any other array-API namespace.  Another package announces its own with an entry
point (docs/embedding.md), and derives it from :class:`adamcore.backends.base.BaseBackend`, which has a
generic form of every method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, Numbers
from adamcore.state import AdamState
from adamcore.types import Array, Clock, Device, DType, Scalar, Tree

Kind = Literal["real", "complex", "other"]  #: of a dtype: what can be optimized is real or complex


class LeafDtypes(NamedTuple):
    """The dtypes that go with one dtype of parameters."""

    work: DType  #: the real dtype of the arithmetic: the widest of float32, the parameter's, m's (NUM.1)
    m: DType  #: of the first moment
    v: DType  #: of v and v_max: m's, or the real one of its parts where ``complex="modulus"``
    is_complex: bool


class Job(NamedTuple):
    """One leaf of one step: what :meth:`Backend.apply` gets."""

    p: Array
    g: Array
    m: Array
    v: Array
    v_max: Array | None
    coefficients: Coefficients  #: Python floats, or 0-d arrays of a floating dtype
    where: Array | None  #: boolean, broadcastable to p: False keeps the old value (F3); None is all True
    formats: LeafDtypes


class Result(NamedTuple):
    """What :meth:`Backend.apply` returns for one job, in the dtypes of the job's own arrays."""

    p: Array
    m: Array
    v: Array
    v_max: Array | None


class Columns(NamedTuple):
    """The arrays of a list of jobs by what they are: ``p[i]`` is the parameter of job i."""

    p: Sequence[Array]
    g: Sequence[Array]
    m: Sequence[Array]
    v: Sequence[Array]
    v_max: Sequence[Array] = ()  #: empty without AMSGrad


class StepRecord(NamedTuple):
    """A step that has just been made: what :meth:`Backend.cached_step` gets."""

    backend: Backend
    jobs: Sequence[Job]  #: as :meth:`Backend.apply` got them
    results: Sequence[Result]  #: what it returned for them
    params: Tree  #: the new parameters
    grads: Tree  #: a tree like params; None where the gradient was absent
    state: AdamState  #: the new state


class CachedStep(Protocol):
    """One Adam on one set of arrays whose checks were done once."""

    @property
    def dead(self) -> bool:
        """True if no step can come any more, since an array of the set is gone."""

    def bind(
        self, params: Tree, grads: Tree, state: AdamState, lr: Any
    ) -> Callable[[], tuple[Tree, AdamState] | None] | None:
        """Return a function that makes the step; None if the arguments are not what was checked.

        Nothing is changed until the function is called, and it is called before the next ``bind``
        or never.  It returns None, with nothing changed, where the attempt alone can show that the
        step is another one.  Whoever gets None makes the step with all checks.

        Args:
            params, grads, state: as given to :meth:`adamcore.Adam.step`.
            lr: this step's learning rate; None for that of the Adam.
        """


class ColumnStep(Protocol):
    """One Adam on one list of jobs whose checks were done once: the part of a cached step that computes."""

    def bind(self, columns: Columns, coefficients: Sequence[Coefficients]) -> Callable[[], None] | None:
        """Return a function that steps the arrays in place; None if they are not what was checked.

        As with :meth:`CachedStep.bind`, nothing is changed until the function is called.

        Args:
            columns: the arrays of the jobs; only the gradients may be others than before.
            coefficients: a row for each job, or one row for all.
        """


class DeviceClockColumnStep(ColumnStep, Protocol):
    """A column step that can tick clocks on their device, where the host does not see them."""

    def bind_clocks(
        self, columns: Columns, clocks: Sequence[Clock], products: Sequence[Array], lr: Any
    ) -> Callable[[], None] | None:
        """Return a function that ticks the clocks in place and steps the arrays; None as :meth:`bind`.

        Args:
            columns: as in :meth:`bind`.
            clocks: int32 0-d arrays, one for each job or one for all.
            products: the momentum products that go with the clocks; empty without Dozat's schedule.
            lr: a number >= 0, or an array of one element.
        """


class Backend(Protocol):
    """One array library."""

    name: str  #: as the user calls it: "torch"
    flushes: bool  #: subnormal numbers become 0 in its arithmetic

    # arrays
    def owns(self, leaf: object) -> bool: ...  # is it an array of this library?
    def refuse(self, leaf: Array) -> str | None: ...  # why this array can't be optimized
    def namespace(self, like: Array) -> Any: ...  # its array-API functions
    def identity(self, leaf: Array) -> int | None: ...  # what tells two arrays apart; None if unknown
    def overlap(self, columns: Columns) -> tuple[int, int] | None: ...  # two jobs that share memory, if any
    def device(self, leaf: Array) -> Device: ...  # what two arrays must share, or None
    def host(self, x: Array) -> Any: ...  # a 0-d array as a Python number; None if only the program knows
    def full(self, value: float, dtype: DType, like: Array) -> Array: ...  # 0-d, beside `like`
    def zeros(self, like: Array, dtype: DType) -> Array: ...  # of the shape of `like`
    def cast(self, x: Array, dtype: DType) -> Array: ...  # itself, if it is of that dtype
    def where(self, condition: Array, new: Array, old: Array) -> Array: ...

    # dtypes
    def kind(self, dtype: DType) -> Kind: ...
    def bits(self, dtype: DType) -> int: ...  # of a real floating dtype
    def least(self, dtype: DType) -> float: ...  # the smallest positive number its arithmetic holds
    def dtype_named(self, name: str, like: Array) -> DType: ...  # LookupError where there is none
    def coefficient_dtype(self, like: Array) -> DType: ...  # float64 where the library has it
    def part_of(self, dtype: DType, like: Array) -> DType: ...  # the real dtype of a complex one's parts
    def complex_of(self, dtype: DType, like: Array) -> DType: ...  # and back; LookupError as above
    def boolean(self, dtype: DType) -> bool: ...
    def integer(self, dtype: DType) -> bool: ...

    # trees
    def flatten(self, tree: Tree) -> tuple[list[Any], Any]: ...  # leaves (None is one) and structure
    def unflatten(self, structure: Any, leaves: Sequence[Any]) -> Tree: ...
    def paths(self, tree: Tree) -> list[str]: ...  # of each leaf: "['layer']['w']"; "" for a bare one

    # the step
    def numbers(self, like: Array) -> Numbers: ...  # the arithmetic of coefficients that the host can't know
    def tick_on_device(
        self, adam: AdamConfig, t: Clock, mu_product: Scalar, lr: Scalar, like: Array
    ) -> tuple[Clock, Scalar, Coefficients] | None: ...  # the tick that `numbers` would make, in one kernel
    def apply(self, adam: AdamConfig, jobs: Sequence[Job], donate: bool) -> list[Result]: ...
    def cached_step(
        self, adam: AdamConfig, record: StepRecord
    ) -> tuple[CachedStep, AdamState] | None: ...  # for the next step on what this one returned
