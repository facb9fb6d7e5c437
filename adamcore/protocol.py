"""What the core asks of an array library: a backend answers, `adamcore.backends` has four.

The core holds no framework and imports none.  :mod:`adamcore.step` checks a step and lays it out
as a list of :class:`Job`; the backend of the caller's arrays carries them out.  Another library's
backend comes in through an entry point (docs/embedding.md), and starts from
:class:`adamcore.backends.base.BaseBackend`, where every method here has a generic form.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from adamcore.definition import Coefficients, Numbers
from adamcore.state import AdamState
from adamcore.types import Array, Tree

if TYPE_CHECKING:
    from adamcore.config import AdamConfig
    from adamcore.step_cache import CachedStep

Kind = Literal["real", "complex", "other"]  #: of a dtype: what can be optimized is real or complex


class LeafDtypes(NamedTuple):
    """The dtypes that go with one dtype of parameters."""

    work: Any  #: the real dtype of the arithmetic: the widest of float32, the parameter's, m's (NUM.1)
    m: Any  #: of the first moment
    v: Any  #: of v and v_max: m's, or the real one of its parts where ``complex="modulus"``
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


class Prepared(Protocol):
    """Jobs that were carried out in place, ready to be carried out on the same arrays again."""

    def fits(self, columns: Sequence[Sequence[Array]]) -> bool:
        """Whether these, the jobs' (p, g, m, v, v_max if there), can be: the gradients are new."""

    def run(self, each: Sequence[Coefficients]) -> None:
        """Do it, with coefficients for each job or one for all; after a call of :meth:`fits`."""


class Ticking(Prepared, Protocol):
    """Jobs whose clocks stand where their arrays do, out of the host's sight, and are ticked there."""

    def ticks(self, lr: Any, clocks: Sequence[Array], products: Sequence[Array] = ()) -> bool:
        """Whether the next step can tick these, one for each job or one for all; nothing is changed yet."""

    def advance(self) -> None:
        """Tick, and do it; after a call of :meth:`fits` and one of :meth:`ticks`."""


class Backend(Protocol):
    """One array library."""

    name: str  #: as the user calls it: "torch"
    flushes: bool  #: subnormal numbers become 0 in its arithmetic

    # arrays
    def owns(self, leaf: object) -> bool: ...  # is it an array of this library?
    def refuse(self, leaf: Array) -> str | None: ...  # why this array can't be optimized
    def namespace(self, like: Array) -> Any: ...  # its array-API functions
    def identity(self, leaf: Array) -> int | None: ...  # what tells two arrays apart; None if unknown
    def device(self, leaf: Array) -> Any: ...  # what two arrays must share, or None
    def host(self, x: Array) -> Any: ...  # a 0-d array as a Python number; None if only the program knows
    def full(self, value: float, dtype: Any, like: Array) -> Array: ...  # 0-d, beside `like`
    def zeros(self, like: Array, dtype: Any) -> Array: ...  # of the shape of `like`
    def cast(self, x: Array, dtype: Any) -> Array: ...  # itself, if it is of that dtype
    def where(self, condition: Array, new: Array, old: Array) -> Array: ...

    # dtypes
    def kind(self, dtype: Any) -> Kind: ...
    def bits(self, dtype: Any) -> int: ...  # of a real floating dtype
    def least(self, dtype: Any) -> float: ...  # the smallest positive number its arithmetic holds
    def dtype_named(self, name: str, like: Array) -> Any: ...  # LookupError where there is none
    def coefficient_dtype(self, like: Array) -> Any: ...  # float64 where the library has it
    def part_of(self, dtype: Any, like: Array) -> Any: ...  # the real dtype of a complex one's parts
    def complex_of(self, dtype: Any, like: Array) -> Any: ...  # and back; LookupError as above
    def boolean(self, dtype: Any) -> bool: ...
    def integer(self, dtype: Any) -> bool: ...

    # trees
    def flatten(self, tree: Tree) -> tuple[list[Any], Any]: ...  # leaves (None is one) and structure
    def unflatten(self, structure: Any, leaves: Sequence[Any]) -> Tree: ...
    def paths(self, tree: Tree) -> list[str]: ...  # of each leaf: "['layer']['w']"; "" for a bare one

    # the step
    def numbers(self, like: Array) -> Numbers: ...  # for coefficients that only the program knows
    def ticked(
        self, adam: AdamConfig, t: Any, mu_product: Any, lr: Any, like: Array
    ) -> (
        tuple[Any, Any, Any] | None
    ): ...  # or the new t and product and the coefficients at once, where it has a way of its own
    def apply(self, adam: AdamConfig, jobs: Sequence[Job], donate: bool) -> list[Result]: ...
    def prepares(self) -> bool: ...  # whether `prepare` is worth a try, here and now
    def prepare(self, adam: AdamConfig, jobs: Sequence[Job]) -> Prepared | None: ...
    def lane(
        self,
        adam: AdamConfig,
        jobs: Sequence[Job],
        results: Sequence[Result],
        params: Tree,
        grads: Tree,
        state: AdamState,
    ) -> CachedStep | None: ...  # for the next step on what this one returned, where arrays are new each time
    def clocks(self, clock: array[int]) -> list[Array]: ...  # 0-d int32 arrays in this very memory
