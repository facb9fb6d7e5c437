"""Backends nobody wrote for: any array-API namespace, and one announced by another package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam, registry

AXES: list[dict[str, Any]] = [
    {"weight_decay": 0.1},
    {"amsgrad": "corrected", "nesterov": "dozat", "weight_decay": 0.1, "decay": "decoupled"},
    {"weight_decay": 0.1, "decay": "decoupled", "cautious_decay": True},
    {"clock": "global", "epsilon": "inside-uncorrected", "maximize": True},
]


@pytest.mark.parametrize("axes", AXES)
def test_dask(axes: dict[str, Any]) -> None:
    da = pytest.importorskip("dask.array")
    opt, p = Adam(lr=0.1, **axes), np.arange(1.0, 7.0)
    lazy, want = {"w": da.from_array(p, chunks=2)}, {"w": p}
    state, want_state = opt.init(lazy), opt.init(want)
    for k in (1.0, -2.0):
        lazy, state = opt.step(lazy, {"w": k * da.from_array(p, chunks=3)}, state)
        want, want_state = opt.step(want, {"w": k * p}, want_state)
    assert isinstance(lazy["w"], da.Array)
    assert lazy["w"].dtype == p.dtype
    np.testing.assert_allclose(lazy["w"].compute(), want["w"], rtol=1e-14)


def test_dask_mask_and_absence() -> None:
    da = pytest.importorskip("dask.array")
    opt, p = Adam(lr=0.5, eps=0.0), da.ones(4, chunks=2)
    q, state = opt.step(p, p, opt.init(p), present=da.from_array(np.arange(4) % 2 == 0, chunks=2))
    np.testing.assert_allclose(q.compute(), [0.5, 1, 0.5, 1])
    r, after = opt.step(q, p, state, present=da.from_array(np.asarray(False)))
    assert r is q
    assert int(after.t) == 1


def test_strict_namespace_with_a_device_of_its_own() -> None:
    xp = pytest.importorskip("array_api_strict")
    device = xp.Device("device1")
    p, opt = xp.ones(3, device=device), Adam(lr=0.5, amsgrad="corrected", nesterov="dozat")
    q, state = opt.step(p, p, opt.init(p), lr=xp.asarray(0.25, device=device))
    assert {x.device for x in (q, *state) if x is not None} == {device}


def test_coefficients_only_the_program_knows(lib: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the host's knowledge taken away each library forms them in 0-d arrays, and as well."""
    opt = Adam(lr=0.1, weight_decay=0.1, nesterov="dozat", decay="decoupled-corrected")
    start = {"a": lib([1.0, 2.0], "float32"), "b": lib([1 + 2j, 3j], "complex64")}
    results = []
    for known in (True, False):
        if not known:
            monkeypatch.setattr(type(registry.backend_for(start)), "host", lambda self, x: None)
        params, state = start, opt.init(start)
        for _ in range(3):
            params, state = opt.step(params, start, state)
        results.append([lib.numpy(part[k]) for part in (params, *state) if part is not None for k in "ab"])
    for x, y in zip(*results, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("library", ["numpy", "torch", "jax", "jax.jit"])
def test_float64_is_rounded_to_16_bits_once(library: str, dtype: str) -> None:
    """A number beside a middle, by less than float32 has: the casts of the libraries make it the middle."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    narrow = np.dtype(getattr(ml_dtypes, dtype, dtype))
    start = {"bfloat16": 0x3F00, "float16": 0x0010}[dtype]
    numbers = np.arange(start, start + 400, dtype=np.uint16).view(narrow).astype("float64")
    low, high = numbers[:-1], numbers[1:]
    middle = (low + high) / 2
    given = np.concatenate([s * np.nextafter(middle, s0 * 9.0) for s in (1, -1) for s0 in (-1, 1)])
    want = np.concatenate([low, high, -low, -high])
    if library == "numpy":
        got = registry.backend_for(given).rounded(given, narrow)  # type: ignore[attr-defined]
    elif library == "torch":
        torch = pytest.importorskip("torch")
        x = torch.from_numpy(given)
        backend: Any = registry.backend_for(x)
        got = backend.rounded(x, getattr(torch, dtype)).double().numpy()
    else:
        jax = pytest.importorskip("jax")
        with jax.enable_x64(True):
            x = jax.numpy.asarray(given)
            backend = registry.backend_for(x)

            def rounded(x: Any) -> Any:
                return backend.rounded(x, narrow)

            got = np.asarray((jax.jit(rounded) if library == "jax.jit" else rounded)(x))
    np.testing.assert_array_equal(got.astype("float64"), want)
