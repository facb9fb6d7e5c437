"""The codes of "blockwise8" (STORE.14, STORE.15): the published codebook, small arrays, and the danger."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from moment_runs import found_again, kept
from storage_runs import array, numbers, same

from adamcore import Adam
from adamcore.storage.blockwise import BLOCK, SMALL, middles, rising, table
from adamcore.storage.moments import Coding

M, V = Coding("blockwise8", True), Coding("blockwise8", False)


@pytest.mark.parametrize("signed", [True, False])
def test_the_codebook_is_the_published_one(signed: bool) -> None:
    """As bitsandbytes 0.48 and torchao 0.15 form it, with the same operations of PyTorch."""
    torch = pytest.importorskip("torch")
    found = [0.0, 1.0]
    for i in range(7):
        ends = torch.linspace(0.1, 1, 2 ** (i if signed else i + 1) + 1)
        x = (ends[:-1] + ends[1:]) / 2.0 * 10 ** (i - 6)
        found += [*x.tolist(), *((-x).tolist() if signed else [])]
    assert np.allclose(table(signed), sorted(found), rtol=2**-23, atol=0)  # fused or not
    assert len(set(table(signed))) == 256
    assert len(middles(signed)) == 255


@pytest.mark.parametrize("signed", [True, False])
def test_the_least_of_the_lines_is_the_place_or_one_more(signed: bool) -> None:
    """At each border and just below it, with a fifth of a place to spare."""
    borders = np.array([x for x in middles(signed) if x > 0], np.float32)
    count = np.arange(1, len(borders) + 1)
    for x, there in ((borders, count), (np.nextafter(borders, np.float32(0)), count - 1)):
        least = np.min([np.float32(slope) * x + np.float32(start) for slope, start in rising(signed)], axis=0)
        assert np.all(least > there + 0.2)
        assert np.all(least < there + 1.8)


@pytest.mark.parametrize("coding", [M, V], ids=["m", "v"])
def test_each_number_gets_the_nearest_code(coding: Coding) -> None:
    x = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    x = x if coding.signed else x**2
    codes, scales, again = kept("numpy", coding, x)
    assert (scales == [abs(x[k : k + BLOCK]).max() for k in range(0, x.size, BLOCK)]).all()
    y = x / np.repeat(scales, BLOCK)[: x.size]
    off = abs(y[:, None] - np.asarray(table(coding.signed), np.float32))
    assert (np.take_along_axis(off, codes[:, None].astype(int), 1)[:, 0] <= off.min(1) + 3.3e-7).all()
    entries = np.asarray(table(coding.signed), np.float32)[codes]
    assert again.tobytes() == (entries * np.repeat(scales, BLOCK)[: x.size]).tobytes()


def test_v_is_not_0_where_it_was_not() -> None:
    v = (10.0 ** np.linspace(0, -37, 2 * BLOCK)).astype(np.float32)
    assert (found_again(V, v) > 0).all()
    assert (found_again(V, np.zeros(300, np.float32)) == 0).all()
    assert (found_again(M, np.zeros(300, np.float32)) == 0).all()


def test_a_nan_stays_in_its_block() -> None:
    x = np.ones(3 * BLOCK, np.float32)
    x[BLOCK + 5] = np.nan
    again = found_again(M, x).reshape(3, BLOCK)
    assert np.isnan(again).all(1).tolist() == [False, True, False]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_small_arrays_are_kept_plainly(library: str) -> None:
    opt = Adam(m_storage="blockwise8", v_storage="blockwise8", moment_dtype="float32")
    params = [array(library, np.ones(SMALL - 1), "float32"), array(library, np.ones(SMALL), "float32")]
    state = opt.init(params)
    assert [numbers(x).dtype.name for x in state.m] == ["float32", "uint8"]
    assert state.v_scale[0] is None
    assert tuple(state.v_scale[1].shape) == (SMALL // BLOCK,)
    params, state = opt.step(params, params, state)
    assert numbers(state.v[0])[0] == np.float32(0.001)
    assert state.m_scale[0] is None


def steps(library: str, jit: bool = False) -> Any:
    """Return a large and a small parameter after steps, and the state."""
    opt = Adam(lr=0.01, b1=0.5, b2=0.75, m_storage="blockwise8", v_storage="blockwise8")
    params = [array(library, np.linspace(-1, 1, 4500), "float32"), array(library, np.ones(3), "float32")]
    state, random = opt.init(params), np.random.default_rng(2)
    step: Any = pytest.importorskip("jax").jit(opt.step) if jit else opt.step
    for _ in range(3):
        grads = [array(library, random.integers(-8, 9, n) / 8, "float32") for n in (4500, 3)]
        params, state = step(params, grads, state)
    return params, state


@pytest.mark.parametrize(("library", "jit"), [("torch", False), ("jax", True)])
def test_steps_keep_the_same_codes(library: str, jit: bool) -> None:
    (params, state), (others, other) = steps("numpy"), steps(library, jit)
    for name in ("m", "v"):
        assert same(getattr(state, name)[:1], getattr(other, name)[:1])
    assert same(state.m_scale[:1], other.m_scale[:1])
    assert all(np.allclose(numbers(a), numbers(b), atol=1e-6) for a, b in zip(params, others, strict=True))
