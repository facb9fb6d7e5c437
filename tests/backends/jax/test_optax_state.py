"""The state of the optax transformations, in the hands of optax, flax, JAX and pickle."""

from __future__ import annotations

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from adamcore import Adam, AdamState
from adamcore.backends import jax as ours
from adamcore.backends.jax import adam
from adamcore.backends.jax.optax_state import OptaxAdamState
from adamcore.errors import StateError

PARAMS = {"w": jnp.ones(2)}
OTHER = adam(0.1, dialect="torch.Adam", clock="global", amsgrad="corrected")  #: an Adam that optax has not


def test_optax_finds_and_sets_the_fields_by_its_own_names() -> None:
    state = optax.chain(optax.clip(1.0), OTHER).init(PARAMS)
    assert int(optax.tree.get(state, "count")) == 0
    for name in ("mu", "nu", "nu_max"):
        assert optax.tree.get(state, name)["w"].tolist() == [0.0, 0.0]
    state = optax.tree.set(state, count=jnp.asarray(7), nu={"w": jnp.ones(2)})
    assert int(state[1].t) == 7
    assert state[1].v["w"].tolist() == [1.0, 1.0]
    with pytest.raises(KeyError):
        optax.tree.set(state, t=3)


def test_both_names_of_a_field() -> None:
    state = OptaxAdamState(1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert (state.count, state.mu, state.nu, state.nu_max) == (state.t, state.m, state.v, state.v_max)
    assert state._replace(mu=6, v=7) == (1, 6, 7, 4, 5, 6, 7, 8, 9)
    assert type(state._replace(t=0)) is OptaxAdamState
    assert isinstance(state, AdamState)
    assert repr(state) == (
        "OptaxAdamState(count=1, mu=2, nu=3, nu_max=4, mu_product=5, p_rest=6, m_scale=7, v_scale=8, "
        "v_max_scale=9)"
    )
    assert state._asdict()["count"] == 1


def test_a_tree_of_jax_with_paths() -> None:
    state = adam(0.1, dialect="torch.Adam").init(PARAMS)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert paths == [".count['w']", ".mu['w']", ".nu['w']"]
    assert type(jax.tree.map(lambda x: x, state)) is OptaxAdamState


def test_pickle() -> None:
    state = pickle.loads(pickle.dumps(OptaxAdamState(1, 2, 3)))
    assert (type(state), state) == (OptaxAdamState, (1, 2, 3, *[None] * 6))


def test_reset_keeps_its_type() -> None:
    opt = Adam.like("torch.Adam")
    assert type(opt.reset(adam(0.1, dialect="torch.Adam").init(PARAMS))) is OptaxAdamState


def test_a_plain_state_stays_plain() -> None:
    """A state that was saved before is of the core's type; a scan keeps the type that it is given."""
    tx = adam(0.1)
    plain = Adam.like("optax.adam", lr=0.1).init(PARAMS)

    def one(state: Any, _: Any) -> Any:
        return tx.update(PARAMS, state, PARAMS)[1], None

    after, _ = jax.lax.scan(one, plain, None, length=3)
    assert type(after) is AdamState
    assert int(after.t) == 3


@pytest.mark.parametrize("dialect", ["optax.adam", "torch.NAdam"])
def test_flax_restores_it(dialect: str) -> None:
    serialization = pytest.importorskip("flax.serialization")
    tx = adam(0.1, dialect=dialect)
    _, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    again = serialization.from_bytes(tx.init(PARAMS), serialization.to_bytes(state))
    assert type(again) is type(state)
    updates, after = tx.update(PARAMS, again, PARAMS)
    want, _ = tx.update(PARAMS, state, PARAMS)
    assert updates["w"].tolist() == want["w"].tolist()
    assert isinstance(optax.tree.get(after, "mu")["w"], jax.Array)


# ------------------------------------------------------------------------------ optax' own form

SCHEDULE = optax.linear_schedule(0.5, 0.1, 3)
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("adam", {"learning_rate": 0.1}),
    ("adam", {"learning_rate": SCHEDULE}),
    ("adam", {"learning_rate": 0.1, "nesterov": True}),
    ("adamw", {"learning_rate": 0.1}),
    ("adamw", {"learning_rate": SCHEDULE, "weight_decay": 0.0, "mask": {"w": True}}),
    ("adamw", {"learning_rate": SCHEDULE, "weight_decay": SCHEDULE}),
    ("adamw", {"learning_rate": 0.1, "weight_decay": SCHEDULE, "mask": {"w": True}}),
    ("amsgrad", {"learning_rate": 0.1}),
    ("nadam", {"learning_rate": 0.1}),
    ("nadamw", {"learning_rate": SCHEDULE}),
]


@pytest.mark.parametrize(("name", "options"), CALLS)
def test_the_form_is_that_of_optax(name: str, options: dict[str, Any]) -> None:
    """A run goes on in the other library's optimizer, with the state as it is, in both directions."""
    mine, theirs = getattr(ours, name)(**options), getattr(optax, name)(**options)
    runs = []
    with jax.enable_x64(True):
        start = {"w": jnp.ones(2)}
        assert str(jax.tree.structure(mine.init(start))) == str(jax.tree.structure(theirs.init(start)))
        for one, other in ((mine, mine), (theirs, theirs), (mine, theirs), (theirs, mine)):
            params, state = start, one.init(start)
            for k in range(4):
                g = {"w": jnp.asarray([0.5, -1.0 * k])}
                updates, state = (one if k < 2 else other).update(g, state, params)
                params = optax.apply_updates(params, updates)
            assert str(jax.tree.structure(state)) == str(jax.tree.structure(theirs.init(start)))
            runs.append((params, state))
        for run in runs[1:]:
            for a, b in zip(jax.tree.leaves(run), jax.tree.leaves(runs[0]), strict=True):
                assert jnp.allclose(a, b, rtol=1e-9, atol=0.0)
                assert a.dtype == b.dtype


def test_a_schedule_sees_its_own_count() -> None:
    """As in optax, where the clock of the moments and the count of the schedule are two."""
    for make in (ours.adamw, optax.adamw):
        tx = make(lambda count: 1.0 * count, weight_decay=lambda count: 2.0 * count)
        moments, decay, rate = tx.init(PARAMS)
        state = moments, decay._replace(count=jnp.asarray(2)), rate._replace(count=jnp.asarray(3))
        updates, after = jax.jit(tx.update)({"w": jnp.zeros(2)}, state, PARAMS)
        assert updates["w"].tolist() == [-12.0, -12.0]
        assert [int(part.count) for part in after] == [1, 3, 4]


def test_the_states_of_two_inits_share_nothing() -> None:
    tx = adam(SCHEDULE)
    first, second = tx.init(PARAMS), tx.init(PARAMS)
    tx.step({"w": jnp.ones(2)}, PARAMS, first)
    assert [int(x) for x in (second[0].count, second[1].count)] == [0, 0]


def test_what_is_no_state_is_refused() -> None:
    others: list[Any] = [(), [], {"mu": 1}, optax.sgd(0.1).init(PARAMS), None]
    for state in others:
        with pytest.raises(StateError, match="expected the state that init or the last update returned"):
            adam(0.1).update(PARAMS, state, PARAMS)
