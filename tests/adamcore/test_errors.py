"""What is refused, in which words, and that nothing has changed when it is."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.errors import (
    AdamcoreError,
    BackendError,
    ClockError,
    GradientError,
    HyperparameterError,
    MaskError,
    ParameterError,
    StateError,
    TreeError,
)

A, I32 = np.ones(3), np.asarray(1, dtype=np.int32)


def tree() -> dict[str, Any]:
    return {"layer": {"w": np.ones((2, 3)), "b": np.ones(2)}, "x": np.ones(3)}


@pytest.mark.parametrize(
    ("leaf", "error", "words"),
    [
        (np.ones(2, dtype=int), ParameterError, r"params\['layer'\]\['w'\] has dtype int64"),
        (np.ones(2, dtype=bool), ParameterError, "has dtype bool"),
        (np.asarray(["a"]), ParameterError, "has dtype <U1"),
        (1.5, ParameterError, r"params\['layer'\]\['w'\] is float: expected an array of numpy"),
        ("w", ParameterError, "is str"),
        (np.ma.masked_array([1.0], [True]), ParameterError, "masked array"),
    ],
)
def test_parameters(leaf: Any, error: type[Exception], words: str) -> None:
    for name in ("init", "step"):
        params = tree()
        params["layer"]["w"] = leaf
        args = (params,) if name == "init" else (params, tree(), Adam().init(tree()))
        with pytest.raises(error, match=words):
            getattr(Adam(), name)(*args)


def test_parameters_without_any_array() -> None:
    with pytest.raises(ParameterError, match=r"params\['a'\]\[0\] is float"):
        Adam().init({"a": [1.0]})


def test_one_array_in_two_leaves() -> None:
    with pytest.raises(TreeError, match=r"params\['b'\] and params\['a'\] are the same array"):
        Adam().init({"a": A, "b": A})


def test_libraries_mixed() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(BackendError, match=r"params\[1\] is an array of torch in a tree of numpy"):
        Adam().init([A, torch.ones(2)])
    with pytest.raises(GradientError, match=r"grads\[0\] is Tensor: expected an array of numpy"):
        Adam().step([A], [torch.ones(3)], Adam().init([A]))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            {"grads": lambda g: g["layer"].update(w=np.ones((3, 2)))},
            GradientError,
            r"\['w'\] is of shape \(3, 2\)",
        ),
        ({"grads": lambda g: g["layer"].update(w=np.ones((2, 3), "f4"))}, GradientError, "of dtype float32"),
        ({"grads": lambda g: g["layer"].update(w=1.0)}, GradientError, r"grads\['layer'\]\['w'\] is float"),
        ({"grads": lambda g: g["layer"].pop("b")}, TreeError, r"grads has no leaf grads\['layer'\]\['b'\]"),
        ({"grads": lambda g: g.update(y=A)}, TreeError, r"grads\['y'\] has no counterpart"),
        ({"grads": lambda g: g.update(x=[A])}, TreeError, r"no leaf grads\['x'\]"),
        ({"state.m": lambda m: m.pop("x")}, StateError, r"state.m has no leaf state.m\['x'\]"),
        ({"state.v": lambda v: v.update(x=np.ones(4))}, StateError, r"state.v\['x'\] is of shape \(4,\)"),
        ({"state.m": lambda m: m.update(x=A.astype("f4"))}, StateError, "another moment_dtype"),
        ({"state.t": lambda t: t.update(x=np.asarray(-1, "i4"))}, ClockError, r"state.t\['x'\] is -1"),
        ({"state.t": lambda t: t.update(x=-3)}, ClockError, "is -3"),
        ({"state.t": lambda t: t.update(x=np.asarray(2**31))}, ClockError, "is 2147483648: expected 0 to"),
        (
            {"state.t": lambda t: t.update(x=np.asarray(1.0))},
            ClockError,
            r"ndarray of float64 and shape \(\)",
        ),
        ({"state.t": lambda t: t.update(x=1.0)}, ClockError, "is 1.0: expected the number of updates"),
        ({"state.t": lambda t: t.update(x=True)}, ClockError, "is True"),
        ({"state.t": lambda t: t.update(x=np.ones(1, "i4"))}, ClockError, r"shape \(1,\)"),
        ({"present": lambda f: f.update(x=1)}, MaskError, r"present\['x'\] is int: expected True or False"),
        ({"present": lambda f: f.update(x=None)}, MaskError, "is NoneType"),
        ({"present": lambda f: f.update(x=np.ones(3))}, MaskError, r"float64 and shape \(3,\)"),
        ({"present": lambda f: f.update(x=np.ones(2, bool))}, MaskError, r"broadcasts to \(3,\)"),
        ({"present": lambda f: f.update(x=np.ones((1, 3), bool))}, MaskError, r"shape \(1, 3\)"),
        ({"present": lambda f: f.pop("x")}, MaskError, r"present has no leaf present\['x'\]"),
        ({"lr": -1.0}, HyperparameterError, "lr=-1.0"),
        ({"lr": float("nan")}, HyperparameterError, "lr=nan"),
        ({"lr": np.asarray(-1.0)}, HyperparameterError, "lr=-1.0"),
        ({"lr": np.ones(1)}, HyperparameterError, r"shape \(1,\)"),
        ({"lr": "fast"}, HyperparameterError, "lr='fast'"),
        ({"lr": lambda t: -0.1 * t}, HyperparameterError, "lr=-0.1"),
    ],
)
def test_a_step_changes_nothing_before_it_raises(change: Any, error: type[AdamcoreError], words: str) -> None:
    opt = Adam()
    params, grads = tree(), tree()
    state = opt.init(params)
    flags = {"layer": {"w": True, "b": True}, "x": True}
    [(name, edit)] = change.items()
    lr = edit if name == "lr" else None
    if name != "lr":
        part = {"grads": grads, "present": flags, **{f"state.{k}": getattr(state, k) for k in "tmv"}}[name]
        edit(part)
    before = copy.deepcopy((params, state))
    with pytest.raises(error, match=words):
        opt.step(params, grads, state, lr=lr, present=flags, donate=True)
    np.testing.assert_equal((params, state), before)


def test_state_for_other_axes() -> None:
    state = Adam().init(A)
    with pytest.raises(StateError, match=r"state.v_max is None: expected a tree, as amsgrad='corrected'"):
        Adam(amsgrad="corrected").step(A, A, state)
    with pytest.raises(StateError, match=r"state.mu_product is None"):
        Adam(nesterov="dozat").step(A, A, state)
    with pytest.raises(StateError, match=r"state.v_max is there: expected None"):
        Adam().step(A, A, Adam(amsgrad="corrected").init(A))
    with pytest.raises(StateError, match="expected one clock"):
        Adam(clock="global").step([A], [A], Adam().init([A]))
    with pytest.raises(StateError, match=r"state.t has no leaf"):
        Adam().step([A], [A], Adam(clock="global").init([A]))


def test_reset() -> None:
    state = Adam().init([A])
    with pytest.raises(MaskError, match=r"which\[0\] is an array of bool and shape \(3,\)"):
        Adam().reset(state, [A > 0])
    with pytest.raises(MaskError, match="which has no leaf"):
        Adam().reset(state, [])
    with pytest.raises(StateError, match="clock='later'"):
        Adam().reset(state, clock="later")  # type: ignore[arg-type]


class TestEpsilon:
    @pytest.mark.parametrize(("dtype", "eps"), [("float32", 1e-46), ("float16", 1e-46)])
    def test_underflow(self, dtype: str, eps: float) -> None:
        with pytest.raises(
            HyperparameterError, match=r"0 in the arithmetic's float32: the smallest usable there is 1.4e-45"
        ):
            Adam(eps=eps).init(np.ones(2, dtype=dtype))

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
def test_moment_dtype(name: str) -> None:
    with pytest.raises(HyperparameterError, match=f"moment_dtype='{name}'"):
        Adam(moment_dtype=name).init(A)


def test_moment_dtype_without_complex_counterpart() -> None:
    with pytest.raises(HyperparameterError, match="no complex dtype of float16 parts"):
        Adam(moment_dtype="float16").init(A.astype(complex))


class TestTorch:
    def test_tensors_without_values(self) -> None:
        torch = pytest.importorskip("torch")
        with pytest.raises(ParameterError, match="meta device"):
            Adam().init({"w": torch.ones(2, device="meta")})
        with pytest.raises(ParameterError, match=r"layout torch.sparse_coo"):
            Adam().init(torch.eye(2).to_sparse())

    def test_gradients(self) -> None:
        torch = pytest.importorskip("torch")
        p = torch.ones(2)
        with pytest.raises(GradientError, match="on device meta: expected cpu"):
            Adam().step(p, torch.ones(2, device="meta"), Adam().init(p))
        with pytest.raises(GradientError, match="to_dense"):
            Adam().step(p, p.to_sparse(), Adam().init(p))


def test_jax_without_64_bits() -> None:
    jax = pytest.importorskip("jax")
    with jax.enable_x64(False), pytest.raises(HyperparameterError, match="jax_enable_x64"):
        Adam(moment_dtype="float64").init(jax.numpy.ones(2))


def test_a_gradient_where_there_is_no_parameter() -> None:
    opt, params = Adam(), {"a": A, "b": None}
    with pytest.raises(GradientError, match=r"where params\['b'\] is None"):
        opt.step(params, {"a": A, "b": A}, opt.init(params))


def test_traced_values_are_not_looked_at() -> None:
    jax = pytest.importorskip("jax")
    opt, p = Adam(), jax.numpy.ones(2)
    q, _ = jax.jit(lambda p, s, lr: opt.step(p, p, s, lr=lr))(p, opt.init(p), -1.0)
    assert (q > p).all()


def test_a_backend_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from adamcore import registry

    entry = EntryPoint("math", "no_such_module:backend", registry.GROUP)
    monkeypatch.setattr(registry, "announced", lambda: (entry,))
    assert "math" in sys.modules
    with pytest.raises(BackendError, match="no_such_module"):
        Adam().init({"w": object()})
