"""Gradients of which only some rows are given (SPARSE.1 to SPARSE.4), as those of an embedding.

Rows without a gradient are zero, and the step is that of the dense gradient; or they are absent, and the step
is made of the listed rows alone: they are gathered, stepped as a small array, and put back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from adamcore.errors import BackendError, GradientError
from adamcore.jobs import Job, Result
from adamcore.protocol import Backend, RowFunctions
from adamcore.trees import ParamTree
from adamcore.types import Array

Others = Literal["zero", "absent"]
COPIED = ("p", "m", "v", "v_max", "p_rest")  #: arrays of a job that have the rows of its parameter


class Rows:
    """A gradient by rows: a leaf of a tree of gradients, in the place of an array.

    A row is what stands under one index of a parameter's first axis.

    Args:
        indices: a vector of whole numbers, the places of the rows, in any order; of a row that is listed more
            than once the values are added up (SPARSE.1).
        values: an array of shape ``(len(indices), *p.shape[1:])`` and of the parameter's dtype.
        others: what the rows that are not listed have: "zero", a gradient of 0, so that momentum and decay
            move them (SPARSE.2); or "absent", none, so that they stay as they are (SPARSE.3).

    Raises:
        GradientError: ``others`` is neither.

    Example:
        >>> import numpy as np
        >>> from adamcore import Adam
        >>> opt, p = Adam(lr=0.1, weight_decay=0.5), np.ones((4, 1))
        >>> g = Rows(np.array([2, 0, 2]), np.array([[1.0], [2.0], [3.0]]), others="absent")
        >>> p, state = opt.step(p, g, opt.init(p))
        >>> p[:, 0].round(3), state.m[:, 0].round(3)
        (array([0.9, 1. , 0.9, 1. ]), array([0.25, 0.  , 0.45, 0.  ]))
    """

    __slots__ = ("indices", "others", "values")

    def __init__(self, indices: Array, values: Array, others: Others = "zero") -> None:
        if others not in get_args(Others):
            raise GradientError(f"Rows with others={others!r}: expected 'zero' or 'absent'")
        self.indices, self.values, self.others = indices, values, others

    def __repr__(self) -> str:
        return f"Rows({self.indices!r}, {self.values!r}, others={self.others!r})"


def take_out_rows(tree: ParamTree, gs: list[Any]) -> dict[int, Rows]:
    """Return the gradients by rows, by the numbers of their leaves, and put the parameter in their place.

    Raises:
        GradientError: one does not fit its parameter.
    """
    found = {i: g for i, g in enumerate(gs) if type(g) is Rows}
    for i, g in found.items():
        check_rows(tree, i, g)
        gs[i] = tree.leaves[i]
    return found


def check_rows(tree: ParamTree, i: int, g: Rows) -> None:
    """Raise GradientError unless the rows are rows of parameter ``i``."""
    b, p = tree.backend, tree.leaves[i]
    path = tree.path(i, "grads")
    if p is None:
        raise GradientError(f"{path} is Rows where {tree.path(i)} is None: expected None")
    if not p.shape:
        raise GradientError(f"{path} is Rows of a parameter of shape (), which has none: expected an array")
    for name, x in (("indices", g.indices), ("values", g.values)):
        if not b.owns(x):
            raise GradientError(f"{path}.{name} is {type(x).__name__}: expected an array of {b.name}")
        if b.device(x) != b.device(p):
            raise GradientError(f"{path}.{name} is on device {b.device(x)}: expected {b.device(p)}")
    if not b.integer(g.indices.dtype) or len(g.indices.shape) != 1:
        raise GradientError(
            f"{path}.indices is of {g.indices.dtype} and shape {tuple(g.indices.shape)}: expected a vector "
            "of whole numbers"
        )
    shape = (g.indices.shape[0], *p.shape[1:])
    if tuple(g.values.shape) != shape or g.values.dtype != p.dtype:
        raise GradientError(
            f"{path}.values is of {g.values.dtype} and shape {tuple(g.values.shape)}: expected {p.dtype} and "
            f"{shape}, a row of {tree.path(i)} for each index"
        )
    reach = functions_of(b, path).reach(g.indices)
    if reach is not None and not 0 <= reach[0] <= reach[1] < p.shape[0]:
        raise GradientError(f"{path}.indices has {reach[0]} to {reach[1]}: expected 0 to {p.shape[0] - 1}")


def functions_of(b: Backend, path: str) -> RowFunctions:
    """Return what a library does with rows; raise BackendError if it can't, for the gradient at ``path``."""
    found = b.rows()
    if found is None:
        raise BackendError(
            f"{path} is Rows of arrays of {b.name}: expected NumPy, PyTorch or JAX, which can put rows back; "
            "give the dense gradient"
        )
    return found


