"""Absent leaves and masked elements (F1, F2, F3, F5), on every library; absence is never a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_trees import KIND, bits, started

from adamcore import Adam, AdamState
from adamcore.errors import MissingGradientError


@KIND
@pytest.mark.parametrize("how", ["none", "false", "array"])
@pytest.mark.parametrize("donate", [False, True])
def test_f1_absent_stands_still(lib: Any, kind: dict[str, Any], how: str, donate: bool) -> None:
    opt = Adam(lr=0.1, **kind)
    params, state = started(lib, opt)
    before, other = bits(lib, params, state, "c"), bits(lib, params, state, "b")
    grads = {"b": lib([1.0, 1.0]), "c": None if how == "none" else lib([np.nan, 1.0])}
    present = {"none": None, "false": {"b": True, "c": False}, "array": {"b": True, "c": lib(False, "bool")}}[
        how
    ]
    for _ in range(2):
        params, state = opt.step(params, grads, state, present=present, donate=donate)
    assert bits(lib, params, state, "c") == before
    assert all(a != b for a, b in zip(bits(lib, params, state, "b")[:3], other, strict=False))
    assert [int(state.t[k]) for k in "bc"] == [4, 2]


@KIND
def test_f2_a_zero_gradient_is_a_gradient(lib: Any, kind: dict[str, Any]) -> None:
    opt = Adam(lr=0.1, **kind)
    params, state = started(lib, opt)
    q, new = opt.step(params, {"b": lib([1.0, 1.0]), "c": lib([0.0, 0.0])}, state)
    assert int(new.t["c"]) == 3
    assert (lib.numpy(q["c"]) != lib.numpy(params["c"])).all()
    if not kind.get("weight_decay") or kind.get("decay"):
        np.testing.assert_allclose(lib.numpy(new.m["c"]), 0.9 * lib.numpy(state.m["c"]))
    zero, with_zero = Adam(lr=0.1, missing="zero", **kind), {"b": lib([1.0, 1.0]), "c": None}
    r, same = zero.step(params, with_zero, state)
    assert bits(lib, r, same, "c") == bits(lib, q, new, "c")


@KIND
@pytest.mark.parametrize("donate", [False, True])
def test_f3_masked_elements_stand_still(lib: Any, kind: dict[str, Any], donate: bool) -> None:
    opt = Adam(lr=0.1, **kind)
    params, state = started(lib, opt)
    old = [lib.numpy(x["c"]).copy() for x in (params, state.m, state.v, state.v_max) if x is not None]
    whole: Any = None
    if lib.name == "jax" and donate:  # XLA fuses what it compiles: the bits are those of the same program
        whole = {"b": True, "c": lib([True, True], "bool")}
    want, want_state = opt.step(
        params, {"b": lib([1.0, 1.0]), "c": lib([1.0, 1.0])}, state, present=whole, donate=whole is not None
    )
    if whole is not None:
        params, state = started(lib, opt)
    grads = {"b": lib([1.0, 1.0]), "c": lib([1.0, np.nan])}
    present = {"b": True, "c": lib([True, False], "bool")}
    q, new = opt.step(params, grads, state, present=present, donate=donate)
    for x, y, z in zip(
        (q, new.m, new.v, new.v_max), (want, want_state.m, want_state.v, want_state.v_max), old, strict=False
    ):
        assert lib.bits(x["b"]) == lib.bits(y["b"])
        assert lib.numpy(x["c"])[0] == lib.numpy(y["c"])[0]
        assert lib.numpy(x["c"])[1] == z[1]
    assert int(new.t["c"]) == 3  # a thawed element sees a late clock


def test_f3_masks_broadcast(lib: Any) -> None:
    p, opt = lib(np.ones((2, 3))), Adam(lr=0.5, eps=0.0)
    masks: list[tuple[Any, Any]] = [
        ([True, False, True], [[0.5, 1, 0.5]] * 2),
        ([[True], [False]], [[0.5] * 3, [1] * 3]),
    ]
    for mask, want in masks:
        q, _ = opt.step(p, p, opt.init(p), present=lib(mask, "bool"))
        np.testing.assert_allclose(lib.numpy(q), want)


def test_f3_a_mask_of_a_scalar_is_the_whole_leaf(lib: Any) -> None:
    p, opt = lib(1.0), Adam()
    _, state = opt.step(p, lib(np.nan), opt.init(p), present=lib(False, "bool"))
    assert int(state.t) == 0


def test_f3_complex_elements(lib: Any) -> None:
    p, opt = lib([1 + 1j, 1 - 1j], "complex128"), Adam(lr=0.5, eps=0.0)
    q, state = opt.step(
        p, p * lib([1, np.nan], "complex128"), opt.init(p), present=lib([True, False], "bool")
    )
    np.testing.assert_allclose(lib.numpy(q), [0.5 + 0.5j, 1 - 1j])
    assert lib.numpy(state.v)[1] == 0


@KIND
@pytest.mark.parametrize("thaw", ["keep", "reset"])
def test_f5_a_thawed_leaf_goes_on(lib: Any, kind: dict[str, Any], thaw: str) -> None:
    opt = Adam(lr=0.1, **kind)
    params, state = started(lib, opt)
    alone, alone_state = {"c": params["c"]}, AdamState(*(None if x is None else {"c": x["c"]} for x in state))
    for _ in range(3):
        params, state = opt.step(params, {"b": lib([1.0, 1.0]), "c": None}, state)
    if thaw == "reset":
        state, alone_state = opt.reset(state, {"b": False, "c": True}), opt.init(alone)
    for _ in range(3):
        params, state = opt.step(params, {"b": lib([1.0, 1.0]), "c": lib([1.0, 0.5])}, state)
        alone, alone_state = opt.step(alone, {"c": lib([1.0, 0.5])}, alone_state)
    assert bits(lib, params, state, "c") == bits(lib, alone, alone_state, "c")


def test_missing_error(lib: Any) -> None:
    opt = Adam(missing="error")
    params, state = started(lib, opt)
    g = {"b": lib([1.0, 1.0]), "c": lib([1.0, 1.0])}
    with pytest.raises(MissingGradientError, match=r"grads\['c'\] is None"):
        opt.step(params, {**g, "c": None}, state)
    with pytest.raises(MissingGradientError, match=r"grads\['b'\] is declared absent"):
        opt.step(params, g, state, present={"b": False, "c": True})


@pytest.mark.parametrize("clock", ["per-parameter", "global"])
@pytest.mark.parametrize("all_missing", ["tick", "hold"])
def test_traced_flags_select(clock: Any, all_missing: Any) -> None:
    """Under jit absence is data: the result is that of the same absence known beforehand."""
    jax = pytest.importorskip("jax")
    jnp, opt = (
        jax.numpy,
        Adam(lr=0.1, clock=clock, all_missing=all_missing, nesterov="dozat", amsgrad="corrected"),
    )
    params = {"b": jnp.ones(2), "c": jnp.ones(2)}
    g, state = {"b": jnp.ones(2), "c": jnp.asarray([jnp.nan, 1.0])}, opt.init(params)
    step = jax.jit(lambda p, s, flags: opt.step(p, g, s, present=flags))
    for b, c in ((True, False), (False, False), (True, False)):
        want, want_state = opt.step(params, g, state, present={"b": b, "c": c})
        params, state = step(params, state, {"b": jnp.asarray(b), "c": jnp.asarray(c)})
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), (params, state), (want, want_state)
        )
    assert step._cache_size() == 1
    assert params["c"].tolist() == [1.0, 1.0]
