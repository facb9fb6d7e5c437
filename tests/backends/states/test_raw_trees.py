"""States of optax restored without a target: dictionaries and lists."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from state_samples import same

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.checkpoints.optax_files import leaves_of
from adamcore.backends.states.raw_trees import raw_state
from adamcore.errors import CheckpointError


def filled(tx: Any) -> tuple[Any, Any]:
    """Return parameters, with a list among them, and a state whose arrays are told from each other."""
    jax = pytest.importorskip("jax")
    numbers = itertools.count(1)
    params = {"layers": [{"kernel": np.ones((2, 3), np.float32)}, {"kernel": np.ones(4, np.float32)}]}
    state = tx.init(params)
    return params, jax.tree.map(lambda x: np.full(x.shape, next(numbers), x.dtype), state)


def restored(state: Any) -> list[Any]:
    """Return what flax and orbax make of a state if they are given no target."""
    serialization = pytest.importorskip("flax.serialization")
    as_dicts = serialization.msgpack_restore(serialization.to_bytes(state))

    def as_lists(node: Any) -> Any:
        if hasattr(node, "_fields"):
            return {k: as_lists(x) for k, x in node._asdict().items()} or None
        if isinstance(node, dict):
            return {k: as_lists(x) for k, x in node.items()}
        return [as_lists(x) for x in node] if isinstance(node, tuple | list) else node

    return [as_dicts, as_lists(state)]


def test_a_raw_state_is_the_typed_one() -> None:
    optax = pytest.importorskip("optax")
    from adamcore.backends.jax import adam as ours

    for tx, adam in (
        (optax.adam(0.1), Adam.like("optax.adam", lr=0.1)),
        (optax.chain(optax.clip(1.0), optax.adamw(optax.linear_schedule(0.1, 0.2, 5))), Adam(lr=0.1)),
        (optax.inject_hyperparams(optax.adam)(0.1), Adam.like("optax.adam", lr=0.1)),
        (optax.amsgrad(0.1), Adam.like("optax.amsgrad", lr=0.1)),
        (ours(0.1), Adam.like("optax.adam", lr=0.1)),
        (ours(0.1, dialect="torch.AdamW"), Adam.like("torch.AdamW", lr=0.1)),
    ):
        _, state = filled(tx)
        typed = states.from_optax(state, adam)
        assert set(typed.leaves) == {"layers.0.kernel", "layers.1.kernel"}
        for tree in restored(state):
            same(states.from_optax(tree, adam), typed)
            same(states.from_optax({"params": [], "opt_state": tree}, adam), typed)


def test_accumulated_gradients_are_not_lost_without_a_word() -> None:
    """In the typed state, in the raw ones, and not between two updates, where there are none."""
    optax = pytest.importorskip("optax")
    adam = Adam.like("optax.adam", lr=0.1)
    tx = optax.MultiSteps(optax.adam(0.1), 3)
    params, state = filled(tx)
    state = state._replace(mini_step=np.asarray(2, np.int32))
    for tree in (state, *restored(state)):
        with pytest.warns(UserWarning, match="gradients of 2 mini-steps"):
            named = states.from_optax(tree, adam)
    between = state._replace(mini_step=np.asarray(0, np.int32))
    for tree in (between, *restored(between)):
        same(states.from_optax(tree, adam), named)
    back = states.to_optax(named, tx.init(params), params)
    assert int(back.gradient_step) == named.one_clock()  # which every_k_schedule sees
    same(states.from_optax(back, adam), named)


def test_other_transformations_are_not_lost_without_a_word() -> None:
    optax = pytest.importorskip("optax")
    for tx, said in (
        (optax.chain(optax.trace(0.9), optax.adam(0.1)), "arrays of TraceState are no part"),
        (optax.chain(optax.adam(0.1), optax.ema(0.9)), "arrays of EmaState are no part"),
    ):
        with pytest.warns(UserWarning, match=said):
            states.from_optax(filled(tx)[1], Adam(lr=0.1))


def test_none_and_several() -> None:
    one = {"count": np.asarray(3), "mu": {"w": np.zeros(2)}, "nu": {"w": np.ones(2)}}
    with pytest.raises(CheckpointError, match=r"2 states of Adam in F, which has 'a', 'b\.0'"):
        raw_state(leaves_of({"a": one, "b": [one]}), "F")
    assert raw_state(leaves_of({"a": one, "b": [one]}), "F", key="b")[0]["count"] == 3
    with pytest.raises(CheckpointError, match=r"no states of Adam in F: .*there are 'params'"):
        raw_state(leaves_of({"params": {"w": np.zeros(2)}}), "F")
    belief = one | {"other": np.zeros(2)}
    with pytest.raises(CheckpointError, match="no states"):
        raw_state(leaves_of({"a": belief}), "F")


def test_nnx() -> None:
    """An nnx.Optimizer, its state and its pure dictionary; and its next update after to_optax."""
    nnx, optax = pytest.importorskip("flax.nnx"), pytest.importorskip("optax")
    import jax

    adam = Adam.like("optax.adamw", lr=0.1)
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    tx = optax.adamw(optax.linear_schedule(0.1, 0.2, 5))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    params = nnx.state(model, nnx.Param)
    ones = jax.tree.map(jax.numpy.ones_like, params)
    optimizer.update(model, ones)
    state = states.from_optax(optimizer.opt_state, adam)
    assert set(state.leaves) == {"kernel", "bias"}
    for source in (optimizer, nnx.state(optimizer), nnx.to_pure_dict(nnx.state(optimizer))):
        same(states.from_optax(source, adam), state)
    optimizer.opt_state = states.to_optax(state, optimizer.opt_state, params)
    optimizer.update(model, ones)
    assert states.from_optax(optimizer, adam).one_clock() == 2
    assert int(optimizer.opt_state[2].count[...]) == 2


def test_arrays_with_names_of_their_axes() -> None:
    """flax.linen's Partitioned: the names are those of the parameters, without "value"."""
    linen, optax = pytest.importorskip("flax.linen"), pytest.importorskip("optax")
    import jax

    params = {"kernel": linen.Partitioned(jax.numpy.ones((2, 3)), ("a", "b"))}
    tx = optax.adam(0.1)
    state = tx.init(params)
    named = states.from_optax(state, Adam(lr=0.1))
    assert list(named.leaves) == ["kernel"]
    back = states.to_optax(named, state, params)
    assert str(jax.tree.structure(back)) == str(jax.tree.structure(state))
