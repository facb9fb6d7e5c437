"""A step: against the optimizers of PyTorch and optax, across libraries, and in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from adamcore import Adam

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
