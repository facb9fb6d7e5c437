"""``m_storage`` and ``v_storage`` of the optax transformations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from moment_runs import POLICIES
from storage_runs import same

jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")

from adamcore import Adam  # noqa: E402
from adamcore.backends.jax import adam  # noqa: E402
from adamcore.backends.jax.optax_state import OptaxAdamState  # noqa: E402


def grads_of(params: Any, k: int) -> Any:
    return jax.tree.map(lambda p: (p * 0 + 1) * (0.5 if k % 2 else -0.25), params)


@pytest.mark.parametrize("policy", POLICIES)
def test_updates_keep_the_moments_of_the_core(policy: Any) -> None:
    core = Adam(lr=0.01, b1=0.5, b2=0.75, m_storage=policy, v_storage=policy)
    params = [jax.numpy.linspace(-1, 1, 150).reshape(3, 50)]
    settings: Any = {"m_storage": policy, "v_storage": policy, "dialect": "torch.Adam"}
    tx, wanted, own = adam(0.01, 0.5, 0.75, **settings), params, core.init(params)
    state = tx.init(params)
    assert type(state) is OptaxAdamState
    update, step = jax.jit(tx.update), jax.jit(core.step)
    for k in range(3):
        updates, state = update(grads_of(params, k), state, params)
        params = optax.apply_updates(params, updates)
        wanted, own = step(wanted, grads_of(wanted, k), own)
    for name in ("m", "v", "m_scale", "v_scale"):
        assert same(getattr(state, name), getattr(own, name)), name
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(params, wanted, strict=True))


def test_a_wider_gradient_and_no_params() -> None:
    """Codes tell no dtype of parameters: the gradients do, and m keeps its codes beside a wide gradient."""
    tx = adam(0.01, m_storage="companded8", v_storage="companded8")
    params = {"w": jax.numpy.ones(3, "bfloat16")}
    state = tx.init(params)
    wide = {"w": jax.numpy.ones(3, "float32")}
    update = jax.jit(tx.update)
    updates, after = update(wide, state, params)
    assert after.m["w"].dtype == "int8"
    assert updates["w"].dtype == "float32"
    updates, _ = update(wide, state)
    assert updates["w"].dtype == "float32"
    assert np.allclose(updates["w"], -0.01)
