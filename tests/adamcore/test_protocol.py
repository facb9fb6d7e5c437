"""Every backend answers what the core asks, in the same arguments."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import numpy as np
import pytest

from adamcore import Adam, registry
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.dtypes import leaf_dtypes
from adamcore.protocol import (
    Backend,
    Columns,
    Job,
    Kind,
    Result,
    Results,
    UniformJobs,
    columns_of,
    in_place_results,
)

METHODS = [name for name, each in vars(Backend).items() if callable(each) and not name.startswith("_")]
ADAM, ROWS = Adam(), [coefficients(Host(), Adam(), t, 0.1, None) for t in (1, 2, 3)]
ATTRIBUTES = [name for name in Backend.__annotations__ if not name.startswith("_")]


@pytest.fixture
def backend(lib: Any) -> Backend:
    return registry.backend_for(lib([1.0]))


def test_the_protocol_has_methods_and_attributes() -> None:
    assert {"owns", "full", "dtype_named", "flatten", "apply"} <= set(METHODS)
    assert {"name", "flushes"} <= set(ATTRIBUTES)


def test_a_method_takes_the_protocols_arguments(backend: Backend) -> None:
    for name in METHODS:
        asked = list(inspect.signature(getattr(Backend, name)).parameters)
        assert ["self", *inspect.signature(getattr(backend, name)).parameters] == asked, name


def test_the_attributes_are_there(backend: Backend) -> None:
    assert type(backend.name) is str
    assert type(backend.flushes) is bool


def test_dtypes_are_told_apart(lib: Any, backend: Backend) -> None:
    like = lib([1.0])
    kinds = {name: backend.kind(backend.dtype_named(name, like)) for name in ("float32", "float64", "int32")}
    assert kinds == {"float32": "real", "float64": "real", "int32": "other"}
    assert set(kinds.values()) <= set(get_args(Kind))
    wide = backend.dtype_named("float64", like)
    assert backend.part_of(backend.complex_of(wide, like), like) == wide
    assert backend.bits(wide) == 64
    with pytest.raises(LookupError):
        backend.dtype_named("float99", like)


def test_a_number_goes_into_an_array_and_back(lib: Any, backend: Backend) -> None:
    like = lib([1.0])
    made = backend.full(7, backend.dtype_named("int32", like), like)
    assert backend.owns(made)
    assert (made.shape, backend.host(made)) == ((), 7)
    assert backend.integer(made.dtype)
    assert not backend.boolean(made.dtype)


@pytest.mark.parametrize("maxima", [False, True])
@pytest.mark.parametrize("rows", [ROWS[:1], ROWS])
def test_uniform_jobs_are_the_jobs_of_their_columns(maxima: bool, rows: list[Any]) -> None:
    columns = [[np.full(2, 10.0 * c + i) for i in range(3)] for c in range(5)]
    formats = leaf_dtypes(ADAM, registry.built_in("numpy"), columns[0][0])
    jobs = UniformJobs(Columns(*columns[: 5 if maxima else 4]), rows, formats)
    listed = []
    for i, row in enumerate(rows * (3 // len(rows))):
        p, g, m, v = (column[i] for column in columns[:4])
        listed.append(Job(p, g, m, v, columns[4][i] if maxima else None, row, None, formats))
    assert len(jobs) == 3
    for found in (list(jobs), jobs[:], [jobs[-3], *jobs[1:]]):
        for one, other in zip(found, listed, strict=True):
            assert all(x is y for x, y in zip(one, other, strict=True))
    for column, expected in zip(columns_of(jobs), columns_of(listed), strict=True):
        assert list(map(id, column)) == list(map(id, expected))
    results = in_place_results(jobs)
    assert isinstance(results, Results)
    assert len(results) == 3
    for kind in (list(results), results[:]):
        for new, old in zip(kind, in_place_results(listed), strict=True):
            assert isinstance(new, Result)
            assert all(x is y for x, y in zip(new, old, strict=True))
