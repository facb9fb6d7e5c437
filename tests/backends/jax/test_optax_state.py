"""The state of the optax transformations, in the hands of optax, flax, JAX and pickle."""

from __future__ import annotations

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from adamcore import Adam, AdamState
from adamcore.backends.jax import adam, amsgrad
from adamcore.backends.jax.optax_state import OptaxAdamState

PARAMS = {"w": jnp.ones(2)}


def test_optax_finds_and_sets_the_fields_by_its_own_names() -> None:
    state = optax.chain(optax.clip(1.0), amsgrad(0.1)).init(PARAMS)
    assert int(optax.tree.get(state, "count")) == 0
    for name in ("mu", "nu", "nu_max"):
        assert optax.tree.get(state, name)["w"].tolist() == [0.0, 0.0]
    state = optax.tree.set(state, count=jnp.asarray(7), nu={"w": jnp.ones(2)})
    assert int(state[1].t) == 7
    assert state[1].v["w"].tolist() == [1.0, 1.0]
    with pytest.raises(KeyError):
        optax.tree.set(state, t=3)


def test_both_names_of_a_field() -> None:
    state = OptaxAdamState(1, 2, 3, 4, 5, 6)
    assert (state.count, state.mu, state.nu, state.nu_max) == (state.t, state.m, state.v, state.v_max)
    assert state._replace(mu=6, v=7) == (1, 6, 7, 4, 5, 6)
    assert type(state._replace(t=0)) is OptaxAdamState
    assert isinstance(state, AdamState)
    assert repr(state) == "OptaxAdamState(count=1, mu=2, nu=3, nu_max=4, mu_product=5, p_rest=6)"
    assert state._asdict()["count"] == 1


def test_a_tree_of_jax_with_paths() -> None:
    state = adam(0.1).init(PARAMS)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert paths == [".count", ".mu['w']", ".nu['w']"]
    assert type(jax.tree.map(lambda x: x, state)) is OptaxAdamState


def test_pickle() -> None:
    state = pickle.loads(pickle.dumps(OptaxAdamState(1, 2, 3)))
    assert (type(state), state) == (OptaxAdamState, (1, 2, 3, None, None, None))


def test_reset_keeps_its_type() -> None:
    opt = Adam.like("optax.adam", lr=0.1)
    assert type(opt.reset(adam(0.1).init(PARAMS))) is OptaxAdamState


def test_a_plain_state_stays_plain() -> None:
    """A state that was saved before is of the core's type; a scan keeps the type that it is given."""
    tx = adam(0.1)
    plain = AdamState(*tx.init(PARAMS))

    def one(state: Any, _: Any) -> Any:
        return tx.update(PARAMS, state, PARAMS)[1], None

    after, _ = jax.lax.scan(one, plain, None, length=3)
    assert type(after) is AdamState
    assert int(after.t) == 3


def test_flax_restores_it() -> None:
    serialization = pytest.importorskip("flax.serialization")
    tx = adam(0.1)
    _, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    again = serialization.from_bytes(tx.init(PARAMS), serialization.to_bytes(state))
    assert type(again) is OptaxAdamState
    updates, after = tx.update(PARAMS, again, PARAMS)
    want, _ = tx.update(PARAMS, state, PARAMS)
    assert updates["w"].tolist() == want["w"].tolist()
    assert isinstance(after.mu["w"], jax.Array)
