"""`Adam.check_numerics` on trees of every library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.errors import HyperparameterError, ParameterError


def test_leaves_are_named_by_path_and_sorted_by_what_they_lose(lib: Any) -> None:
    params = {"a": [lib([1.0, 1e-9, 1e-9, 1e-9], "float32")], "b": lib([1.0, 2.0], "float32"), "c": None}
    report = Adam(lr=1e-8).check_numerics(params)
    lost = [(f.path, f.dtype, f.what, f.numbers["fraction"]) for f in report.findings]
    assert lost == [
        ("params['b']", "float32", "step-lost", 1.0),
        ("params['a'][0]", "float32", "step-lost", 0.25),
    ]
    assert report.unread == ()


def test_another_lr(lib: Any) -> None:
    p = lib([1.0, 2.0], "float32")
    assert not Adam().check_numerics(p)
    assert Adam().check_numerics(p, lr=1e-9)
    assert Adam().check_numerics(p, lr=lib(1e-9, "float32"))
    assert not Adam(lr=lambda t: 1e-9).check_numerics(p, lr=1e-3)


def test_a_schedule_has_no_one_lr() -> None:
    with pytest.raises(HyperparameterError, match="lr is a schedule: expected a number, the lr to look at"):
        Adam(lr=lambda t: 1e-3).check_numerics(np.ones(3))
    with pytest.raises(HyperparameterError, match="lr"):
        Adam().check_numerics(np.ones(3), lr=-1.0)


def test_errors_of_init_are_errors_here() -> None:
    with pytest.raises(ParameterError):
        Adam().check_numerics(np.ones(3, dtype=np.int32))
    with pytest.raises(HyperparameterError, match="eps"):
        Adam(eps=1e-50).check_numerics(np.ones(3, dtype=np.float32))


def test_traced_values_are_not_looked_at() -> None:
    jax = pytest.importorskip("jax")
    reports = []

    @jax.jit
    def program(p: Any) -> Any:
        reports.append(Adam(lr=1e-5, v_dtype="bfloat16").check_numerics({"w": p}))
        return p

    program(jax.numpy.ones(3, dtype="float16"))
    assert reports[0].unread == ("params['w']",)
    assert [f.what for f in reports[0].findings if f.dtype == "bfloat16"] == ["v-stalls"]


def test_dtypes_that_are_not_known_are_not_looked_at() -> None:
    jax = pytest.importorskip("jax")
    p = jax.numpy.ones(3, dtype="float8_e4m3fn")
    assert Adam(moment_dtype="float32").check_numerics(p).unread == ("params",)
