"""NumPy's fast paths give the definition's bits, in machine code and in blocks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from fast import adams, bits, definition_alone, gradients, probed, trajectory

from adamcore import Adam
from adamcore.backends.kernels import llvm
from adamcore.backends.numpy import backend


@pytest.fixture(params=["machine", "blocks"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each fast path."""
    if request.param == "machine":
        pytest.importorskip("llvmlite")
    else:
        monkeypatch.setattr(llvm, "available", lambda: False)
    return str(request.param)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("donate", [False, True])
@pytest.mark.parametrize("part", [3, pytest.param(1, marks=pytest.mark.slow)])  # of all
def test_bits_of_the_definition(path: str, dtype: str, donate: bool, part: int) -> None:
    for adam in adams((14 if path == "machine" else 40) // part, seed=donate):
        with definition_alone(backend):
            want = trajectory(adam, np.array, np.asarray, dtype, False)
        assert trajectory(adam, np.array, np.asarray, dtype, donate) == want, adam


@pytest.mark.parametrize("every", [7, pytest.param(3, marks=pytest.mark.slow)])
def test_probes_in_place(path: str, every: int) -> None:
    from adamcore.conformance.candidates.own import Numpy

    claims = [Adam(), Adam(decay="decoupled"), Adam(amsgrad="corrected", decay="decoupled", clock="global")]
    assert probed(Numpy("numpy"), claims, every=every) == []


def test_in_place_means_in_place(path: str) -> None:
    params = [np.ones(5000, "f"), np.ones(3, "f")]
    state = Adam().init(params)
    for k in range(3):
        new, after = Adam().step(params, [np.ones(5000, "f"), np.ones(3, "f")], state, donate=True)
        assert all(a is b for a, b in zip(new, params, strict=True))
        assert all(a is b for a, b in zip(after.m + after.v, state.m + state.v, strict=True))
        assert [int(t) for t in after.t] == [k + 1] * 2
        params, state = new, after


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[::2],
        lambda x: np.asfortranarray(x.reshape(2, -1)),
        lambda x: x.astype("f2"),
        lambda x: x.astype(">f4"),
        lambda x: np.frombuffer(x.tobytes() + b"x", np.uint8)[1:].copy()[: x.nbytes].view("f"),
        lambda x: readonly(x),
        lambda x: x.astype("g"),
    ],
)
def test_what_is_not_served_falls_back(path: str, change: Any) -> None:
    def run() -> Any:
        params = [change(np.linspace(-1, 1, 30, dtype="f"))]
        grads = [change(np.linspace(2, -1, 30, dtype="f"))]
        adam = Adam(lr=0.1)
        state = adam.init(params)
        for _ in range(3):
            params, state = adam.step(params, grads, state, donate=True)
        return params[0]

    with definition_alone(backend):
        want = run()
    got = run()
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def readonly(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


def test_gradient_in_the_parameters_memory(path: str) -> None:
    def run() -> bytes:
        memory = np.linspace(-1, 1, 101, dtype="f")
        params, grads = [memory[:-1]], [memory[1:]]
        new, _ = Adam(lr=0.1).step(params, grads, Adam().init(params), donate=True)
        return new[0].tobytes()

    with definition_alone(backend):
        want = run()
    assert run() == want


def test_extra_memory_in_place(path: str) -> None:
    import tracemalloc

    params = [np.ones(1 << 20, "f")]
    grads, adam = [np.ones(1 << 20, "f")], Adam()
    state = adam.init(params)
    params, state = adam.step(params, grads, state, donate=True)
    tracemalloc.start()
    adam.step(params, grads, state, donate=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_cached_steps_hold_no_array_alive_and_notice_changes(path: str) -> None:
    import gc
    import pickle
    import weakref

    adam = Adam(lr=0.1)
    params = {"a": np.ones(9, "f"), "b": np.ones((2, 2), "f")}
    grads = {"a": np.ones(9, "f"), "b": None}
    state = adam.init(params)
    for _ in range(3):
        params, state = adam.step(params, grads, state, donate=True)
    assert {k: int(t) for k, t in state.t.items()} == {"a": 3, "b": 0}
    params, state = adam.step(params, {"b": np.ones((2, 2), "f"), "a": None}, state, donate=True)
    assert {k: int(t) for k, t in state.t.items()} == {"a": 3, "b": 1}
    state.t["a"][...] = 7  # a clock that somebody sets is the clock
    params, state = adam.step(params, grads, state, donate=True)
    assert int(state.t["a"]) == 8
    assert pickle.loads(pickle.dumps(adam)) == adam
    reference = weakref.ref(params["a"])
    del params, state
    gc.collect()
    assert reference() is None


def test_errors_are_those_of_all_checks(path: str) -> None:
    from adamcore.errors import GradientError, HyperparameterError, TreeError

    adam, params = Adam(), {"a": np.ones(3, "f")}
    state = adam.init(params)
    params, state = adam.step(params, {"a": np.ones(3, "f")}, state, donate=True)
    for grads, lr, error in [
        ({"a": np.ones(4, "f")}, None, GradientError),
        ({"a": np.ones(3)}, None, GradientError),
        ({"a": 1.0}, None, GradientError),
        ({"b": np.ones(3, "f")}, None, TreeError),
        ({"a": np.ones(3, "f")}, -1.0, HyperparameterError),
        ({"a": np.ones(3, "f")}, float("nan"), HyperparameterError),
    ]:
        before = params["a"].tobytes(), int(state.t["a"])
        with pytest.raises(error):
            adam.step(params, grads, state, lr=lr, donate=True)
        assert (params["a"].tobytes(), int(state.t["a"])) == before


def test_overflow_comes_late() -> None:
    """(w2*g)*g, so that a float32 gradient of 1e20 still moves its parameter by lr."""
    p, g, adam = np.zeros(1, "f"), np.full(1, 1e20, "f"), Adam(lr=0.1)
    p, _ = adam.step(p, g, adam.init(p))
    np.testing.assert_allclose(p, -0.1, rtol=1e-5)
    with np.errstate(over="ignore"):
        assert np.isinf(g * g)


def test_gradients_helper_has_every_kind() -> None:
    g = np.concatenate([x.ravel() for x in gradients(0, "float32")])
    assert (g == 0).any()
    assert np.abs(g).max() > 1e4


@pytest.mark.parametrize("lrs", [(0.8, 0.8, 0.1, 0.1), (0.1, 0.1, 0.8, 0.8)])
def test_a_decay_that_passes_one_half(path: str, lrs: tuple[float, ...]) -> None:
    """Where lr*weight_decay is above 1/2 the program is another (NUM.4); a cached step may not keep it."""
    adam = Adam(decay="decoupled", weight_decay=1.0)
    p = q = np.linspace(-1, 1, 9, dtype="f")
    q, g = q.copy(), np.ones(9, "f")
    state, other = adam.init(p), adam.init(q)
    for lr in lrs:
        p, state = adam.step(p, g, state, lr=lr)
        q, other = adam.step(q, g, other, lr=lr, donate=True)
        assert p.tobytes() == q.tobytes()


LAYOUTS: dict[str, Any] = {
    "Fortran": lambda x: np.asarray(x, order="F"),
    "channels last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
    "swapped": lambda x: np.swapaxes(np.ascontiguousarray(np.swapaxes(x, 0, 2)), 0, 2),
}
DENSE: list[tuple[int, ...]] = [(3, 5, 2, 4), (40, 3, 50, 1), (1, 1, 7, 1), (2, 0, 3, 1)]


def stepped(adam: Adam, make: Any, dtype: str, donate: bool) -> list[bytes]:
    """The bits after each of four steps of arrays that ``make`` lays out."""
    params = [make(g) for g in numbers(9, dtype)]
    state, seen = adam.init(params), []
    for k in range(4):
        before = params
        params, state = adam.step(params, [make(g) for g in numbers(k, dtype)], state, donate=donate)
        assert not donate or all(x is y for x, y in zip(params, before, strict=True))
        assert [order(x) for x in params] == [order(x) for x in state.m] == [order(x) for x in before]
        trees = (params, state.m, state.v, state.v_max or [])
        seen.append(b"".join(bits(reals(x)) for tree in trees for x in tree))
    return seen


def order(x: np.ndarray) -> list[int]:
    return [stride for stride, size in zip(x.strides, x.shape, strict=True) if size > 1]


def reals(x: np.ndarray) -> np.ndarray:
    return np.stack([x.real, x.imag]) if x.dtype.kind == "c" else x


def numbers(step: int, dtype: str) -> list[np.ndarray]:
    real = gradients(step, "float64", DENSE)
    if not dtype.startswith("complex"):
        return [x.astype(dtype) for x in real]
    other = gradients(step + 50, "float64", DENSE)
    made = [(x + 1j * y).astype(dtype) for x, y in zip(real, other, strict=True)]
    made[0][0, 0, 0, 0] = complex(np.inf, 1.0)
    return made


@pytest.mark.parametrize("donate", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_dense_and_complex_arrays_are_served(path: str, dtype: str, layout: str, donate: bool) -> None:
    for adam in (Adam(lr=0.1), Adam(amsgrad="uncorrected", weight_decay=0.1, decay="decoupled")):
        with definition_alone(backend):
            want = stepped(adam, LAYOUTS[layout], dtype, False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(backend), "apply_one", lambda *_: pytest.fail("the definition ran"))
            assert stepped(adam, LAYOUTS[layout], dtype, donate) == want


def test_a_gradient_of_another_layout_is_noticed(path: str) -> None:
    p, g = np.asarray(np.arange(6.0).reshape(2, 3), order="F"), np.arange(6.0).reshape(2, 3)
    want, _ = Adam(lr=0.1).step(p, g, Adam().init(p))
    adam = Adam(lr=0.1)
    state = adam.init(p)
    for gradient in (np.asarray(g, order="F"), g):
        got, _ = adam.step(np.copy(p, order="K"), gradient, adam.init(p), donate=True)
        assert got.tobytes() == want.tobytes()
    p, state = adam.step(p, np.asarray(g, order="F"), state, donate=True)
    again, _ = adam.step(np.copy(p, order="K"), g, copy.deepcopy(state))
    p, state = adam.step(p, g, state, donate=True)
    assert p.tobytes() == again.tobytes()


def test_masks_are_served_by_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite")
    rng = np.random.default_rng(0)
    shapes = [(3,), (16,), (37,), (5, 40), (70_001,)]

    def run(donate: bool, order: Any) -> list[bytes]:
        adam = Adam(lr=0.1, amsgrad="corrected", weight_decay=0.1, decay="decoupled")
        params: Any = [np.asarray(g, order=order) for g in gradients(7, "float32", shapes)]
        masks = [np.asarray(rng.random(s) < 0.5, order=order) for s in shapes]
        present: Any = [*masks[:-2], *masks[-2:-1], True]
        state, seen = adam.init(params), []
        for k in range(3):
            grads = [np.asarray(g, order=order) for g in gradients(k, "float32", shapes)]
            before = params
            params, state = adam.step(params, grads, state, present=present, donate=donate)
            assert not donate or all(x is y for x, y in zip(params, before, strict=True))
            seen += [bits(x) for tree in (params, state.m, state.v, state.v_max) for x in tree]
            if k == 0:
                present[-1] = masks[-1]
        return seen

    for order in "CF":
        rng = np.random.default_rng(0)
        with definition_alone(backend):
            want = run(False, order)
        for donate in (False, True):
            rng = np.random.default_rng(0)
            with monkeypatch.context() as patch:
                patch.setattr(type(backend), "apply_one", lambda *_: pytest.fail("the definition ran"))
                assert run(donate, order) == want
