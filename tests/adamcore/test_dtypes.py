"""The dtypes of moments and of the arithmetic (MOM.4, NUM.1, EPS.6)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.dtypes import PARTS, parts_of
from adamcore.errors import HyperparameterError, StateError

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


@pytest.mark.parametrize(
    ("fields", "m", "v"),
    [
        ({"m_dtype": "float64"}, "float64", "float32"),
        ({"v_dtype": "float64"}, "float32", "float64"),
        ({"moment_dtype": "float64", "m_dtype": "float32"}, "float32", "float64"),
        ({"moment_dtype": "float64", "v_dtype": "float32"}, "float64", "float32"),
        ({"m_dtype": "float64", "v_dtype": "float64"}, "float64", "float64"),
    ],
)
def test_a_dtype_for_each_moment(lib: Any, fields: Any, m: str, v: str) -> None:
    """Whatever is wider makes the arithmetic wide, and each array is rounded once, when it is stored."""
    opt, whole = Adam(lr=0.1, amsgrad="corrected", **fields), Adam(lr=0.1, amsgrad="corrected")
    start, gradients = [0.7, -1.1], ([0.1, 0.3], [-0.2, 1.7], [0.0, 0.013])
    p, wide = lib(start, "float32"), lib(lib.numpy(lib(start, "float32")), "float64")
    state, wide_state = opt.init(p), whole.init(wide)
    for g in gradients:
        g32 = lib(g, "float32")
        p, state = opt.step(p, g32, state)
        wide, wide_state = whole.step(wide, lib(lib.numpy(g32), "float64"), wide_state)
        assert [lib.numpy(x).dtype for x in (p, *state[1:4])] == ["float32", m, v, v]
        for new, exact in zip((p, *state[1:4]), (wide, *wide_state[1:4]), strict=True):
            dtype = lib.numpy(new).dtype
            np.testing.assert_array_equal(lib.numpy(new), lib.numpy(exact).astype(dtype))
        wide = lib(lib.numpy(p), "float64")
        wide_state = wide_state._replace(
            **{name: lib(lib.numpy(getattr(state, name)), "float64") for name in ("m", "v", "v_max")}
        )


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_dtype_for_each_moment_in_place(name: str) -> None:
    xp: Any = pytest.importorskip(name)
    opt = Adam(lr=0.1, m_dtype="float64", amsgrad="uncorrected")
    p, q = ([xp.asarray([0.7, -1.1], dtype=xp.float32)] for _ in range(2))
    state, other = opt.init(p), opt.init(q)
    for k in range(4):
        g = [xp.asarray([0.3, 0.1 * k], dtype=xp.float32)]
        p, state = opt.step(p, g, state, donate=True)
        q, other = opt.step(q, g, other)
        for mine, theirs in zip((p, *state[:4]), (q, *other[:4]), strict=True):
            assert (mine[0].dtype, mine[0].tolist()) == (theirs[0].dtype, theirs[0].tolist())


@pytest.mark.parametrize("field", ["m_dtype", "v_dtype"])
def test_a_dtype_of_one_moment_that_is_none(field: str) -> None:
    with pytest.raises(HyperparameterError, match=f"^{field}='int32': not a real floating dtype"):
        Adam(**{field: "int32"}).init(A)  # type: ignore[arg-type]
    with pytest.raises(HyperparameterError, match=f"^{field}='float16' with parameters of complex128"):
        Adam(**{field: "float16"}).init(A.astype(complex))  # type: ignore[arg-type]


def test_a_dtype_for_each_complex_moment() -> None:
    z = A.astype("complex64")
    whole, real = Adam(v_dtype="float64"), Adam(v_dtype="float64", complex="modulus")
    assert [x.dtype for x in whole.init(z)[1:3]] == ["complex64", "complex128"]
    assert [x.dtype for x in real.init(z)[1:3]] == ["complex64", "float64"]


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


@pytest.mark.parametrize(("adam", "parts"), [
    (Adam(), set()),
    (Adam(p_storage="stochastic"), set()),
    (Adam(p_storage="split"), {"p_rest"}),
    (Adam(m_storage="companded8", amsgrad="uncorrected"), {"m_scale"}),
    (Adam(v_storage="companded8"), {"v_scale"}),
    (Adam(v_storage="companded8", amsgrad="uncorrected"), {"v_scale", "v_max_scale"}),
])  # fmt: skip
def test_a_state_has_the_parts_of_its_storage(adam: Adam, parts: set[str]) -> None:
    assert {name for name, (_, there) in parts_of(adam).items() if there} == parts
    state = adam.init([np.ones(3, np.float16)])
    assert {name for name in PARTS if getattr(state, name) is not None} == parts


def test_a_leaf_without_a_parameter_has_no_part() -> None:
    adam = Adam(m_storage="companded8")
    params = [None, np.ones(3, np.float32)]
    state = adam.init(params)
    assert state.m_scale[0] is None
    _, after = adam.step(params, [None, params[1]], state)
    assert after.m_scale[0] is None
    with pytest.raises(StateError, match=r"state.m_scale\[0\] is ndarray: expected None"):
        adam.step(params, [None, params[1]], state._replace(m_scale=[np.zeros(1, np.int16)] * 2))
    with pytest.raises(StateError, match=r"state.m_scale\[1\] is None: expected an array"):
        adam.step(params, [None, params[1]], state._replace(m_scale=[None, None]))
