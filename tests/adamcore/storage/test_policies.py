"""The policies of storage: what is kept, what is found again, and what a step makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from cases import some
from storage_runs import (
    CASES,
    LIBRARIES,
    RESTS,
    array,
    equal,
    gradients,
    numbers,
    same,
    samples,
    steps,
    words_of,
)

from adamcore import Adam
from adamcore.backends.base import BaseBackend
from adamcore.dtypes import leaf_dtypes
from adamcore.errors import BackendError, HyperparameterError, StateError, TreeError
from adamcore.storage.policies import Storage, load, store

X = samples()
SIZE = np.abs(X)
WIDTHS = {"split": np.int16, "split8": np.int8}


def adam(policy: Any, **options: Any) -> Adam:
    chosen: Any = {"lr": 1e-3, "moment_dtype": "float32"} | options
    return Adam(p_storage=policy, **chosen)


def kept(policy: Any, dtype: str, x: Any) -> tuple[Any, Any, Any]:
    """Return p, the rest and the value that is found again, in NumPy."""
    n, storage = words_of("numpy"), Storage(policy, dtype)
    with np.errstate(all="ignore"):
        p, rest = store(n, storage, x, None)
        assert rest is not None
        rest = rest.astype(WIDTHS.get(policy, rest.dtype))  # as it is in the state
        return p, rest, load(n, storage, p, rest)


# What is kept ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "dtype"), [c for c in CASES if c[0] in ("master", "split")])
def test_the_value_is_found_again_bit_for_bit(policy: str, dtype: str) -> None:
    """Infinities, NaN, -0, ties and carries included; split keeps of float16 what its range allows."""
    _, rest, x = kept(policy, dtype, X)
    all_kept = policy == "master" or dtype == "bfloat16"
    in_range = slice(None) if all_kept else (SIZE >= 2.0**-14) & (SIZE < 65520) | (SIZE == 0) | np.isnan(X)
    assert equal(x[in_range], X[in_range])
    if policy == "split":
        assert rest.min() == -(2**15)


def test_split_of_a_small_float16_is_as_good_as_float16() -> None:
    p, _, x = kept("split", "float16", X)
    small = SIZE < 2.0**-14
    assert np.abs(x[small] - X[small]).max() <= 2.0**-25
    assert np.isinf(p[SIZE >= 65520]).all()


def test_split8_keeps_sixteen_digits() -> None:
    _, rest, x = kept("split8", "bfloat16", X)
    assert {rest.min(), rest.max()} == {-128, 127}
    normal = (SIZE >= 2.0**-126) & (SIZE < 2.0**127)
    assert (np.abs(x[normal] - X[normal]) <= 2.0**-16 * SIZE[normal]).all()
    assert equal(x[np.isnan(X) | np.isinf(X)], X[np.isnan(X) | np.isinf(X)])


@pytest.mark.parametrize(("dtype", "least", "most", "bound"), [
    ("bfloat16", 2.0**-110, 2.0**127, 2.0**-17), ("float16", 2.0**-4, 65504.0, 2.0**-22 * 2),
])  # fmt: skip
def test_kahan_keeps_twice_the_digits(dtype: str, least: float, most: float, bound: float) -> None:
    """The error is half a step of the rest, which is at most half a step of p."""
    p, rest, x = kept("kahan", dtype, X)
    known = (least <= SIZE) & (most >= SIZE)
    assert (np.abs(x[known] - X[known]) <= bound * SIZE[known]).all()
    assert (rest[~np.isfinite(p)] == 0).all()
    assert equal(x[np.isinf(p)], p[np.isinf(p)])


@pytest.mark.parametrize(("policy", "dtype"), [c for c in CASES if c[0] in RESTS])
def test_what_is_found_again_is_kept_as_it_was(policy: str, dtype: str) -> None:
    """A step that moves nothing changes no bit of p and of its rest."""
    p, rest, x = kept(policy, dtype, X)
    q, other, again = kept(policy, dtype, x)
    finite = np.isfinite(q)
    assert equal(again[finite], x[finite])
    if policy != "kahan":  # a sum in the middle of two numbers may be kept as another pair
        assert equal(q, p)
        assert (np.asarray(rest)[finite] == np.asarray(other)[finite]).all()


# A step ------------------------------------------------------------------------------------------------


WAYS = [("numpy", True), ("torch", False), ("torch", True), ("jax", False)]
FLAT = [(*case, *way) for case in CASES for way in WAYS]


@pytest.mark.parametrize(("policy", "dtype", "library", "donate"), some(FLAT, 15))
def test_the_bits_are_the_same_in_every_library(policy: str, dtype: str, library: str, donate: bool) -> None:
    wanted, state = steps(adam(policy, seed=3), "numpy", dtype, 4)
    params, other = steps(adam(policy, seed=3), library, dtype, 4, donate=donate)
    assert same(wanted, params)
    if policy == "stochastic":
        assert (state.p_rest, other.p_rest) == (None, None)
    else:
        assert (state.p_rest[1], other.p_rest[1]) == (None, None)  # those of float32
        assert same([state.p_rest[0], state.p_rest[2]], [other.p_rest[0], other.p_rest[2]])


@pytest.mark.parametrize(("policy", "dtype"), some(CASES, 4))
def test_jit_gives_the_same_bits(policy: str, dtype: str) -> None:
    jax = pytest.importorskip("jax")
    wanted, _ = steps(adam(policy, seed=3), "numpy", dtype, 4)
    params, _ = steps(adam(policy, seed=3), "jax", dtype, 4, step=jax.jit(adam(policy, seed=3).step))
    assert same(wanted, params)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["split", "stochastic"])
def test_torch_compile_gives_the_same_bits(policy: str) -> None:
    torch = pytest.importorskip("torch")
    wanted, _ = steps(adam(policy, seed=3), "torch", "bfloat16", 4)
    compiled = torch.compile(adam(policy, seed=3).step, backend="aot_eager")
    params, _ = steps(adam(policy, seed=3), "torch", "bfloat16", 4, step=compiled)
    assert same(wanted, params)


def test_shards_give_the_same_bits() -> None:
    """Eight devices of one process, in a process of its own, as JAX counts its devices once."""
    pytest.importorskip("jax")
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    command = [sys.executable, "-c", SHARDED]
    done = subprocess.run(command, text=True, capture_output=True, check=True, env=environment)
    one, eight = json.loads(done.stdout.splitlines()[-1])
    assert one == eight


SHARDED = """
import json
import jax, jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from adamcore import Adam
adam = Adam(lr=1e-3, p_storage="stochastic", moment_dtype="float32", seed=3)
found = []
for count in (1, 8):
    mesh = Mesh(jax.devices()[:count], ("x",))
    place = NamedSharding(mesh, PartitionSpec("x", None))
    p = jax.device_put(jnp.linspace(0.5, 2.0, 96).reshape(16, 6).astype("bfloat16"), place)
    g = jax.device_put((jnp.arange(96.0).reshape(16, 6) % 7 - 3).astype("bfloat16"), place)
    state = adam.init([p])
    for _ in range(2):
        [p], state = jax.jit(adam.step)([p], [g], state)
    assert len(p.sharding.device_set) == count
    found.append(p.astype("float32").ravel().tolist())
