"""Dask: the bits of NumPy from every chunk, lazily, also on Dask's distributed scheduler."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
import pytest
from disk_runs import arrays, in_memory, same_numbers, same_trees

from adamcore import Adam, AdamState
from adamcore.errors import BackendError, GradientError, ParameterError

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
chunks = importlib.import_module("adamcore.backends.dask.chunks")
backend = importlib.import_module(
    "adamcore.backends.dask.backend"
)  # the package shows an object of this name

SIZES = {"a": (7, 11), "b": (), "c": (0, 3), "d": (50,), "e": (3, 5, 7)}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("float32", {"amsgrad": "corrected", "nesterov": "dozat", "decay": "decoupled"}),
    ("complex64", {"complex": "modulus", "clock": "global"}),
    ("float64", {"missing": "zero", "cautious_decay": True, "decay": "decoupled"}),
    ("float16", {"p_storage": "master", "m_dtype": "float32"}),
    ("bfloat16", {"p_storage": "split"}),
    ("bfloat16", {"p_storage": "stochastic", "seed": 5}),
]


def lazy(found: Any, chunk: int) -> Any:
    """Return arrays of Dask's; None stays."""
    return {name: None if x is None else da.from_array(x, chunks=chunk) for name, x in found.items()}


def gradients(k: int, dtype: str) -> Any:
    return {n: None if (n, k) == ("a", 1) else g for n, g in arrays(k + 1, dtype, SIZES).items()}


def run(adam: Adam, dtype: str, steps: int, **options: Any) -> tuple[Any, AdamState]:
    """Return parameters and state after steps, not computed; the gradients are in other chunks."""
    params = lazy(arrays(0, dtype, SIZES), 3)
    state = adam.init(params)
    for k in range(steps):
        params, state = adam.step(params, lazy(gradients(k, dtype), 4), state, **options)
    return params, state


def assert_same(found: tuple[Any, Any], wanted: tuple[Any, Any]) -> None:
    (params, state), (p, s) = dask.compute(*found), wanted
    assert same_trees(params, p)
    for part in s._fields:
        a, b = getattr(state, part), getattr(s, part)
        assert same_numbers(a, b) if part in ("t", "mu_product") else same_trees(a, b)


@pytest.mark.parametrize(("dtype", "axes"), CASES)
def test_bits(dtype: str, axes: dict[str, Any]) -> None:
    adam = Adam(lr=0.01, weight_decay=0.1, **axes)
    options: dict[str, Any] = {"lr": 0.02, "grad_scale": 3.0}
    found = run(adam, dtype, 3, **options)
    assert found[0]["a"].chunks == ((3, 3, 1), (3, 3, 3, 2))
    assert_same(found, in_memory(adam, arrays(0, dtype, SIZES), 3, lambda k: gradients(k, dtype), **options))


def test_a_mask() -> None:
    mask = np.arange(7) % 2 == 0
    adam, p, g = Adam(lr=0.1), arrays(0, sizes={"a": (4, 7)})["a"], arrays(1, sizes={"a": (4, 7)})["a"]
    lazy_p, lazy_g = (da.from_array(x, chunks=2) for x in (p, g))
    found = adam.step(lazy_p, lazy_g, adam.init(lazy_p), present=da.from_array(mask))
    wanted, _ = adam.step(p, g, adam.init(p), present=mask)
    assert found[0].compute().tobytes() == wanted.tobytes()


def test_nothing_is_computed_until_it_is_asked_for() -> None:
    class Refused(Exception):
        pass

    def refuse(*_: Any, **__: Any) -> None:
        raise Refused

    with dask.config.set(scheduler=refuse):
        params, state = run(Adam(nesterov="dozat"), "float32", 3)
        with pytest.raises(Refused):
            params["d"].compute()
    assert (state.t["d"], state.t["a"], state.t["c"]) == (3, 2, 3)


def test_each_chunk_is_stepped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @functools.wraps(chunks.step_chunk)
    def counted(*given: Any, **options: Any) -> Any:
        if options["block_info"][0]["array-location"]:
            seen.append(given[0].shape)
        return chunks.step_chunk(*given, **options)

    monkeypatch.setattr(backend, "step_chunk", counted)
    params, state = run(Adam(), "float32", 1)
    seen.clear()  # Dask calls it once to look at it
    dask.compute(params["d"], state.m["d"], state.v["d"], scheduler="synchronous")
    assert sorted(seen) == [(2,)] + [(3,)] * 16


def test_what_is_refused() -> None:
    p = da.ones(6, chunks=2)
    with pytest.raises(BackendError, match="moments in 8 bits with arrays of Dask"):
        Adam(m_storage="companded8").init(p)
    with pytest.raises(ParameterError, match="compute_chunk_sizes"):
        Adam().init(p[p > 0])
    with pytest.raises(GradientError, match="ndarray: expected an array of dask"):
        Adam().step(p, np.ones(6), Adam().init(p))


@pytest.mark.filterwarnings("default")  # of other libraries, in their threads
def test_the_distributed_scheduler(cluster: Any) -> None:
    """A process of its own, with two threads; between steps the arrays stay there."""
    distributed = pytest.importorskip("distributed")
    sizes = {"a": (7, 11), "d": (50,)}
    adam, start = Adam(lr=0.01, p_storage="stochastic", amsgrad="corrected"), arrays(0, "bfloat16", sizes)
    with distributed.Client(cluster):
        params = lazy(start, 5)
        state = adam.init(params)
        for k in range(2):
            grads = lazy(arrays(k + 1, "bfloat16", sizes), 20)
            params, state = dask.persist(*adam.step(params, grads, state))
        assert_same((params, state), in_memory(adam, start, 2, lambda k: arrays(k + 1, "bfloat16", sizes)))
