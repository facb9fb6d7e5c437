"""The state of Adam in any chain of optax."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends import states
from adamcore.errors import CheckpointError, ConversionError


def test_optax_in_any_chain() -> None:
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    from adamcore.backends.jax import adam as ours

    params = {"a": {"w": jax.numpy.ones((2, 3))}, "b": jax.numpy.ones(())}
    schedule = optax.linear_schedule(0.1, 0.2, 5)
    for tx, adam in (
        (optax.adam(0.1), Adam.like("optax.adam", lr=0.1)),
        (optax.chain(optax.clip(1.0), optax.adamw(schedule)), Adam.like("optax.adamw", lr=0.1)),
        (optax.inject_hyperparams(optax.adam)(0.1), Adam.like("optax.adam", lr=0.1)),
        (optax.amsgrad(0.1), Adam.like("optax.amsgrad", lr=0.1)),
        (optax.chain(optax.clip(1.0), ours(0.1)), Adam.like("optax.adam", lr=0.1)),
        (ours(0.1, dialect="torch.AdamW"), Adam.like("torch.AdamW", lr=0.1)),
    ):
        state = tx.init(params)
        for _ in range(3):
            _, state = tx.update(jax.tree.map(lambda p: 0.3 * p, params), state, params)
        named = states.from_optax(state, adam)
        assert list(named.leaves) == ["a.w", "b"]
        assert named.one_clock() == 3
        back = states.to_optax(named, tx.init(params), params, adam=adam)
        assert jax.tree.structure(back) == jax.tree.structure(state)
        a, _ = tx.update(params, state, params)
        b, _ = tx.update(params, back, params)
        assert all((x == y).all() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    with pytest.raises(CheckpointError, match="no state of Adam"):
        states.from_optax(optax.sgd(0.1).init(params), Adam())
    with pytest.raises(CheckpointError, match="2 states of Adam"):
        states.from_optax((optax.adam(0.1).init(params), optax.adam(0.1).init(params)), Adam())
    with pytest.raises(CheckpointError, match="no state for 'c'"):
        states.to_optax(named, optax.adam(0.1).init({"c": params["b"]}), {"c": params["b"]})


def test_no_moment_is_rounded_unasked() -> None:
    """MOM.4: a v of 1e-8 is 0 in float16."""
    optax, jnp = pytest.importorskip("optax"), pytest.importorskip("jax.numpy")
    from adamcore.backends.jax import adam

    p = {"w": jnp.ones(2, "float16")}
    v = np.full(2, 1e-8, dtype=np.float32)
    named = states.NamedState(Adam.like("optax.adam", lr=1e-3), {"w": states.Moments(3, v, v)})
    for tx in (optax.adam(1e-3), adam(1e-3)):
        with pytest.raises(ConversionError, match="m of w is float32 in the state and float16 where it goes"):
            states.to_optax(named, tx.init(p), p)
        asked = states.to_optax(named, tx.init(p), p, narrow=True)
        assert states.from_optax(asked, named.adam).leaves["w"].v.tolist() == [0.0, 0.0]
    wide = adam(1e-3, moment_dtype="float32")
    kept = states.to_optax(named, wide.init(p), p, adam=wide.functions.adam)
    assert states.from_optax(kept, named.adam).leaves["w"].v.tolist() == v.tolist()
