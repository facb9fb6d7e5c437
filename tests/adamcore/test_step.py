"""A step: against the optimizers of PyTorch and optax, across libraries, in place, and refused."""

from __future__ import annotations

import copy
import cProfile
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from cases import some
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
SHAPES = {"w": (3, 4), "b": (5,), "s": (), "e": (0, 2)}
HYPER: dict[str, Any] = {"lr": 0.03, "b1": 0.8, "b2": 0.95, "eps": 1e-4}


def data(
    steps: int = 20, dtype: str = "float64"
) -> tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]]]:
    """Parameters and gradients, tiny and huge ones among them."""
    rng = np.random.default_rng(1)
    params = {k: np.asarray(rng.normal(size=s), dtype=dtype) for k, s in SHAPES.items()}
    scale = 10.0 ** rng.uniform(-3, 2, size=steps)
    grads = [{k: np.asarray(c * rng.normal(size=s), dtype=dtype) for k, s in SHAPES.items()} for c in scale]
    return params, grads


def run(lib: Any, opt: Adam, steps: int = 20, dtype: str = "float64") -> dict[str, np.ndarray]:
    start, grads = data(steps, dtype)
    params: Any = {k: lib(x, dtype) for k, x in start.items()}
    state = opt.init(params)
    for g in grads:
        params, state = opt.step(params, {k: lib(x, dtype) for k, x in g.items()}, state)
    assert [int(t) for t in state.t.values()] == [steps] * len(SHAPES)
    return {k: lib.numpy(x) for k, x in params.items()}


def close(got: dict[str, np.ndarray], want: dict[str, np.ndarray], rtol: float = 1e-12) -> None:
    for k in SHAPES:
        assert got[k].shape == SHAPES[k]
        np.testing.assert_allclose(got[k], want[k], rtol=rtol, atol=1e-14)


TORCH: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "adam": ("Adam", {}, {}),
    "adam-l2": ("Adam", {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    "adamw": ("AdamW", {"weight_decay": 0.1}, {"weight_decay": 0.1, "decay": "decoupled"}),
    "amsgrad": ("Adam", {"amsgrad": True}, {"amsgrad": "uncorrected"}),
    "maximize": ("Adam", {"maximize": True, "weight_decay": 0.1}, {"maximize": True, "weight_decay": 0.1}),
    "nadam": ("NAdam", {"momentum_decay": 0.01}, {"nesterov": "dozat", "momentum_decay": 0.01}),
    "nadamw": (
        "NAdam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"nesterov": "dozat", "weight_decay": 0.1, "decay": "decoupled"},
    ),
}


@pytest.mark.parametrize("case", TORCH)
def test_torch_optim(lib: Any, case: str) -> None:
    torch = pytest.importorskip("torch")
    name, theirs, ours = TORCH[case]
    start, grads = data()
    params = {k: torch.nn.Parameter(torch.from_numpy(x.copy())) for k, x in start.items()}
    hyper = {"lr": HYPER["lr"], "betas": (HYPER["b1"], HYPER["b2"]), "eps": HYPER["eps"]}
    optimizer = getattr(torch.optim, name)(params.values(), **hyper, **theirs)
    for g in grads:
        for k, p in params.items():
            p.grad = torch.from_numpy(g[k].copy())
        optimizer.step()
    # NAdam keeps its momentum product in float32
    rtol = 1e-5 if name == "NAdam" else 1e-12
    close(run(lib, Adam(**HYPER, **ours)), {k: p.detach().numpy() for k, p in params.items()}, rtol)


OPTAX: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "adam": (lambda o: o.adam, {}),
    "eps_root": (lambda o: lambda *a, **k: o.adam(*a, **k, eps_root=1e-3), {"eps_root": 1e-3}),
    "adamw": (
        lambda o: lambda *a, **k: o.adamw(*a, **k, weight_decay=0.1),
        {"weight_decay": 0.1, "decay": "decoupled"},
    ),
    "amsgrad": (lambda o: o.amsgrad, {"amsgrad": "corrected"}),
    "nadam": (lambda o: o.nadam, {"nesterov": "optax"}),
}


@pytest.mark.parametrize("case", OPTAX)
def test_optax(lib: Any, case: str) -> None:
    close(run(lib, Adam(**HYPER, **OPTAX[case][1])), steps_of_optax(case))


@cache
def steps_of_optax(case: str) -> dict[str, np.ndarray]:
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    make, _ = OPTAX[case]
    start, grads = data()
    with jax.enable_x64(True):
        transform = make(optax)(HYPER["lr"], **{k: HYPER[k] for k in ("b1", "b2", "eps")})
        params: Any = {k: jax.numpy.asarray(x) for k, x in start.items()}
        state, update = transform.init(params), jax.jit(transform.update)
        for g in grads:
            moves, state = update(g, state, params)
            params = optax.apply_updates(params, moves)
        return {k: np.asarray(x) for k, x in params.items()}


