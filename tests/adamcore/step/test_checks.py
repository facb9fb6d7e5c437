"""A step that is refused: which error, with which words, and that nothing has changed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from small_trees import layered

from adamcore import Adam, trees
from adamcore.errors import (
    AdamcoreError,
    ClockError,
    GradientError,
    HyperparameterError,
    MaskError,
    StateError,
    TreeError,
)

A = np.ones(3)


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
    params, grads = layered(), layered()
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


def test_a_gradient_where_there_is_no_parameter() -> None:
    opt, params = Adam(), {"a": A, "b": None}
    with pytest.raises(GradientError, match=r"where params\['b'\] is None"):
        opt.step(params, {"a": A, "b": A}, opt.init(params))


def test_traced_values_are_not_looked_at() -> None:
    jax = pytest.importorskip("jax")
    opt, p = Adam(), jax.numpy.ones(2)
    q, _ = jax.jit(lambda p, s, lr: opt.step(p, p, s, lr=lr))(p, opt.init(p), -1.0)
    assert (q > p).all()


def test_gradients_of_torch() -> None:
    torch = pytest.importorskip("torch")
    p = torch.ones(2)
    with pytest.raises(GradientError, match="on device meta: expected cpu"):
        Adam().step(p, torch.ones(2, device="meta"), Adam().init(p))
    with pytest.raises(GradientError, match="to_dense"):
        Adam().step(p, p.to_sparse(), Adam().init(p))


def test_one_bad_leaf_of_a_large_tree_is_named(lib: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "LARGE", 8)
    params = {str(k): lib([1.0]) for k in range(9)}
    adam = Adam()
    state = adam.init(params)
    with pytest.raises(GradientError, match=r"grads\['7'\] is of shape \(2,\): expected \(1,\)"):
        adam.step(params, params | {"7": lib([1.0, 2.0])}, state)
    with pytest.raises(StateError, match=r"state.v\['5'\] is of dtype "):
        adam.step(params, params, state._replace(v=state.v | {"5": lib([1.0], "float32")}))
    with pytest.raises(StateError, match=r"state.m\['3'\] is str"):
        adam.step(params, params, state._replace(m=state.m | {"3": "m"}))
    with pytest.raises(TreeError, match=r"\['8'\] and params\['4'\] are the same array"):
        adam.step(params | {"8": params["4"]}, params, state)
    with pytest.raises(ClockError, match=r"state.t\['6'\] is -1"):
        adam.step(params, params, state._replace(t=state.t | {"6": -1}))
    with pytest.raises(TreeError, match=r"grads has no leaf grads\['1'\]"):
        adam.step(params, params | {"1": {"x": lib([1.0])}}, state)
