"""``p_storage`` in the optax transformation: the bits of the core, through updates and through steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import some
from storage_runs import CASES, array, gradients, same, steps

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

from adamcore import Adam  # noqa: E402
from adamcore.backends.jax import adam, native  # noqa: E402
from adamcore.errors import GradientError, ParameterError  # noqa: E402


def start(dtype: str) -> list[Any]:
    values = np.linspace(0.5, 2.0, 21).reshape(3, 7), np.ones((2, 3)), 1.0
    return [array("jax", x, d) for x, d in zip(values, (dtype, "float32", dtype), strict=True)]


def grads(k: int, dtype: str) -> list[Any]:
    return [array("jax", g, d) for g, d in zip(gradients(k), (dtype, "float32", dtype), strict=True)]


@pytest.mark.parametrize(("policy", "dtype"), some(CASES, 4))
def test_updates_and_steps_have_the_bits_of_the_core(policy: Any, dtype: str) -> None:
    options: Any = {"p_storage": policy, "moment_dtype": "float32", "seed": 3}
    core, tx = Adam.like("optax.adam", lr=1e-3, **options), adam(1e-3, **options)
    p = start(dtype)
    state, updated, stepped = core.init(p), start(dtype), start(dtype)
    its, theirs = tx.init(updated), tx.init(stepped)
    update, step = jax.jit(tx.update), jax.jit(core.step)
    for k in range(3):
        p, state = step(p, grads(k, dtype), state)
        changes, its = update(grads(k, dtype), its, updated)
        updated = optax.apply_updates(updated, changes)
        stepped, theirs = tx.step(stepped, grads(k, dtype), theirs)
    assert same(p, updated)
    assert same(p, stepped)
    assert [str(x.dtype) for x in updated] == [dtype, "float32", dtype]


def test_a_wider_gradient_and_no_parameters_are_refused() -> None:
    tx, params = adam(1e-3, p_storage="master"), start("bfloat16")
    state = tx.init(params)
    wide = [g.astype("float32") for g in grads(0, "bfloat16")]
    with pytest.raises(GradientError, match=r"grads\[0\] is of dtype float32: expected bfloat16"):
        tx.update(wide, state, params)
    with pytest.raises(ParameterError, match="since p_storage='master' needs them"):
        tx.update(grads(0, "bfloat16"), state)


def test_leaves_apart_keep_their_rests_and_their_numbers() -> None:
    """A mask of decay steps the leaves in two parts; with a decay of 0 in both, nothing changes."""
    options: Any = {"p_storage": "split", "moment_dtype": "float32", "weight_decay": 1e-30}
    whole, parts = adam(1e-3, **options), adam(1e-3, mask=[True, True, False], **options)
    a, b = start("bfloat16"), start("bfloat16")
    s, t = whole.init(a), parts.init(b)
    for k in range(2):
        a, s = whole.step(a, grads(k, "bfloat16"), s)
        b, t = parts.step(b, grads(k, "bfloat16"), t)
    assert same(a, b)
    assert same([s.p_rest[0], s.p_rest[2]], [t.p_rest[0], t.p_rest[2]])
    assert t.p_rest[1] is None


CHECKED = [
    ("split", "bfloat16", "plain"),
    ("stochastic", "bfloat16", "plain"),
    ("split8", "bfloat16", "companded8"),
    ("split", "bfloat16", "stochastic"),
]
ALL = [
    ("split", "bfloat16", "stochastic"),
    ("plain", "float16", "stochastic"),
    *((*case, "plain") for case in CASES),
    ("split8", "bfloat16", "companded8"),
    ("plain", "float32", "companded8"),
]


@pytest.mark.parametrize(
    ("policy", "dtype", "moments"),
    [case if case in CHECKED else pytest.param(*case, marks=pytest.mark.slow) for case in ALL],
)
def test_the_handler_has_the_bits_of_numpy(policy: Any, dtype: str, moments: Any) -> None:
    """Steps outside of jit, the later ones cached, and the machine code in the caller's program."""
    kept = {"p_storage": policy, "m_storage": moments, "v_storage": moments}
    core = Adam(lr=1e-3, eps=1e-3, seed=3, amsgrad="uncorrected", **kept)

    def native_step(*given: Any) -> Any:
        with native():
            return core.step(*given)

    wanted = jax.tree.leaves(steps(core, "numpy", dtype, 4))
    for options in ({"donate": True}, {"step": jax.jit(native_step)}):
        got = steps(core, "jax", dtype, 4, **options)
        assert same(jax.tree.leaves(got), wanted)