class TestStorage:
    def test_inputs_are_not_modified(self, lib: Any) -> None:
        p, g = {"a": lib([1.0, 2.0])}, {"a": lib([3.0, 4.0])}
        opt = Adam(weight_decay=0.1, amsgrad="uncorrected", nesterov="dozat")
        _, state = opt.step(p, g, opt.init(p))
        before = [lib.bits(x) for x in (p["a"], g["a"], *(part["a"] for part in state if part is not None))]
        opt.step(p, g, state)
        assert before == [
            lib.bits(x) for x in (p["a"], g["a"], *(part["a"] for part in state if part is not None))
        ]

    @pytest.mark.parametrize("dtype", ["float32", "complex64"])
    def test_donated_storage_is_reused(self, dtype: str) -> None:
        p = np.ones((2, 3), dtype=dtype)
        opt = Adam(amsgrad="corrected")
        state = opt.init(p)
        want, want_state = opt.step(p, p.copy(), state)
        q, new = opt.step(p, p.copy(), state, donate=True)
        assert q is p
        assert new.m is state.m
        assert new.v is state.v
        assert new.v_max is state.v_max
        np.testing.assert_array_equal(q, want)
        np.testing.assert_array_equal(new.v, want_state.v)

    def test_donated_torch_parameter(self) -> None:
        torch = pytest.importorskip("torch")
        p = torch.nn.Parameter(torch.ones(2))
        address, opt = p.data_ptr(), Adam(lr=0.5)
        q, _ = opt.step(p, torch.ones(2), opt.init(p), donate=True)
        assert q is p
        assert p.data_ptr() == address
        assert p.tolist() == pytest.approx([0.5, 0.5])

    def test_a_new_tensor_asks_for_its_gradient(self) -> None:
        torch = pytest.importorskip("torch")
        p, opt = torch.ones(2, requires_grad=True), Adam()
        q, state = opt.step(p, torch.ones(2), opt.init(p))
        assert q.requires_grad
        assert q.is_leaf
        assert not state.m.requires_grad

    def test_read_only(self) -> None:
        p = np.ones(3)
        p.flags.writeable = False
        for donate in (False, True):
            q, _ = Adam(lr=0.5, eps=0.0).step(p, p, Adam().init(p), donate=donate)
            assert q.tolist() == [0.5] * 3
            assert p.tolist() == [1.0] * 3

    @pytest.mark.parametrize("donate", [False, True])
    def test_layouts(self, donate: bool) -> None:
        base = np.arange(1.0, 25.0).reshape(4, 6)
        want, _ = Adam(lr=0.5).step(base.copy(), base, Adam().init(base))
        for view in (np.asfortranarray(base), np.repeat(base, 2, 0)[::2], base[::-1][::-1], base.T.copy().T):
            p = view.copy() if not donate else np.array(view, order="K")
            q, _ = Adam(lr=0.5).step(p, view, Adam().init(p), donate=donate)
            np.testing.assert_array_equal(q, want)

    def test_zero_dimensional_results_are_arrays(self) -> None:
        p, state = Adam().step(np.asarray(1.0), np.float64(2.0), Adam().init(np.asarray(1.0)))
        assert isinstance(p, np.ndarray)
        assert isinstance(state.m, np.ndarray)


class TestComplex:
    def test_componentwise_is_two_reals(self, lib: Any) -> None:
        opt = Adam(lr=0.1, weight_decay=0.1, amsgrad="uncorrected")
        p, g = np.array([1 + 2j, -1 - 1j]), np.array([0.5 - 3j, 1e-3 + 1j])
        z, pair = lib(p, "complex128"), [lib(p.real), lib(p.imag)]
        state, states = opt.init(z), opt.init(pair)
        for k in range(1, 4):
            z, state = opt.step(z, lib(k * g, "complex128"), state)
            pair, states = opt.step(pair, [lib(k * g.real), lib(k * g.imag)], states)
        for whole, parts in (
            (z, pair),
            (state.m, states.m),
            (state.v, states.v),
            (state.v_max, states.v_max),
        ):
            np.testing.assert_allclose(lib.numpy(whole).real, lib.numpy(parts[0]), rtol=1e-14)
            np.testing.assert_allclose(lib.numpy(whole).imag, lib.numpy(parts[1]), rtol=1e-14)

    def test_modulus_has_one_real_v(self, lib: Any) -> None:
        opt = Adam(lr=0.1, complex="modulus", eps=0.0, amsgrad="corrected")
        p = lib([3 + 4j], "complex64")
        q, state = opt.step(p, lib([3 + 4j], "complex64"), opt.init(p))
        assert lib.numpy(state.v).dtype == lib.numpy(state.v_max).dtype == np.float32
        np.testing.assert_allclose(lib.numpy(q), [3 + 4j - 0.1 * (3 + 4j) / 5], rtol=1e-6)

    @pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
    def test_parts_do_not_leak(self, lib: Any, value: float) -> None:
        opt, p = Adam(lr=0.5, eps=0.0), lib([1 + 1j, 1 + 1j, 1 + 1j], "complex128")
        g = lib([complex(1, value), complex(value, 1), 1 + 1j], "complex128")
        with np.errstate(all="ignore"):  # array-api-strict computes with NumPy, and warns as it does
            q, state = opt.step(p, g, opt.init(p))
        for x, one in ((q, 0.5), (state.m, 0.1), (state.v, 0.001)):
            x = lib.numpy(x)
            np.testing.assert_allclose([x[0].real, x[1].imag, x[2].real, x[2].imag], one)
            assert not np.isfinite([x[0].imag, x[1].real]).any()
        assert lib.numpy(state.m)[0].imag == pytest.approx(0.1 * value, nan_ok=True)

    def test_torch_agrees(self) -> None:
        torch = pytest.importorskip("torch")
        z = torch.nn.Parameter(torch.tensor([1 + 2j, -0.5j], dtype=torch.complex128))
        ours, opt, theirs = z.detach().clone(), Adam(lr=0.1), torch.optim.Adam([z], lr=0.1)
        state = opt.init(ours)
        for k in range(4):
            g = torch.tensor([k - 1j, 2 + k * 1j], dtype=torch.complex128)
            z.grad = g.clone()
            theirs.step()
            ours, state = opt.step(ours, g, state)
        np.testing.assert_allclose(ours.numpy(), z.detach().numpy(), rtol=1e-12)


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


