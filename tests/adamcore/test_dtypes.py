"""The dtypes of moments and of the arithmetic (MOM.4, NUM.1, EPS.6)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.errors import HyperparameterError

A = np.ones(3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_narrow_parameters_are_rounded_once(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    narrow, opt = getattr(torch, dtype), Adam(lr=0.01)
    p, g = torch.full((3,), 1.1).to(narrow), torch.full((3,), 0.3).to(narrow)
    (q,), state = opt.step([p], [g], opt.init([p]))
    wide = p.double() - 0.01 * g.double() / (g.double().abs() + 1e-8)
    assert q.dtype == narrow
    assert state.m[0].dtype == narrow
    assert torch.equal(q, wide.to(narrow))
    assert torch.equal(state.m[0], (0.1 * g.float()).to(narrow))


def test_moment_dtype(lib: Any) -> None:
    opt = Adam(moment_dtype="float64", amsgrad="corrected")
    p = lib([1.0, 2.0], "float32")
    q, state = opt.step(p, p, opt.init(p))
    assert q.dtype == p.dtype
    assert {lib.numpy(x).dtype for x in (state.m, state.v, state.v_max)} == {np.dtype("float64")}


def test_bfloat16_in_numpy() -> None:
    pytest.importorskip("ml_dtypes")
    p = np.ones(3, dtype="bfloat16")
    q, state = Adam(lr=0.5).step(p, p, Adam().init(p))
    assert q.dtype == state.v.dtype == p.dtype
    assert q.astype(float).tolist() == [0.5] * 3


class TestEpsilon:
    @pytest.mark.parametrize(("dtype", "eps"), [("float32", 1e-46), ("float16", 1e-46)])
    def test_underflow(self, dtype: str, eps: float) -> None:
        with pytest.raises(
            HyperparameterError, match=r"0 in the arithmetic's float32: the smallest usable there is 1.4e-45"
        ):
            Adam(eps=eps).init(np.ones(2, dtype=dtype))

    def test_half_the_smallest_number_rounds_to_zero(self) -> None:
        half, p = 2.0**-150, np.ones(2, dtype="float32")
        with pytest.raises(HyperparameterError, match="smallest usable"):
            Adam(eps=half).init(p)
        Adam(eps=math.nextafter(half, 1.0)).init(p)

    def test_usable(self) -> None:
        for opt in (Adam(eps=1e-45), Adam(eps=0.0), Adam(eps=1e-46, moment_dtype="float64"), Adam(eps=1e-8)):
            opt.init(np.ones(2, dtype="float32"))
        Adam(eps=1e-8).init(np.ones(2, dtype="float16"))  # the arithmetic is float32's

    def test_what_flushes(self) -> None:
        jax = pytest.importorskip("jax")
        p = jax.numpy.ones(2)
        with pytest.raises(HyperparameterError, match=r"smallest usable there is 1.18e-38"):
            Adam(eps=1e-39).init(p)
        Adam(eps=2e-38).init(p)

    def test_eps_root(self) -> None:
        with pytest.raises(HyperparameterError, match="eps_root=1e-60"):
            Adam(eps_root=1e-60).init(np.ones(2, dtype="float32"))


@pytest.mark.parametrize("name", ["float99", "int32", "complex64"])
def test_moment_dtype_that_is_none(name: str) -> None:
    with pytest.raises(HyperparameterError, match=f"moment_dtype='{name}'"):
        Adam(moment_dtype=name).init(A)


def test_moment_dtype_without_complex_counterpart() -> None:
    with pytest.raises(HyperparameterError, match="no complex dtype of float16 parts"):
        Adam(moment_dtype="float16").init(A.astype(complex))


def test_jax_without_64_bits() -> None:
    jax = pytest.importorskip("jax")
    with jax.enable_x64(False), pytest.raises(HyperparameterError, match="jax_enable_x64"):
        Adam(moment_dtype="float64").init(jax.numpy.ones(2))
