"""adamcore.minimize: plain arrays of any library, callbacks, stopping, the bar."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, minimize
from adamcore._minimize import Progress
from adamcore.errors import GradientError, HyperparameterError


def bowl(x: Any) -> tuple[Any, Any]:
    return ((x - 3) ** 2).sum() if hasattr(x, "sum") else None, 2 * (x - 3)


def test_any_library(lib: Any) -> None:
    def fun(x: Any) -> tuple[Any, Any]:
        d = x - 3.0
        return float(np.sum(lib.numpy(d) ** 2)), 2.0 * d

    x0 = lib([0.0, 10.0])
    before = lib.bits(x0)
    result = minimize(fun, x0, lr=0.3, gtol=1e-3, steps=3000)
    assert result.success
    assert result.status == 1
    assert np.abs(lib.numpy(result.x) - 3).max() < 1e-3
    assert lib.bits(x0) == before
    assert type(result.x) is type(x0)


def test_is_adams_own_trajectory() -> None:
    adam = Adam.like("torch.AdamW", lr=0.1)
    x: Any = {"a": np.array([1.0, 2.0]), "b": [np.array(3.0)]}

    def fun(x: Any) -> tuple[float, Any]:
        return float((x["a"] ** 2).sum() + x["b"][0] ** 2), {"a": 2 * x["a"], "b": [2 * x["b"][0]]}

    result = minimize(fun, x, adam=adam, steps=7)
    state = adam.init(x)
    for _ in range(7):
        x, state = adam.step(x, fun(x)[1], state)
    assert (result.x["a"] == x["a"]).all()
    assert result.x["b"][0] == x["b"][0]
    assert (result.fun, result.nit, result.nfev) == (fun(x)[0], 7, 8)
    assert result.success
    assert result.message == "all 7 steps were made"
    on = minimize(fun, result.x, adam=adam, steps=5, state=result.state)
    once = minimize(fun, {"a": np.array([1.0, 2.0]), "b": [np.array(3.0)]}, adam=adam, steps=12)
    assert (on.x["a"] == once.x["a"]).all()


def test_rosenbrock_as_scipy_calls_it() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    x0 = np.array([-1.2, 1.0, 0.5])
    result = minimize(
        lambda x: (optimize.rosen(x), optimize.rosen_der(x)), x0, lr=0.02, steps=20000, gtol=1e-5
    )
    assert result.success
    assert np.abs(result.x - 1).max() < 1e-4
    assert set(dir(result)) >= {"x", "fun", "jac", "nit", "nfev", "success", "status", "message"}


def test_the_callback_sees_and_stops() -> None:
    seen: list[Progress] = []

    def callback(now: Progress) -> bool:
        seen.append(now)
        return now.nit == 3

    result = minimize(bowl, np.zeros(2), lr=0.1, callback=callback)
    assert [now.nit for now in seen] == [0, 1, 2, 3]
    assert [now.fun for now in seen] == sorted((now.fun for now in seen), reverse=True)
    assert (result.status, result.nit, result.success) == (2, 3, True)
    assert "callback" in result.message

    def raises(now: Progress) -> None:
        raise StopIteration

    assert minimize(bowl, np.zeros(2), callback=raises).nit == 0


def test_a_value_that_is_not_finite_ends_it() -> None:
    result = minimize(lambda x: (math.nan if x[0] > 0.25 else x[0], -np.ones(1)), np.zeros(1), lr=0.1)
    assert (result.success, result.status, result.nit) == (False, 3, 3)
    assert not minimize(lambda x: (1.0, np.full(1, np.nan)), np.zeros(1), gtol=1.0, steps=2).success


def test_keep_best() -> None:
    values = iter([3.0, 1.0, 2.0, 5.0])

    def fun(x: Any) -> tuple[float, Any]:
        return next(values), np.ones(1)

    result = minimize(fun, np.zeros(1), lr=0.5, steps=3, keep_best=True)
    assert result.fun == 1.0
    assert result.x == pytest.approx(-0.5)


def test_the_gradient_of_the_best_is_its_own_though_the_function_reuses_memory() -> None:
    memory = {"x": np.zeros(2)}

    def fun(x: Any) -> tuple[float, Any]:
        np.multiply(x["x"], 2.0, out=memory["x"])
        return float(np.sum(x["x"] ** 2)), memory

    result = minimize(fun, {"x": np.ones(2)}, lr=0.75, steps=3, keep_best=True)
    assert np.array_equal(result.jac["x"], 2.0 * result.x["x"])


@pytest.mark.parametrize("answer", [1.0, np.float64(1.0), (1.0,), np.zeros(2)], ids=str)
def test_a_function_that_returns_no_pair_is_told(answer: Any) -> None:
    with pytest.raises(GradientError, match="expected two things, the value and the gradient"):
        minimize(lambda x: answer, np.zeros(2), steps=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": -1}, "steps=-1"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"gtol": -1.0}, "gtol=-1.0"),
        ({"gtol": math.nan}, "gtol=nan"),
        ({"adam": Adam(), "lr": 0.1}, "adam and lr="),
        ({"b1": 1.0}, "b1=1.0"),
    ],
)
def test_wrong_calls(options: dict[str, Any], said: str) -> None:
    with pytest.raises(HyperparameterError, match=said):
        minimize(bowl, np.zeros(2), **options)


def test_a_wrong_gradient_is_named() -> None:
    with pytest.raises(GradientError, match="shape"):
        minimize(lambda x: (0.0, np.zeros(3)), np.zeros(2), steps=1)


@pytest.mark.parametrize("rich", [True, False])
def test_the_bar(rich: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.progress", None)
    minimize(bowl, np.zeros(2), lr=0.1, steps=5, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "100%" in captured.err if rich else "5/5" in captured.err
    minimize(bowl, np.zeros(2), lr=0.1, steps=5)
    assert capsys.readouterr().err == ""


def test_needs_no_framework() -> None:
    code = """
import sys
import numpy as np
from adamcore import minimize
minimize(lambda x: (float(x @ x), 2 * x), np.ones(3), steps=3, gtol=1e-9)
heavy = {"torch", "jax", "keras", "rich", "scipy", "flint"} & {m.partition(".")[0] for m in sys.modules}
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)