# Large trees -------------------------------------------------------------------------------------


def parts(tree: Any, start: int, stop: int) -> Any:
    return {k: x for k, x in tree.items() if start <= int(k) < stop}


CHANGES = ["nothing", "clocks", "gradients", "masks", "dtypes", "layouts"]


@pytest.mark.parametrize(("changed", "donate"), some(product(CHANGES, (False, True)), 7))
def test_the_leaves_of_a_large_tree_are_stepped_as_in_small_trees(
    lib: Any, donate: bool, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "LARGE", 8)
    n, rng = 24, np.random.default_rng(3)  # so many that NumPy's are looked at by machine code
    values = {str(k): rng.normal(size=(2, 3)) for k in range(n)}
    small = {k: "float32" if changed == "dtypes" and int(k) % 7 == 0 else "float64" for k in values}

    def make(x: np.ndarray, k: str) -> Any:
        made = lib(x, small[k])
        return made.T if changed == "layouts" and int(k) % 5 == 0 else made

    adam = Adam(lr=0.1, weight_decay=0.01, decay="decoupled", amsgrad="uncorrected")
    whole = {k: make(x, k) for k, x in values.items()}
    pieces = [parts({k: make(x, k) for k, x in values.items()}, i, i + 4) for i in range(0, n, 4)]
    state, states = adam.init(whole), [adam.init(piece) for piece in pieces]
    for step in range(3):
        grads = {k: make(np.cos(x * (step + 1)), k) for k, x in values.items()}
        present = None
        if changed == "gradients" and step:
            grads = {k: None if int(k) % 3 == step else g for k, g in grads.items()}
        if changed == "masks":
            present = {k: int(k) % 4 != step for k in grads}
        if changed == "clocks" and step == 1:
            part = [k for k in grads if int(k) % 9 == 0]
            state = adam.reset(state, {k: k in part for k in whole})
            states = [
                adam.reset(s, {k: k in part for k in piece}) for s, piece in zip(states, pieces, strict=True)
            ]
        whole, state = adam.step(whole, copies(lib, grads), state, present=present, donate=donate)
        for i, piece in enumerate(pieces):
            g, there = parts(copies(lib, grads), 4 * i, 4 * i + 4), None
            if present is not None:
                there = parts(present, 4 * i, 4 * i + 4)
            pieces[i], states[i] = adam.step(piece, g, states[i], present=there, donate=donate)
    for i, piece in enumerate(pieces):
        for ours, theirs in ((whole, piece), *zip(state[:4], states[i][:4], strict=True)):
            for k, x in theirs.items():
                assert lib.numpy(ours[k]).tobytes() == lib.numpy(x).tobytes()


def copies(lib: Any, grads: dict[str, Any]) -> dict[str, Any]:
    return {k: None if g is None else g + 0 for k, g in grads.items()}


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


@pytest.mark.parametrize("donate", [False, True])
def test_a_large_tree_costs_few_calls_a_leaf(donate: bool) -> None:
    """A step of 100,000 arrays took seconds while each leaf had its checks to itself (some 130 calls)."""
    n = 2000
    params = [np.ones(3, "f") for _ in range(n)]
    adam = Adam()
    params, state = adam.step(params, params, adam.init(params))
    grads = [np.ones(3, "f") for _ in range(n)]
    profile = cProfile.Profile()
    profile.runcall(adam.step, params, grads, state, donate=donate)
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls < (70 if donate else 8) * n
