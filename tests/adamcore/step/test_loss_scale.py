"""The loss scale inside the step (SCALE.1, SCALE.2), in every library, traced too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrow_arrays import as_float64, narrow_array

from adamcore import Adam
from adamcore.errors import HyperparameterError

ADAMS = [
    Adam(lr=0.1, weight_decay=0.1),
    Adam(lr=0.1, weight_decay=0.1, decay="decoupled-unscaled", clock="global", amsgrad="corrected"),
    Adam(lr=0.1, nesterov="dozat", clock="global", maximize=True),
    Adam(lr=0.1, nesterov="dozat", missing="zero", complex="modulus"),
]
P, G = [[1.0, -2.0, 0.5], [0.25]], [[0.5, 0.0, -3.0], [1e-3]]


def leaves(tree: Any) -> list[Any]:
    if tree is None:
        return []
    return [x for part in tree for x in leaves(part)] if isinstance(tree, (list, tuple)) else [tree]


def bits(lib: Any, tree: Any) -> list[bytes]:
    return [lib.bits(x) if hasattr(x, "dtype") else repr(x).encode() for x in leaves(tree)]


def started(lib: Any, adam: Adam, dtype: str) -> tuple[list[Any], list[Any], Any]:
    """Return parameters, gradients and a state after two steps."""
    params, grads = [lib(p, dtype) for p in P], [lib(g, dtype) for g in G]
    state = adam.init(params)
    for _ in range(2):
        params, state = adam.step(params, grads, state)
    return params, grads, state


@pytest.mark.parametrize(
    ("adam", "dtype", "donate"),
    [
        (ADAMS[0], "float32", True),
        (ADAMS[1], "complex64", False),
        (ADAMS[2], "float32", False),
        (ADAMS[3], "complex64", True),
    ],
)
def test_a_power_of_two_divides_bit_for_bit(lib: Any, adam: Adam, dtype: str, donate: bool) -> None:
    plain = adam.step(*started(lib, adam, dtype), donate=donate)
    scaled = [lib(np.array(g) * 1024.0, dtype) for g in G]
    for scale in (1024.0, 1024, lib(1024.0, "float32")):
        before = bits(lib, scaled)
        given = started(lib, adam, dtype)
        after = adam.step(given[0], scaled, given[2], grad_scale=scale, donate=donate)
        assert bits(lib, after) == bits(lib, plain)
        assert bits(lib, scaled) == before


@pytest.mark.parametrize(("adam", "donate"), [(ADAMS[0], True), (ADAMS[1], False), (ADAMS[2], False)])
def test_a_skipped_step_changes_nothing(lib: Any, adam: Adam, donate: bool) -> None:
    params, grads, state = started(lib, adam, "float32")
    before = bits(lib, (params, state))
    for bad in (grads, [lib([np.nan, np.inf, 1.0], "float32"), grads[1]]):
        for flag in (True, 1.0, lib(True, "bool"), lib(1.0, "float32")):
            after = adam.step(params, bad, state, grad_scale=2.0, found_inf=flag, donate=donate)
            assert bits(lib, after) == bits(lib, (params, state)) == before
    for flag in (False, 0.0, lib(False, "bool"), lib(0.0, "float32"), None):
        assert bits(lib, adam.step(params, grads, state, found_inf=flag)) == bits(
            lib, adam.step(params, grads, state)
        )


@pytest.mark.parametrize("adam", [ADAMS[1], ADAMS[3]])
def test_a_traced_flag(adam: Adam) -> None:
    """One program for both: the flag, the scale and the clock are data of it."""
    jax = pytest.importorskip("jax")
    params, grads = [jax.numpy.asarray(p) for p in P], [jax.numpy.asarray(g) for g in G]
    bad = [grads[0].at[1].set(np.nan), grads[1]]
    traces = []

    @jax.jit
    def program(params: Any, grads: Any, state: Any, scale: Any, flag: Any) -> Any:
        traces.append(flag)
        return adam.step(params, grads, state, grad_scale=scale, found_inf=flag)

    def raw(tree: Any) -> list[bytes]:
        return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]

    state = adam.init(params)
    for k in range(4):
        old = params, state
        skipped = program(*old[:1], bad, old[1], 8.0, True)
        assert raw(skipped) == raw(old), k
        params, state = program(params, [8.0 * g for g in grads], state, 8.0, False)
        assert raw((params, state)) != raw(old)
    assert len(traces) == 1
    assert {int(t) for t in jax.tree.leaves(state.t)} == {4}
    mask = jax.jit(lambda flag, mask: adam.step(params, bad, state, present=[mask, True], found_inf=flag))
    assert raw(mask(True, jax.numpy.asarray([True, False, True]))) == raw((params, state))


@pytest.mark.parametrize(
    ("library", "dtype"), [("numpy", "float16"), ("torch", "bfloat16"), ("jax", "float16")]
)
def test_narrow_gradients_are_divided_in_float32(library: str, dtype: str) -> None:
    """1e-3 / 65536 is 0 in float16, and 1.5e-8 in the arithmetic."""
    adam = Adam(lr=0.1, eps=1e-12, moment_dtype="float32")
    p, g = narrow_array(library, np.zeros(2), dtype), narrow_array(library, [1e-3, 0.0], dtype)
    _, state = adam.step(p, g, adam.init(p), grad_scale=65536.0)
    assert as_float64(state.m)[0] == pytest.approx(0.1 * as_float64(g)[0] / 65536, rel=1e-6)


def test_large_trees(lib: Any) -> None:
    if lib.name == "jax":
        pytest.skip("its first step of 300 arrays takes seconds, and the others have the same code")
    adam = Adam(lr=0.1)
    params, grads = [lib([1.0, 2.0], "float32")] * 300, [lib([1.0, -1.0], "float32")] * 300
    params = [lib([1.0, 2.0], "float32") for _ in params]
    state = adam.init(params)
    want = adam.step(params, grads, state)
    assert bits(lib, adam.step(params, [4 * g for g in grads], state, grad_scale=4.0)) == bits(lib, want)
    assert bits(lib, adam.step(params, grads, state, found_inf=True)) == bits(lib, (params, state))


def test_absent_gradients_stay_absent(lib: Any) -> None:
    adam = Adam(lr=0.1)
    params = [lib([1.0], "float32"), lib([1.0], "float32")]
    _, state = adam.step(params, [lib([2.0], "float32"), None], adam.init(params), grad_scale=2.0)
    assert [int(t) for t in state.t] == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grad_scale": 0.0}, "grad_scale=0.0: expected a number > 0"),
        ({"grad_scale": -1.0}, "grad_scale=-1.0"),
        ({"grad_scale": float("nan")}, "grad_scale=nan"),
        ({"grad_scale": np.ones(2)}, "grad_scale is an array of float64"),
        ({"found_inf": np.zeros(2)}, r"found_inf is an array of shape \(2,\)"),
        ({"found_inf": "no"}, "found_inf is str"),
    ],
)
def test_wrong_arguments(arguments: Any, message: str) -> None:
    adam, p = Adam(), np.ones(2)
    with pytest.raises(HyperparameterError, match=message):
        adam.step(p, p, adam.init(p), **arguments)


@pytest.mark.parametrize("policy", ["master", "split", "kahan", "stochastic"])
def test_every_storage_policy(policy: Any) -> None:
    torch = pytest.importorskip("torch")
    adam = Adam(lr=0.01, p_storage=policy, moment_dtype="float32")
    p, g = narrow_array("torch", [1.0, -2.0], "bfloat16"), narrow_array("torch", [0.5, 0.25], "bfloat16")
    p, state = adam.step(p, g, adam.init(p))
    want, scaled = adam.step(p, g, state), adam.step(p, g * 256, state, grad_scale=256.0, found_inf=False)
    pairs = zip(leaves(want), leaves(scaled), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)
    assert str(want) == str(scaled)
    before = str((p, state))
    assert str(adam.step(p, g, state, found_inf=True)) == before
