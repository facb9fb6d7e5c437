"""Gradients clipped inside the step (CLIP.1 to CLIP.5), in every library, against the clippings of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrow_arrays import as_float64, narrow_array

from adamcore import Adam, Clip
from adamcore.errors import HyperparameterError

RNG = np.random.default_rng(7)
SHAPES: list[tuple[int, ...]] = [(9, 4), (5,), (), (0, 3)]
P = [RNG.normal(size=shape) for shape in SHAPES]
G = [RNG.normal(size=shape) for shape in SHAPES]
ADAM = Adam(lr=0.1, b1=0.5, weight_decay=0.1)
WAYS = [Clip(global_norm=1.0), Clip(global_norm=1.0, eps=0.5), Clip(norm=0.5), Clip(value=0.25)]
#: In JAX each shape of each operation is compiled; two tests of it are quick enough.
LIBRARIES = pytest.mark.parametrize(
    "lib", ["numpy", "torch", pytest.param("jax", marks=pytest.mark.slow), "array_api_strict"], indirect=True
)
EACH = pytest.mark.parametrize(
    "clip", [WAYS[0], *(pytest.param(clip, marks=pytest.mark.slow) for clip in WAYS[1:])]
)


def by_hand(clip: Clip, gs: list[np.ndarray]) -> list[np.ndarray]:
    """Return gradients clipped in float64, as CLIP.2 to CLIP.4 say it."""
    sizes = [float(np.sum(np.abs(g) ** 2)) ** 0.5 for g in gs]
    if clip.global_norm is not None:
        sizes = [sum(n * n for n in sizes) ** 0.5] * len(gs)
    if clip.value is not None:
        return [np.clip(g, -clip.value, clip.value) for g in gs]
    most = clip.norm if clip.global_norm is None else clip.global_norm
    return [g * min(1.0, most / max(n + clip.eps, 1e-300)) for g, n in zip(gs, sizes, strict=True)]


def stepped(lib: Any, gs: Any, dtype: str = "float64", adam: Adam = ADAM, **options: Any) -> list[Any]:
    params = [lib(p, dtype) for p in P]
    params, state = adam.step(params, gs, adam.init(params), **options)
    return [*params, *state.m]


def same(lib: Any, got: list[Any], want: list[Any], rtol: float = 0.0) -> None:
    for x, y in zip(got, want, strict=True):
        if rtol:
            np.testing.assert_allclose(lib.numpy(x), lib.numpy(y), rtol=rtol, atol=rtol)
        else:
            assert lib.bits(x) == lib.bits(y)


@EACH
def test_a_clipped_step_is_a_step_of_clipped_gradients(lib: Any, clip: Clip) -> None:
    want = stepped(lib, [lib(g) for g in by_hand(clip, G)])
    for donate in (False, True):
        same(lib, stepped(lib, [lib(g) for g in G], clip=clip, donate=donate), want, 1e-14)


@pytest.mark.parametrize(
    "clip", [Clip(global_norm=1e3), pytest.param(Clip(norm=1e3), marks=pytest.mark.slow), Clip(value=1e3)]
)
@LIBRARIES
def test_what_is_not_too_large_stays_bit_for_bit(lib: Any, clip: Clip) -> None:
    gs = [lib(g, "float32") for g in G]
    same(lib, stepped(lib, gs, "float32", clip=clip), stepped(lib, gs, "float32"))


@LIBRARIES
def test_the_scale_is_divided_out_first_and_the_sign_turned_last(lib: Any) -> None:
    adam = Adam(lr=0.1, maximize=True, weight_decay=0.5)
    want = stepped(lib, [lib(g) for g in by_hand(WAYS[0], G)], adam=adam)
    got = stepped(lib, [lib(4.0 * g) for g in G], adam=adam, clip=WAYS[0], grad_scale=4.0)
    same(lib, got, want, 1e-14)
    skipped = stepped(lib, [lib(g) for g in G], clip=WAYS[0], found_inf=True)
    same(lib, skipped[:4], [lib(p) for p in P])


@LIBRARIES
def test_what_is_absent_does_not_count(lib: Any) -> None:
    """None, False for a leaf, and False in a mask, whatever stands there."""
    mask = np.ones((9, 4), bool)
    mask[3] = False
    whole = [G[0] * mask, np.zeros(5), G[2], G[3]]
    clipped = by_hand(WAYS[0], whole)
    poisoned = np.where(mask, G[0], np.nan)
    for absent, there in ((None, True), (lib(G[1]), False)):
        present = [lib(mask, "bool"), there, True, True]
        got = stepped(lib, [lib(poisoned), absent, lib(G[2]), lib(G[3])], clip=WAYS[0], present=present)
        want = stepped(lib, [lib(clipped[0]), None, lib(clipped[2]), lib(G[3])], present=present)
        same(lib, got, want, 1e-14)


@EACH
@LIBRARIES
def test_what_is_not_finite_stays_in_its_element(lib: Any, clip: Clip) -> None:
    g = np.array([0.5, np.nan, 3.0, -4.0, np.inf])
    finite = [G[0], np.array([0.5, 0.0, 3.0, -4.0, 0.0]), G[2], G[3]]
    with np.errstate(all="ignore"):  # array-api-strict computes with NumPy, and warns as it does
        got = stepped(lib, [lib(x) for x in (G[0], g, G[2], G[3])], clip=clip)
    want = stepped(lib, [lib(x) for x in by_hand(clip, finite)])
    for k, (x, y) in enumerate(zip(map(lib.numpy, got), map(lib.numpy, want), strict=True)):
        rest = [0, 2, 3] if k % 4 == 1 else ...
        np.testing.assert_allclose(x[rest], y[rest], rtol=1e-14)
    m = lib.numpy(got[5])
    assert np.isnan(m[1])
    assert m[4] == (pytest.approx(0.5 * (0.25 + 0.1 * P[1][4])) if clip.value else np.inf)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30])
@LIBRARIES
def test_sizes_whose_squares_a_float32_does_not_hold(lib: Any, size: float) -> None:
    """A norm of 5e30 is clipped to 1, and one of 5e-30 not at all."""
    gs = [lib([3.0 * size, 0.0, 0.0, 0.0, 4.0 * size], "float32")]
    p = [lib(np.ones(5), "float32")]
    adam = Adam(b1=0.5)
    _, state = adam.step(p, gs, adam.init(p), clip=Clip(norm=1.0))
    want = np.array([0.3, 0, 0, 0, 0.4]) if size > 1 else np.array([1.5, 0, 0, 0, 2.0]) * size
    np.testing.assert_allclose(lib.numpy(state.m[0]), want, rtol=1e-6)
    _, state = adam.step(p, gs, adam.init(p), clip=Clip(global_norm=0.0))
    assert not lib.numpy(state.m[0]).any()


@LIBRARIES
def test_complex_gradients(lib: Any) -> None:
    p, g = lib([0j, 0j], "complex128"), lib([3j, 4.0], "complex128")
    adam = Adam(b1=0.5)
    _, state = adam.step(p, g, adam.init(p), clip=Clip(global_norm=1.0))
    np.testing.assert_allclose(lib.numpy(state.m), [0.3j, 0.4], rtol=1e-14)
    _, state = adam.step(p, g, adam.init(p), clip=Clip(value=3.5))
    np.testing.assert_allclose(lib.numpy(state.m), [1.5j, 1.75], rtol=1e-14)
    modulus = Adam(complex="modulus")
    with pytest.raises(HyperparameterError, match="turn its direction"):
        modulus.step(p, g, modulus.init(p), clip=Clip(value=1.0))


@pytest.mark.parametrize(
    ("library", "dtype"), [("torch", "bfloat16"), pytest.param("jax", "float16", marks=pytest.mark.slow)]
)
def test_narrow_gradients_are_clipped_in_float32(library: str, dtype: str) -> None:
    """The clipped gradient is no number of 16 bits, and is not rounded to one."""
    adam = Adam(moment_dtype="float32", b1=0.5)
    p, g = narrow_array(library, np.zeros(3), dtype), narrow_array(library, [1.0, 1.0, 1.0], dtype)
    _, state = adam.step(p, g, adam.init(p), clip=Clip(norm=1.0))
    np.testing.assert_allclose(as_float64(state.m), np.full(3, 0.5 / 3**0.5), rtol=1e-6)


@pytest.mark.parametrize("library", ["numpy", "torch", pytest.param("jax", marks=pytest.mark.slow)])
def test_a_sum_in_bfloat16_would_stop_growing(library: str) -> None:
    """The norm of 512 arrays of norm 1 is 22.6, where optax and MLX find 16 (findings/clip-16-bits.sh)."""
    adam = Adam(moment_dtype="float32", b1=0.5)
    gs = [narrow_array(library, np.full(4, 0.5), "bfloat16") for _ in range(512)]
    _, state = adam.step(gs, gs, adam.init(gs), clip=Clip(global_norm=1.0))
    np.testing.assert_allclose(as_float64(state.m[0]), np.full(4, 0.25 / 512**0.5), rtol=1e-6)


def test_one_program_for_all_values() -> None:
    """Under jit the largest norm, the scale and the gradients are data, clipped or not."""
    jax = pytest.importorskip("jax")
    traces = []

    @jax.jit
    def program(gs: Any, most: Any, scale: Any) -> Any:
        traces.append(1)
        params = [jax.numpy.asarray(p, "float32") for p in P]
        clip = Clip(global_norm=most)
        return ADAM.step(params, gs, ADAM.init(params), clip=clip, grad_scale=scale)[1].m

    for most, scale in ((1.0, 1.0), (2.0, 8.0), (1e3, 2.0), (0.0, 1.0)):
        got = program([scale * jax.numpy.asarray(g, "float32") for g in G], most, scale)
        want = by_hand(Clip(global_norm=most), G)
        plain = stepped(np.array, want)[4:]
        for x, y in zip(got, plain, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    assert len(traces) == 1


@LIBRARIES
def test_the_total_of_several_processes(lib: Any) -> None:
    gs = [lib(g) for g in G]
    got = stepped(lib, gs, clip=Clip(global_norm=1.0, total=10.0))
    same(lib, got, stepped(lib, [lib(g / 10) for g in G]), 1e-14)


@LIBRARIES
def test_many_leaves(lib: Any) -> None:
    params = [lib([1.0], "float32") for _ in range(300)]
    gs = [lib([float(k)], "float32") for k in range(300)]
    adam = Adam(b1=0.5)
    _, state = adam.step(params, gs, adam.init(params), clip=Clip(norm=2.0))
    got = [float(lib.numpy(m)[0]) for m in state.m]
    np.testing.assert_allclose(got, [0.0, 0.5] + [1.0] * 298, rtol=1e-6)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (1.0, "clip is 1.0 .float.: expected an adamcore.Clip"),
        (Clip(), "Clip with no number"),
        (Clip(norm=1.0, value=1.0), "Clip with norm and value"),
        (Clip(norm=-1.0), "Clip.norm=-1.0"),
        (Clip(value=float("nan")), "Clip.value=nan"),
        (Clip(norm=1.0, eps=-1.0), "Clip.eps=-1.0"),
        (Clip(value=1.0, eps=1e-6), "nothing is divided"),
        (Clip(norm=1.0, total=1.0), "Clip.total with norm"),
        (Clip(global_norm=np.ones(2)), "Clip.global_norm is an array of float64"),
    ],
)
def test_wrong_arguments(clip: Any, message: str) -> None:
    p = np.ones(2)
    with pytest.raises(HyperparameterError, match=message):
        Adam().step(p, p, Adam().init(p), clip=clip)


# Other people's clippings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "clip"), [("norm", Clip(global_norm=0.7, eps=1e-6)), ("value", Clip(value=0.3))]
)
def test_torchs(name: str, clip: Clip) -> None:
    torch = pytest.importorskip("torch")
    params = [torch.nn.Parameter(torch.tensor(p)) for p in P]
    for p, g in zip(params, G, strict=True):
        p.grad = torch.tensor(g)
    if name == "norm":
        torch.nn.utils.clip_grad_norm_(params, 0.7)
    else:
        torch.nn.utils.clip_grad_value_(params, 0.3)
    want = [p.grad.numpy() for p in params]
    params = [np.array(p) for p in P]
    _, state = ADAM.step(params, G, ADAM.init(params), clip=clip)
    _, plain = ADAM.step(params, want, ADAM.init(params))
    for x, y in zip(state.m, plain.m, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "clip"),
    [("global", Clip(global_norm=0.7)), pytest.param("value", Clip(value=0.3), marks=pytest.mark.slow)],
)
def test_optax_s(name: str, clip: Clip) -> None:
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    with jax.enable_x64(True):
        theirs = optax.clip_by_global_norm(0.7) if name == "global" else optax.clip(0.3)
        gs = [jax.numpy.asarray(g) for g in G]
        want, _ = theirs.update(gs, theirs.init(gs))
        params = [jax.numpy.asarray(p) for p in P]
        _, state = ADAM.step(params, gs, ADAM.init(params), clip=clip)
        _, plain = ADAM.step(params, list(want), ADAM.init(params))
        for x, y in zip(state.m, plain.m, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-15)
