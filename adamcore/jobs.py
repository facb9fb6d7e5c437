"""The work of a step: a job for each leaf, as the core hands it to a backend, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, overload

from adamcore.definition import Coefficients
from adamcore.storage.moments import Coding
from adamcore.storage.policies import Storage
from adamcore.storage.random_bits import Key
from adamcore.types import Array, DType


class LeafDtypes(NamedTuple):
    """The dtypes that go with one dtype of parameters."""

    work: DType  #: the real dtype of the arithmetic: the widest of float32, p's, m's and v's (NUM.1)
    m: DType  #: of the first moment
    v: DType  #: of v and v_max, real where ``complex="modulus"``
    is_complex: bool
    storage: Storage | None = None  #: how p is kept between steps; None: in its own dtype alone ("plain")
    rest: DType = None  #: of the part of p that is in the state; None if there is no such part
    m_coding: Coding | None = None  #: how m is kept in 8 bits; None: as numbers of its dtype
    v_coding: Coding | None = None  #: the same of v and v_max
    m_scale: DType = None  #: of the scales of m's blocks; None if there are none
    v_scale: DType = None  #: of those of v and v_max
    m_random: str | None = None  #: the dtype into which m is rounded at random; None: it is not
    v_random: str | None = None  #: the same of v and v_max

    @property
    def plain(self) -> bool:
        """True if each array is kept as numbers of its dtype, rounded to the nearest."""
        return self.storage is None and not any((self.m_coding, self.v_coding, self.m_random, self.v_random))

    @property
    def draws(self) -> bool:
        """True if a step needs random bits."""
        p = self.storage is not None and self.storage.policy == "stochastic"
        return p or self.m_random is not None or self.v_random is not None

    def random(self, name: str) -> str | None:
        """Return the dtype into which "m", "v" or "v_max" is rounded at random; None if it is not."""
        return {"m": self.m_random, "v": self.v_random, "v_max": self.v_random}.get(name)

    def coding(self, name: str) -> Coding | None:
        """Return how "m", "v" or "v_max" is kept in 8 bits; None if it is not."""
        return {"m": self.m_coding, "v": self.v_coding, "v_max": self.v_coding}.get(name)

    def in_blocks(self, name: str) -> bool:
        """True if an array of this name is kept by blocks: codes, or their scales."""
        return self.coding(name.removesuffix("_scale")) is not None


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
    p_rest: Array | None = None  #: what the state has of p (STORE.1)
    key: Key | None = None  #: of the random bits with which p or a moment is rounded (STORE.7)
    m_scale: Array | None = None  #: the scales of m's blocks (STORE.9)
    v_scale: Array | None = None
    v_max_scale: Array | None = None


class Result(NamedTuple):
    """What :meth:`Backend.apply` returns for one job, in the dtypes of the job's own arrays."""

    p: Array
    m: Array
    v: Array
    v_max: Array | None
    p_rest: Array | None = None
    m_scale: Array | None = None
    v_scale: Array | None = None
    v_max_scale: Array | None = None


class Columns(NamedTuple):
    """The arrays of a list of jobs by what they are: ``p[i]`` is the parameter of job i.

    A step that is compiled reads them by name, since PyTorch 2.7 traces no slice of a named tuple, and no
    ``_replace``.
    """

    p: Sequence[Array]
    g: Sequence[Array]
    m: Sequence[Array]
    v: Sequence[Array]
    v_max: Sequence[Array] = ()  #: empty without AMSGrad
    p_rest: Sequence[Array] = ()  #: empty where p is all that is kept of the parameters
    m_scale: Sequence[Array] = ()  #: empty where moments are kept without scales, as those of v and v_max
    v_scale: Sequence[Array] = ()
    v_max_scale: Sequence[Array] = ()


OPTIONAL = Columns._fields[4:]  #: the arrays that a job may be without

columns_of_nine: Callable[[tuple[Sequence[Array], ...]], Columns] = partial(tuple.__new__, Columns)
"""Return Columns of a tuple; in the hot path, as it takes half the time of a call of the class."""


PARTS_OF: Callable[[Any], tuple[Array | None, ...]] = attrgetter(*OPTIONAL)
"""Return the arrays of a job that it may be without, or those parts of a state."""


# Many jobs ------------------------------------------------------------------------------------------


Row = TypeVar("Row")


class ByColumn(Sequence[Row]):
    """Rows whose fields lie in columns; a row is made when it is asked for."""

    columns: Any

    def row(self, i: int) -> Row:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.columns.p)

    @overload
    def __getitem__(self, i: int) -> Row: ...
    @overload
    def __getitem__(self, i: slice) -> list[Row]: ...
    def __getitem__(self, i: Any) -> Any:
        return [self.row(k) for k in range(*i.indices(len(self)))] if isinstance(i, slice) else self.row(i)


class UniformJobs(ByColumn[Job]):
    """Jobs of leaves that are alike, without masks: what :meth:`Backend.uniform` is true of.

    Args:
        columns: their arrays.
        rows: a row of coefficients for each job, or one row for all.
        formats: the dtypes of every leaf.
    """

    columns: Columns

    def __init__(self, columns: Columns, rows: Sequence[Coefficients], formats: LeafDtypes) -> None:
        self.columns, self.rows, self.formats = columns, rows, formats

    def row(self, i: int) -> Job:
        p, g, m, v = (column[i] for column in self.columns[:4])
        v_max = self.columns.v_max[i] if self.columns.v_max else None
        row = self.rows[i if len(self.rows) > 1 else 0]
        return Job(p, g, m, v, v_max, row, None, self.formats)


class ResultColumns(NamedTuple):
    """The arrays of results by what they are; :data:`OPTIONAL` ones may be empty."""

    p: Sequence[Array]
    m: Sequence[Array]
    v: Sequence[Array]
    v_max: Sequence[Array] = ()
    p_rest: Sequence[Array] = ()
    m_scale: Sequence[Array] = ()
    v_scale: Sequence[Array] = ()
    v_max_scale: Sequence[Array] = ()


class Results(ByColumn[Result]):
    """The results of :class:`UniformJobs`, by column."""

    columns: ResultColumns

    def __init__(self, columns: ResultColumns) -> None:
        self.columns = columns

    def row(self, i: int) -> Result:
        return Result(*(column[i] if column else None for column in self.columns))


def columns_of(jobs: Sequence[Job]) -> Columns:
    """Return the arrays of a list of jobs: each of :data:`OPTIONAL` in every job or in none."""
    if isinstance(jobs, UniformJobs):
        return jobs.columns
    p, g, m, v = ([job[k] for job in jobs] for k in range(4))  # zip(*jobs) has the collector look often
    there = [name for name in OPTIONAL if jobs and getattr(jobs[0], name) is not None]
    return Columns(p, g, m, v, **{name: [getattr(job, name) for job in jobs] for name in there})


def in_place_results(jobs: Sequence[Job]) -> Sequence[Result]:
    """Return the results of jobs that were carried out in their own arrays."""
    if isinstance(jobs, UniformJobs):
        p, _, *others = jobs.columns
        return Results(ResultColumns(p, *others))
    return [Result(job.p, job.m, job.v, *parts) for job, parts in zip(jobs, map(PARTS_OF, jobs), strict=True)]
