"""Every backend answers what the core asks, in the same arguments."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest

from adamcore import registry
from adamcore.protocol import Backend, Kind

METHODS = [name for name, each in vars(Backend).items() if callable(each) and not name.startswith("_")]
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
