"""The machine code as a custom call of XLA: what it takes and gives, and where it is not available."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.definition import coefficients, update
from adamcore.tracing import program

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import ffi, ffi_handler  # noqa: E402
from adamcore.backends.kernels import llvm  # noqa: E402
from adamcore.backends.kernels.formats import uniform  # noqa: E402

ADAM = Adam(amsgrad="uncorrected", weight_decay=0.1)
needs_ffi = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")


@needs_ffi
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 3], ids=["one row for all", "a row for each"])
def test_arrays_rows_and_clocks(rows: int, dtype: Any) -> None:
    draw, shapes = np.random.default_rng(0), ((5,), (), (40, 3))
    arrays: list[Any] = [
        draw.random(shape).astype(dtype) for _ in range(5) for shape in shapes
    ]  # p, g, m, v, v_max
    each = [coefficients(Host(), ADAM, t, 0.1) for t in range(1, rows + 1)]
    made = program(ADAM, each[0])
    with jax.enable_x64(dtype == "float64"):
        step = jax.jit(ffi.custom_call(made, uniform(dtype)))
        table = np.asarray([made.used(c) for c in each], dtype)
        new, clocks = step(list(map(jnp.asarray, arrays)), table, np.asarray([7, 8], np.int32), None)
    assert [(int(t), t.shape, str(t.dtype)) for t in clocks] == [(7, (), "int32"), (8, (), "int32")]
    for j in range(len(shapes)):
        p, g, m, v, v_max = arrays[j::3]
        c = type(each[0])(*(None if x is None else np.dtype(dtype).type(x) for x in each[j % rows]))
        [(p, m)], v, v_max = update(np, ADAM, c, [(p, g, m)], v, v_max)
        for got, want in zip(new[j::3], (p, m, v, v_max), strict=True):
            np.testing.assert_array_equal(got, want)


@needs_ffi
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_clock_before_its_tick_chooses_the_row(dtype: Any) -> None:
    arrays = [np.full(3, k, dtype) for k in (1, 2, 3, 4, 5)]
    each = [coefficients(Host(), ADAM, t, 0.1) for t in (1, 2, 3)]
    made = program(ADAM, each[0])
    with jax.enable_x64(dtype == "float64"):
        call = ffi.custom_call(made, uniform(dtype))
        step = jax.jit(lambda xs, rows, clock: call(xs, rows, clock, None, 2))
        given, table = list(map(jnp.asarray, arrays)), np.asarray([made.used(c) for c in each], dtype)
        for t in (0, 7, 2**31 - 2):
            new, clocks = step(given, table, np.asarray(t, np.int32))
            wanted, _ = jax.jit(call)(given, table[t % 3][None], np.asarray([1], np.int32), None)
            assert [(int(x), x.shape, str(x.dtype)) for x in clocks] == [(t + 1, (), "int32")] * 2
            for got, want in zip(new, wanted, strict=True):
                np.testing.assert_array_equal(got, want)


@needs_ffi
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("moments", [None, "float32"])
def test_steps_of_16_bits_have_the_bits_of_the_definition(dtype: str, moments: str | None) -> None:
    """With parameters of two formats beside them, each in a call of its own."""
    adam, kinds = Adam(lr=0.01, weight_decay=0.1, moment_dtype=moments), (dtype, "float32", dtype)
    params = [np.random.default_rng(k).standard_normal(45).astype(jnp.dtype(kinds[k])) for k in range(3)]
    ours, theirs = list(map(jnp.array, params)), params
    state, wanted = adam.init(ours), adam.init(theirs)
    for k in range(4):
        grads = [(10.0 ** (k - 3) * np.cos(np.asarray(p, "f") * k)).astype(p.dtype) for p in theirs]
        ours, state = adam.step(ours, list(map(jnp.asarray, grads)), state, donate=True)
        with llvm.switched_off(), np.errstate(all="ignore"):
            theirs, wanted = adam.step(theirs, grads, wanted)
        for got, want in zip((*ours, *state.m, *state.v), (*theirs, *wanted.m, *wanted.v), strict=True):
            np.testing.assert_array_equal(np.asarray(got), want)


@needs_ffi
def test_registered_once_for_a_program() -> None:
    made = program(ADAM, coefficients(Host(), ADAM, 1, 0.1))
    assert ffi.custom_call(made, uniform("float32")) is ffi.custom_call(made, uniform("float32"))
    assert ffi.custom_call(made, uniform("float32")) is not ffi.custom_call(made, uniform("float64"))


@pytest.fixture
def asked_anew() -> Any:
    for x in (ffi.available, ffi_handler.version):
        x.cache_clear()
    yield
    for x in (ffi.available, ffi_handler.version):
        x.cache_clear()


@pytest.mark.parametrize("version", [None, "0 0", "0 4", "1 3"])
def test_another_version_is_not_called(
    version: str | None, asked_anew: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = tmp_path / "xla" / "ffi" / "api" / "c_api.h"
    header.parent.mkdir(parents=True)
    if version is not None:
        major, minor = version.split()
        text = f"#define XLA_FFI_API_MAJOR {major}\n#define XLA_FFI_API_MINOR {minor}\n"
        header.write_text(text)
    monkeypatch.setattr(jax.ffi, "include_dir", lambda: str(tmp_path))
    assert not ffi.available()


def test_without_machine_code_there_is_no_call(asked_anew: None) -> None:
    with llvm.switched_off():
        assert not ffi.available()
