"""Numbers of every format read and rounded by the kernel: each by a copy, and the bits of whole steps."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import product
from typing import Any

import numpy as np
import pytest
from fast import adams, bits, gradients

from adamcore import Adam
from adamcore.backends.kernels import llvm, loop
from adamcore.backends.kernels.conversions import store
from adamcore.backends.kernels.formats import SIZES, Format, Lines, Real, Storage
from adamcore.backends.numpy import backend as numpy_backend
from adamcore.tracing import Op, Program

pytest.importorskip("llvmlite")
ml_dtypes = pytest.importorskip("ml_dtypes")

NARROW: list[Storage] = ["bfloat16", "float16"]
DTYPES: dict[str, Any] = {"bfloat16": ml_dtypes.bfloat16} | {
    name: np.dtype(name) for name in ("float16", "float32", "float64")
}
WORKS: list[Real] = ["float32", "float64"]
BITS = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}  # of the significand

#: Writes g into p: all that is done to a number is to read it and to round it.
COPY = Program(("p", "g"), ("w1", "w2"), (Op("neg", "x0", ("g",)), Op("neg", "x1", ("x0",))), (("p", "x1"),))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def halves() -> list[bool]:
    """The ways to convert float16: by integer arithmetic, and by the processor if it can."""
    return [False, True] if llvm.native_half() else [False]


def converted(
    x: Any,
    after: Storage,
    work: Real,
    half: bool,
    moments: Storage = "float32",
    bfloat16: bool | None = None,
) -> Any:
    """An array as the kernel stores it in another dtype."""
    before: Any = str(x.dtype)
    dtypes = Format(work, after, before, moments, moments)
    at, keep = llvm.link(loop.text(COPY, dtypes, True, half=half, bfloat16=bfloat16), "step")
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)(at)
    made, x = np.full(x.shape, 7, DTYPES[after]), np.ascontiguousarray(x)
    offsets, scalars = array("q", (0, x.size)), array("d", (0.0, 0.0))
    addresses = array("q", (made.ctypes.data, x.ctypes.data))
    table = array("q", (1, *(each.buffer_info()[0] for each in (offsets, addresses, scalars)), 0))
    run(0, x.size, table.buffer_info()[0])
    del keep
    return made


def every(name: Storage) -> Any:
    """Every number of a dtype of 16 bits, in the order of its bits."""
    return np.arange(1 << 16, dtype=np.uint16).view(DTYPES[name])


def raw(x: Any) -> Any:
    return x.view(f"u{x.dtype.itemsize}")


@pytest.mark.parametrize(("name", "work"), list(product(NARROW, WORKS)))
def test_every_number_of_16_bits_is_read_and_written(name: Storage, work: Real) -> None:
    x = every(name)
    number = ~np.isnan(x)
    for half in halves():
        wide = converted(x, work, work, half)
        np.testing.assert_array_equal(raw(wide)[number], raw(x.astype(work))[number])
        assert np.isnan(wide[~number]).all()
        np.testing.assert_array_equal(np.signbit(wide), np.signbit(x))
        again = converted(wide, name, work, half)
        np.testing.assert_array_equal(raw(again)[number], raw(x)[number])
        quiet = 1 << (BITS[name] - 1)
        np.testing.assert_array_equal(raw(again)[~number], raw(x)[~number] | quiet)


def test_bfloat16_alone_is_read_and_written_in_pairs() -> None:
    x = every("bfloat16")
    assert Format("float32", *["bfloat16"] * 4).pairs  # type: ignore[arg-type]
    for size in (x.size, 31, 33):
        got = converted(x[:size], "bfloat16", "float32", False, "bfloat16", bfloat16=False)
        np.testing.assert_array_equal(raw(got), raw(x[:size]))
    if llvm.native_bfloat16():
        got = converted(x, "bfloat16", "float32", False, "bfloat16", bfloat16=True)
        quiet = np.where(np.isnan(x), raw(x) | 0x40, raw(x))
        np.testing.assert_array_equal(raw(got), quiet)


@pytest.mark.parametrize("dtype", NARROW)
def test_every_gradient_of_16_bits(dtype: Storage) -> None:
    """A NaN of any payload leaves NaN behind, in arrays of 16 bits alone too."""
    for adam in (Adam(lr=0.1, amsgrad="uncorrected"), Adam(lr=0.1, moment_dtype="float32")):
        g = every(dtype)
        p = np.linspace(-2, 2, g.size).astype(g.dtype)
        state = adam.init(p)
        with llvm.switched_off():
            want, wanted = adam.step(p, g, state)
        got, made = adam.step(p, g, state)
        assert np.isnan(got[np.isnan(g)]).all()
        for x, y in ((got, want), (made.m, wanted.m), (made.v, wanted.v), (made.v_max, wanted.v_max)):
            assert x is None or bits(x) == bits(y)


@pytest.mark.parametrize(("name", "work"), list(product(NARROW, WORKS)))
def test_rounding_is_to_the_nearest_and_ties_are_to_even(name: Storage, work: Real) -> None:
    """Between every two neighbours: the middle, and the numbers next to it on either side."""
    positive = every(name)[: int(raw(np.array(np.inf, DTYPES[name])))].astype(work)
    numbers = np.concatenate([-positive[::-1], positive[1:]])
    low, high = numbers[:-1], numbers[1:]
    middle = low + (high - low) / 2
    assert (high - middle == middle - low).all(), "a middle is no number of this arithmetic"
    even = np.where(raw(high.astype(DTYPES[name])) % 2 == 0, high, low)
    for half in halves():
        for x, want in (
            (middle, even),
            (np.nextafter(middle, low), low),
            (np.nextafter(middle, high), high),
        ):
            got = converted(x, name, work, half).astype(work)
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(np.signbit(got), np.signbit(x))


@pytest.mark.parametrize(("name", "work"), list(product(NARROW, WORKS)))
def test_what_is_too_large_is_infinite(name: Storage, work: Real) -> None:
    largest = float(np.finfo(DTYPES[name]).max) if name == "float16" else float(ml_dtypes.finfo(name).max)
    exponent = {"bfloat16": 127, "float16": 15}[name]
    edge = np.dtype(work).type(largest + 2.0 ** (exponent - BITS[name] - 1))
    x = np.array([np.nextafter(edge, 0), edge, 1.5 * edge, np.inf, np.finfo(work).max], work)
    for half, sign in product(halves(), (1, -1)):
        got = converted(sign * x, name, work, half).astype(work)
        np.testing.assert_array_equal(got, sign * np.array([largest] + [np.inf] * 4, work))


@pytest.mark.parametrize(("name", "work"), list(product(NARROW, WORKS)))
def test_a_nan_keeps_its_sign_and_the_upper_bits_of_its_payload(name: Storage, work: Real) -> None:
    width, exponent = 8 * SIZES[work], {"float32": 0xFF, "float64": 0x7FF}[work]
    payloads = [1, 1 << (BITS[work] - 1), (1 << BITS[work]) - 1, 0b1011 << (BITS[work] - 6), 1 << 25]
    payloads = [x for x in payloads if x < 1 << BITS[work]]
    for half, sign, payload in product(halves(), (0, 1), payloads):
        x = np.array([sign << (width - 1) | exponent << BITS[work] | payload], f"u{width // 8}").view(work)
        upper = payload >> (BITS[work] - BITS[name]) | 1 << (BITS[name] - 1)
        top = {"bfloat16": 0x7F80, "float16": 0x7C00}[name]
        assert raw(converted(x, name, work, half)) == [sign << 15 | top | upper], hex(payload)


def test_float64_is_rounded_once() -> None:
    """Above a middle by less than a float has: a float on the way would be the middle, and go to the even."""
    for name in NARROW:
        unit = 2.0 ** -BITS[name]
        x = np.array([1 + unit / 2 + 2.0**-40, 1 + 3 * unit / 2 - 2.0**-40])
        got = converted(x, name, "float64", False).astype("float64")
        np.testing.assert_array_equal(got, [1 + unit, 1 + unit])


def test_what_is_no_16_bits_is_resized() -> None:
    x = np.array([1 / 3, -0.0, np.inf, np.nan, 1e300, 1e-42])
    np.testing.assert_array_equal(converted(x, "float32", "float64", False), x.astype("f"))
    np.testing.assert_array_equal(converted(x, "float32", "float32", False), x.astype("f"))
    np.testing.assert_array_equal(converted(x.astype("f"), "float64", "float64", False), x.astype("f"))


def test_a_store_in_the_dtype_of_the_arithmetic_adds_nothing() -> None:
    lines = Lines(4)
    assert store(lines, "%x", "float64", "float64", False, "%y") == "%x"
    assert lines == []


PROCESSORS = ["x86-64", "x86-64-v2", "haswell", "skylake-avx512", "cooperlake", "sapphirerapids", "znver4"]


@pytest.mark.parametrize("processor", PROCESSORS)
def test_no_processor_needs_a_runtime_library(processor: str) -> None:
    """Nor an instruction of bfloat16 that takes subnormal numbers for 0."""
    import llvmlite.binding as binding

    if "x86_64" not in binding.get_process_triple():
        pytest.skip("these processors are not of this family")
    llvm.native_half()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(cpu=processor, opt=3, jit=True)
    for p, m in product(("bfloat16", "float16"), ("bfloat16", "float16", "float64")):
        stored: Any = (p, p, m, m)
        work: Real = "float64" if m == "float64" else "float32"
        half = not processor.startswith("x86-64")
        text = loop.text(COPY, Format(work, *stored), True, half=half, bfloat16=False)
        module = binding.parse_assembly(text)
        options = binding.create_pipeline_tuning_options(speed_level=3)
        binding.create_pass_builder(target, options).getModulePassManager().run(
            module, binding.create_pass_builder(target, options)
        )
        assembly = target.emit_assembly(module)
        assert "call" not in assembly
        assert "cvtne" not in assembly


# Whole steps -------------------------------------------------------------------------------------

MOMENTS = [None, "float32", "bfloat16", "float16", "float64"]


def numpy_step(donate: bool, off: bool, adam: Adam, dtype: str, present: bool) -> list[bytes]:
    kind = DTYPES[dtype]
    params = [g.astype(kind) for g in gradients(100, "float64")]
    each = [[g.astype(kind) for g in gradients(k, "float64")] for k in range(2)]
    masks = [np.random.default_rng(p.size).random(p.shape) < 0.5 for p in params] if present else None
    masks = None if masks is None else [np.asarray(mask) for mask in masks]
    state, seen = adam.init(params), []
    with llvm.switched_off() if off else nullcontext():
        for grads in each:
            params, state = adam.step(params, grads, state, donate=donate, present=masks)
            trees = (params, state.m, state.v, state.v_max or [])
            seen += [bits(np.asarray(x)) for tree in trees for x in tree]
    return seen


def torch_step(donate: bool, off: bool, adam: Adam, dtype: str, present: bool) -> list[bytes]:
    torch = pytest.importorskip("torch")

    def tensor(x: Any) -> Any:
        return torch.from_numpy(np.ascontiguousarray(x)).to(getattr(torch, dtype)).reshape(x.shape)

    params, state, seen = [tensor(g) for g in gradients(100, "float64")], None, []
    masks = None
    if present:
        masks = [torch.from_numpy(np.asarray(np.random.default_rng(k).random(p.shape) < 0.5))
                 for k, p in enumerate(params)]  # fmt: skip
    state = adam.init(params)
    with llvm.switched_off() if off else nullcontext():
        for k in range(2):
            grads = [tensor(g) for g in gradients(k, "float64")]
            params, state = adam.step(params, grads, state, donate=donate, present=masks)
            trees = (params, state.m, state.v, state.v_max or [])
            seen += [bits(x.double().numpy()) for tree in trees for x in tree]
    return seen


@pytest.mark.parametrize("count", [3, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("step", [numpy_step, torch_step])
def test_a_step_has_the_bits_of_the_definition(
    step: Callable[..., list[bytes]], dtype: str, count: int
) -> None:
    for k, adam in enumerate(adams(count, seed=3)):
        narrow: Any = {"m_dtype": MOMENTS[k % 5], "v_dtype": MOMENTS[(k + k // 5) % 5]}
        adam = Adam(**{f: getattr(adam, f) for f in adam.__dataclass_fields__} | narrow)
        present = k % 3 == 0 and adam.clock == "per-parameter"
        want = step(False, True, adam, dtype, present)
        for donate in (False, True):
            assert step(donate, False, adam, dtype, present) == want, adam


@pytest.mark.parametrize(
    ("dtype", "moments"), [("bfloat16", "float32"), ("float16", None), ("float32", "float64")]
)
def test_dense_arrays_in_any_order(dtype: str, moments: Any) -> None:
    adam = Adam(lr=0.1, moment_dtype=moments)
    p = np.random.default_rng(0).standard_normal((7, 33)).astype(DTYPES[dtype]).T
    state = adam.init(p)
    assert p.strides[0] < p.strides[1]
    with llvm.switched_off():
        want, wanted = adam.step(p, p, state)
    patched: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_backend, "apply_one", lambda *given: patched.append(given))
        got, made = adam.step(p, p, state)
    assert not patched
    for x, y in ((got, want), (made.m, wanted.m), (made.v, wanted.v)):
        assert bits(x) == bits(y)


def test_complex_numbers_beside_wider_moments() -> None:
    adam = Adam(lr=0.1, moment_dtype="float64")
    p = (np.random.default_rng(0).standard_normal(70) * (1 + 2j)).astype("complex64")
    state = adam.init(p)
    with llvm.switched_off():
        want, wanted = adam.step(p, p, state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_backend, "apply_one", None)
        got, made = adam.step(p, p, state)
    for x, y in ((got, want), (made.m, wanted.m), (made.v, wanted.v)):
        assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize(
    ("dtype", "gradients_in", "settings"),
    [
        ("bfloat16", "bfloat16", {}),
        ("float16", "float16", {"moment_dtype": "float32"}),
        ("float32", "bfloat16", {}),
        ("float32", "float64", {"m_dtype": "bfloat16"}),
    ],
)
def test_the_optimizer_of_torch(dtype: str, gradients_in: str, settings: Any) -> None:
    """Its cached steps too; gradients may have a dtype of their own."""
    torch = pytest.importorskip("torch")
    from adamcore.backends.torch import AdamW

    if gradients_in != dtype and not hasattr(torch.Tensor, "grad_dtype"):
        pytest.skip("gradients have the dtype of their parameter")

    def run(off: bool) -> list[bytes]:
        ps = [torch.linspace(-2, 2, n).to(getattr(torch, dtype)).requires_grad_() for n in (3, 100, 1000)]
        optimizer = AdamW(ps, lr=0.01, **settings)
        with llvm.switched_off() if off else nullcontext():
            for k in range(4):
                for p in ps:
                    if gradients_in != dtype:
                        p.grad_dtype = None
                    g = torch.cos(p.detach().double() * (k + 1)) * 1e-3
                    p.grad = g.to(getattr(torch, gradients_in))
                optimizer.step()
        trees = [p.detach() for p in ps], [x for s in optimizer.state.values() for x in s.values()]
        return [bits(x.double().numpy()) for tree in trees for x in tree]

    assert run(False) == run(True)