print(json.dumps(found))
"""


def test_other_dtypes_are_stepped_as_ever(lib: Any) -> None:
    """The policy leaves float32 and float64 alone, in libraries without bits too."""
    for dtype in ("float32", "float64"):
        results = []
        for policy in ("plain", *RESTS, "stochastic"):
            opt = Adam(lr=0.1, p_storage=policy)  # type: ignore[arg-type]
            p, state = lib([1.0, -2.0], dtype), opt.init([lib([1.0, -2.0], dtype)])
            for _ in range(3):
                [p], state = opt.step([p], [lib([0.5, 1.0], dtype)], state)
            results.append(lib.bits(p))
            assert state.p_rest == ([None] if policy in RESTS else None)
        assert len(set(results)) == 1


def test_a_library_without_bits_is_refused() -> None:
    with pytest.raises(BackendError, match=r"p_storage='split' with arrays of array: expected a library"):
        leaf_dtypes(Adam(p_storage="split"), BaseBackend(), np.ones(2, np.float16))


@pytest.mark.parametrize(("policy", "dtype"), [c for c in CASES if c[1] == "bfloat16"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_masked_elements_keep_parameter_and_rest(policy: str, dtype: str, library: str) -> None:
    """F3: what stands under False keeps its bits, NaN in the gradient or not; an absent leaf likewise."""
    opt = adam(policy)
    params, state = steps(opt, library, dtype, 3)
    mask = np.arange(21).reshape(3, 7) % 2 == 0
    library_mask = array(library, mask, "float32") != 0
    grads = [array(library, g, d) for g, d in zip(gradients(0), (dtype, "float32", dtype), strict=True)]
    grads[0] = array(library, np.where(mask, 0.5, np.nan), dtype)
    new, after = opt.step(params, [grads[0], grads[1], None], state, present=[library_mask, True, True])
    assert (numbers(new[0])[~mask] == numbers(params[0])[~mask]).all()
    assert new[2] is params[2]
    assert int(after.t[0]) == 4
    if policy in RESTS:
        assert (numbers(after.p_rest[0])[~mask] == numbers(state.p_rest[0])[~mask]).all()
        assert (numbers(after.p_rest[0])[mask] != numbers(state.p_rest[0])[mask]).any()
        assert after.p_rest[2] is state.p_rest[2]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("policy", ["master", "split", "kahan"])
def test_a_parameter_that_was_changed_from_outside(policy: str, library: str) -> None:
    """Master notices it, kahan where the rest is too large for it; otherwise p is a nearest number still."""
    opt = adam(policy, lr=0.0)
    params, state = steps(adam(policy), library, "bfloat16", 7)
    value = 0.0009765625 if policy == "kahan" else 5.03125
    fresh = [array(library, np.full((3, 7), value), "bfloat16"), params[1], params[2]]
    grads = [
        array(library, g, d) for g, d in zip(gradients(0), ("bfloat16", "float32", "bfloat16"), strict=True)
    ]
    new, after = opt.step(fresh, grads, state)
    assert same(new[:1], fresh[:1])
    if policy == "split":
        assert same(after.p_rest[:1], state.p_rest[:1])
    else:
        assert same(after.p_rest[:1], opt.init(fresh).p_rest[:1])
    assert same([new[2], after.p_rest[2]], [params[2], state.p_rest[2]])  # which nobody changed


@pytest.mark.parametrize("policy", RESTS)
def test_reset_leaves_what_belongs_to_the_parameters(policy: str) -> None:
    opt = adam(policy)
    _, state = steps(opt, "numpy", "bfloat16", 3)
    again = opt.reset(state)
    assert same([again.p_rest[0], again.p_rest[2]], [state.p_rest[0], state.p_rest[2]])
    assert (int(again.t[0]), float(again.m[0].sum())) == (0, 0.0)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_donated_arrays_are_stepped_in_place(library: str) -> None:
    opt = adam("split")
    params, state = steps(opt, library, "bfloat16", 1)
    grads = [
        array(library, g, d) for g, d in zip(gradients(0), ("bfloat16", "float32", "bfloat16"), strict=True)
    ]
    new, after = opt.step(params, grads, state, donate=True)
    assert new[0] is params[0]
    assert after.p_rest[0] is state.p_rest[0]
    shared = after.p_rest[0].reshape(-1)[:1].reshape(())
    state = after._replace(p_rest=[after.p_rest[0], None, shared])
    with pytest.raises(TreeError, match="share memory"):
        opt.step(params, grads, state, donate=True)


# States ------------------------------------------------------------------------------------------------


def test_a_state_of_another_policy_is_refused() -> None:
    params = [array("numpy", [1.0, 2.0], "bfloat16")]
    step = partial(Adam.step, params=params, grads=params)
    with pytest.raises(StateError, match=r"state.p_rest is None: expected a tree, as p_storage='master'"):
        step(adam("master"), state=adam("plain").init(params))
    with pytest.raises(StateError, match=r"state.p_rest is there: expected None, as p_storage='plain'"):
        step(adam("plain"), state=adam("master").init(params))
    with pytest.raises(StateError, match=r"state.p_rest\[0\] is of dtype float32: expected int16"):
        step(adam("split"), state=adam("master").init(params))
    wide = [np.ones(2, np.float32)]
    state = adam("master").init(wide)._replace(p_rest=[np.ones(2, np.float32)])
    with pytest.raises(StateError, match=r"state.p_rest\[0\] is .*: expected None"):
        adam("master").step(wide, wide, state)


@pytest.mark.parametrize(("options", "message"), [
    ({"p_storage": "masters"}, r"p_storage='masters': expected one of 'plain', 'master'"),
    ({"seed": -1}, "seed=-1: expected a whole number"), ({"seed": 2**32}, "seed=4294967296"),
    ({"seed": True}, "seed=True"), ({"seed": 0.0}, r"seed=0\.0"),
])  # fmt: skip
def test_what_is_no_policy_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(HyperparameterError, match=message):
        Adam(**options)


def test_dtypes_that_no_policy_keeps_are_refused() -> None:
    with pytest.raises(
        HyperparameterError, match=r"p_storage='split8' with a parameter of float16: .*'split'"
    ):
        Adam(p_storage="split8", eps=1e-4).init([np.ones(2, np.float16)])
    dtypes = pytest.importorskip("ml_dtypes")
    narrow = [np.ones(2, np.float32).astype(dtypes.float8_e5m2)]
    with pytest.raises(
        HyperparameterError, match=r"with a parameter of float8_e5m2: expected bfloat16, float16"
    ):
        Adam(p_storage="master").init(narrow)


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_complex_parameters_of_16_bits_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(HyperparameterError, match="complex32: expected a real one"):
        Adam(p_storage="master").init([torch.ones(2).to(torch.complex32)])


def test_seeds_and_leaves_and_steps_differ() -> None:
    def first(seed: int) -> Any:
        params = [array("numpy", np.full(64, 1.003), "float32").astype("bfloat16")] * 1
        params = [*params, params[0].copy()]
        opt = adam("stochastic", seed=seed, lr=1e-3)
        return opt.step(params, [x / x for x in params], opt.init(params))[0]

    a, b = first(1), first(2)
    assert not same(a[:1], b[:1])
    assert not same(a[:1], a[1:])
    assert same(first(1), a)


@pytest.mark.parametrize("policy", ["split", "stochastic"])
def test_a_step_skipped_within_a_program_keeps_every_bit(policy: str) -> None:
    """SCALE.2, where only the program knows that a gradient has overflowed; and a scale that divides."""
    jax = pytest.importorskip("jax")
    opt = adam(policy)
    params, state = steps(opt, "jax", "bfloat16", 2)
    grads = [
        array("jax", g, d) for g, d in zip(gradients(0), ("bfloat16", "float32", "bfloat16"), strict=True)
    ]
    step = jax.jit(lambda overflow: opt.step(params, grads, state, grad_scale=4.0, found_inf=overflow))
    new, after = step(True)
    for old, x in zip(jax.tree.leaves((params, state)), jax.tree.leaves((new, after)), strict=True):
        assert numbers(old).tobytes() == numbers(x).tobytes()
    new, after = step(False)
    divided = [g / 4 for g in grads]
    wanted, kept_after = jax.jit(opt.step)(params, divided, state)
    assert same(jax.tree.leaves((wanted, kept_after)), jax.tree.leaves((new, after)))