class RowPlan(NamedTuple):
    """The jobs of listed rows alone, by their numbers: what the results belong to."""

    places: Mapping[int, Array]  #: the places of the rows
    whole: Sequence[Job]  #: all jobs, of whole arrays


def with_rows(
    b: Backend, jobs: Sequence[Job], indices: Sequence[int], given: Mapping[int, Rows]
) -> tuple[list[Job], RowPlan]:
    """Return jobs with the gradients that are given by rows, and what is to be done with the results.

    Args:
        jobs: with any gradient in the place of one that is given by rows.
        indices: the leaves of the jobs.
        given: the gradients by rows, by leaf.
    """
    new, whole, places = list(jobs), list(jobs), dict[int, Array]()
    functions = functions_of(b, "grads")
    with b.scope():
        for k, (job, i) in enumerate(zip(jobs, indices, strict=True)):
            if i not in given:
                continue
            g, work = given[i], job.formats.work
            dtype = b.complex_of(work, job.p) if job.formats.is_complex else work
            rows, sums = functions.sums(g.indices, g.values, job.p.shape[0], dtype)
            whole[k] = job._replace(g=sums)
            if g.others == "absent" and not (job.formats.in_blocks("m") or job.formats.in_blocks("v")):
                new[k], places[k] = job_of_rows(b, job, rows, sums), rows
                continue
            where = job.where
            if g.others == "absent":  # rows cut the blocks in which moments are kept
                listed = functions.listed(rows, job.p)
                where = listed if where is None else listed & where
            dense = functions.put(b.zeros(job.p, dtype), rows, sums, True)
            new[k] = job._replace(g=dense, where=where)
    return new, RowPlan(places, whole)


def sums_of(b: Backend, g: Rows, p: Array) -> Array:
    """Return the values of the listed rows, each once, in the dtype of coefficients: what a norm is of."""
    dtype = b.coefficient_dtype(p)
    if b.kind(p.dtype) == "complex":
        dtype = b.complex_of(dtype, p)
    return functions_of(b, "grads").sums(g.indices, g.values, p.shape[0], dtype)[1]


def job_of_rows(b: Backend, job: Job, rows: Array, sums: Array) -> Job:
    """Return a job of some rows of another; ``sums`` are their gradients."""
    functions = functions_of(b, "grads")
    parts = {name: getattr(job, name) for name in COPIED}
    taken: dict[str, Any] = {
        name: None if x is None else functions.take(x, rows) for name, x in parts.items()
    }
    where, key = job.where, job.key
    if where is not None and len(where.shape) == len(job.p.shape) and where.shape[0] != 1:
        where = functions.take(where, rows)
    if key is not None:
        n = b.bits_of_floats()
        assert n is not None  # as adamcore.dtypes has found
        elements = n.index(job.p) if key.elements is None else key.elements
        key = key._replace(elements=functions.take(elements, rows))
    return job._replace(g=sums, where=where, key=key, **taken)


def put_back(b: Backend, results: Sequence[Result], plan: RowPlan, donate: bool) -> list[Result]:
    """Return results in which those of some rows are put into their arrays: with ``donate`` in place."""
    new, functions = list(results), functions_of(b, "grads")
    with b.scope():
        for k, rows in plan.places.items():
            whole = {}
            for name in COPIED:
                old, part = getattr(plan.whole[k], name), getattr(new[k], name)
                whole[name] = None if old is None else functions.put(old, rows, part, donate)
            new[k] = new[k]._replace(**whole)
    return new
