"""What the transformations take beside arrays of JAX in one dtype, as optax does."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adamcore import Adam, Clip
from adamcore.backends.jax import adam, adamw
from adamcore.backends.jax.optax_state import unpacked
from adamcore.errors import GradientError, HyperparameterError, ParameterError, StateError
from adamcore.numerics import NumericsWarning

PARAMS = {"w": np.asarray([0.5, -1.5], np.float32), "b": np.asarray([2.0], np.float32)}
GRADS = {"w": np.asarray([0.25, 1.0], np.float32), "b": np.asarray([-0.5], np.float32)}
MASK = {"w": True, "b": False}


def on_jax(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


def structure(tree: Any) -> str:
    return str(jax.tree.structure(tree))


def bits(tree: Any) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("numpys", ["params", "grads", "state", "all"])
def test_arrays_of_numpy(numpys: str, mask: Any) -> None:
    tx = adamw(0.1, weight_decay=0.5, mask=mask)
    whole: dict[str, Any] = {"params": on_jax(PARAMS), "grads": on_jax(GRADS), "state": tx.init(PARAMS)}
    want = tx.update(whole["grads"], whole["state"], whole["params"])
    for name in whole if numpys == "all" else [numpys]:
        whole[name] = jax.tree.map(np.asarray, whole[name])
    updates, state = tx.update(whole["grads"], whole["state"], whole["params"])
    assert bits((updates, state)) == bits(want)
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves((updates, state)))
    params, state = tx.step(whole["params"], whole["grads"], whole["state"])
    assert int(unpacked(state).own.t) == 1
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves((params, state)))


def test_numbers_as_parameters() -> None:
    tx = adam(0.1)
    updates, state = tx.update(2.0, tx.init(1.0), 1.0)
    assert float(updates) == pytest.approx(-0.1)
    assert not unpacked(state).own.m.weak_type


def test_init_of_shapes() -> None:
    shapes = {"w": jax.ShapeDtypeStruct((2,), jnp.float32), "b": jax.ShapeDtypeStruct((1,), jnp.bfloat16)}
    state = adam(0.1, mu_dtype="float32").init(shapes)[0]
    assert state.mu["b"].dtype == jnp.float32
    assert state.nu["b"].dtype == jnp.bfloat16
    assert state.nu["w"].tolist() == [0.0, 0.0]
    assert jax.eval_shape(adam(0.1).init, shapes)[0].mu["w"].shape == (2,)


@pytest.mark.parametrize("wide", ["gradient", "parameter"])
@pytest.mark.parametrize("mask", [None, MASK])
def test_a_gradient_of_another_dtype(wide: str, mask: Any) -> None:
    """The step is that of the wider dtype; what is stored keeps its own."""
    params, grads = on_jax(PARAMS), on_jax(GRADS)
    narrow, full = (grads, params) if wide == "parameter" else (params, grads)
    narrow = narrow | {"w": narrow["w"].astype("bfloat16")}
    params, grads = (full, narrow) if wide == "parameter" else (narrow, full)
    tx = adamw(0.125, weight_decay=0.5, mask=mask)
    state = tx.init(params)
    reference = adamw(
        0.125, weight_decay=0.5, mask=mask, m_dtype=str(params["w"].dtype), v_dtype=str(params["w"].dtype)
    )
    up = jax.tree.map(lambda x: x.astype("float32"), (params, grads))
    other = reference.init(up[0])
    for _ in range(2):
        updates, state = tx.update(grads, state, params)
        want, other = reference.update(up[1], other, up[0])
        assert bits(updates["w"]) == bits(want["w"])
        assert updates["w"].dtype == jnp.float32
        own, its = unpacked(state).own, unpacked(other).own
        assert bits((own.m["w"], own.v["w"])) == bits((its.m["w"], its.v["w"]))
        assert own.m["w"].dtype == params["w"].dtype
    moved, _ = tx.step(jax.tree.map(jnp.copy, params), grads, tx.init(params))
    assert jax.tree.map(lambda x: x.dtype, moved) == jax.tree.map(lambda x: x.dtype, params)


def test_gradients_that_belong_to_no_parameter() -> None:
    tx = adam(0.1)
    for g in (jnp.ones(2, jnp.complex64), jnp.ones(2, jnp.int32), jnp.ones(3)):
        with pytest.raises(GradientError):
            tx.update(g, tx.init(jnp.ones(2)), jnp.ones(2))
    with pytest.raises(ParameterError):
        tx.init({"n": jnp.ones(2, jnp.int32)})
    with pytest.raises(StateError, match="state is tuple"):
        tx.update(jnp.ones(2), (), jnp.ones(2))


@pytest.mark.parametrize("dialect", ["optax.adamw", "torch.AdamW", "torch.NAdam", "optax.amsgrad"])
@pytest.mark.parametrize("wrap", [lambda tx: tx, lambda tx: optax.chain(optax.clip(1.0), tx)])
def test_tree_map_params(dialect: str, wrap: Any) -> None:
    """Every copy of the parameters is mapped, and every clock is something else."""
    tx = wrap(adam(0.1, dialect=dialect))
    state = tx.init(PARAMS)
    specs = {"w": "sharded", "b": "whole"}
    found = optax.tree_map_params(
        tx, lambda x, spec: spec, state, specs, transform_non_params=lambda x: "clock"
    )
    assert optax.tree.get(found, "mu") == optax.tree.get(found, "nu") == specs
    assert optax.tree.get(found, "count") == "clock"
    assert optax.tree.get(found, "nu_max") == (specs if dialect == "optax.amsgrad" else None)
    assert structure(optax.tree_map_params(tx, lambda x: x, state)) == structure(state)


@pytest.mark.parametrize("empty", [{}, {"a": None}, [], optax.MaskedNode()])
def test_trees_without_arrays(empty: Any) -> None:
    for tx in (adamw(0.1), adam(0.1, dialect="torch.Adam"), optax.adamw(0.1)):
        state = tx.init(empty)
        updates, after = tx.update(empty, state, empty)
        assert updates == empty
        assert structure(after) == structure(state)
    assert int(adamw(0.1).update(empty, adamw(0.1).init(empty), empty)[1][0].count) == 1


def test_a_group_that_has_no_parameters() -> None:
    tx = optax.multi_transform({"a": adam(0.1), "b": adamw(0.2)}, {"w": "a", "b": "a"})
    updates, _ = tx.update(on_jax(GRADS), tx.init(PARAMS), PARAMS)
    assert np.allclose(updates["b"], 0.1)


@pytest.mark.parametrize("make", [adamw, optax.adamw])
def test_a_model_with_functions_in_it(make: Any) -> None:
    """Equinox' documentation passes the whole model as the parameters."""
    model = {"w": jnp.ones(2), "activation": jax.nn.relu, "depth": 3}
    arrays = {"w": jnp.ones(2), "activation": None, "depth": None}
    tx = make(0.1)
    updates, _ = tx.update(arrays, tx.init(arrays), model)
    assert updates["activation"] is None
    assert np.allclose(updates["w"], -0.1, rtol=1e-3)


def test_without_params_in_other_dtypes() -> None:
    """The dtypes of the parameters are told by the moments that keep them, or else by the gradients."""
    params, grads = jnp.ones(2, "bfloat16"), jnp.ones(2, "bfloat16")
    for options in ({}, {"mu_dtype": "float32"}, {"moment_dtype": "float32"}, {"v_dtype": "float32"}):
        tx = adam(0.1, **options)  # type: ignore[arg-type]
        a, _ = tx.update(grads, tx.init(params))
        b, _ = tx.update(grads, tx.init(params), params * 0)
        assert a.dtype == jnp.bfloat16
        assert bits(a) == bits(b)


def test_dozat_without_parameters_in_one_part() -> None:
    """A clock and a product for all leaves are the same with a mask as without one."""
    options: dict[str, Any] = {"dialect": "torch.NAdam", "clock": "global", "decay": "decoupled"}
    one = adam(0.1, weight_decay=0.0, **options)
    two = adam(0.1, weight_decay=0.0, mask=MASK, **options)
    state, other = one.init(PARAMS), two.init(PARAMS)
    for _ in range(2):
        _, state = one.update(GRADS, state, PARAMS)
        _, other = two.update(GRADS, other, PARAMS)
    assert bits(state) == bits(other)
    assert Adam.like("torch.NAdam").nesterov == "dozat"


NARROW = {"w": jnp.ones(3, "bfloat16"), "b": jnp.ones(3, "bfloat16")}


def test_check_numerics_knows_mask_and_hyperparameters() -> None:
    found = adamw(1e-3, weight_decay=0.1, mask=MASK).check_numerics(NARROW).findings
    assert {f.path for f in found if f.what == "decay-lost"} == {"params['w']"}
    assert {f.path for f in found if f.what == "step-lost"} == {"params['w']", "params['b']"}
    arrays = adamw(jnp.asarray(1e-3), b2=jnp.asarray(0.5), weight_decay=lambda count: 0.1)
    assert {f.what for f in arrays.check_numerics(NARROW).findings} == {"step-lost"}
    with pytest.raises(HyperparameterError, match="lr is a schedule"):
        adamw(lambda count: 1e-3).check_numerics(NARROW)
    assert adamw(lambda count: 1e-3).check_numerics(NARROW, 1e-3)


def test_check_numerics_warns_in_init() -> None:
    with pytest.warns(NumericsWarning, match="step-lost"):
        adam(1e-3, check_numerics=True).init(NARROW)
    with pytest.warns(NumericsWarning, match="lr=1e-05"):
        adam(lambda count: 1.0, check_numerics=1e-5).init(NARROW)
    with pytest.warns(NumericsWarning, match="not looked at: the values of params"):
        jax.jit(adam(1e-3, check_numerics=True).init)(NARROW)
    with pytest.warns(NumericsWarning, match="step-lost"):
        optax.inject_hyperparams(adam)(1e-3, check_numerics=True).init(NARROW)
    with pytest.raises(HyperparameterError, match="b2 is an array whose value only the program knows"):
        jax.jit(lambda b2: adam(1e-3, b2=b2).check_numerics(NARROW))(0.9)


@pytest.mark.parametrize("mask", [None, MASK])
def test_the_loss_scale_is_undone_in_the_update(mask: Any) -> None:
    """SCALE.1, SCALE.2, also through a chain, whose other transformations do not know of it."""
    schedule = optax.linear_schedule(0.1, 0.2, 5)
    tx = optax.chain(optax.identity(), adamw(schedule, weight_decay=0.5, mask=mask))
    params, grads = on_jax(PARAMS), on_jax(GRADS)
    state = tx.init(params)
    update = jax.jit(lambda g, s, scale, flag: tx.update(g, s, params, grad_scale=scale, found_inf=flag))
    scaled = jax.tree.map(lambda g: 4096.0 * g, grads)
    updates, after = update(scaled, state, 4096.0, False)
    want = jax.jit(tx.update)(grads, state, params)
    assert bits((updates, after)) == bits(want)
    skipped, same = update(jax.tree.map(lambda g: g * jnp.nan, grads), after, 4096.0, True)
    assert bits(same) == bits(after)
    assert bits(optax.apply_updates(params, skipped)) == bits(params)

    ours = adamw(0.1, weight_decay=0.5, mask=mask)
    want = ours.step(on_jax(PARAMS), grads, ours.init(params))
    got = ours.step(
        on_jax(PARAMS), scaled, ours.init(params), grad_scale=4096.0, found_inf=jnp.asarray(False)
    )
    assert bits(got) == bits(want)
    before = bits(got)
    assert bits(ours.step(*got[:1], scaled, got[1], grad_scale=1.0, found_inf=jnp.asarray(True))) == before


def test_clipping_counts_all_leaves_whatever_decays() -> None:
    """The norm is over all leaves, though those without decay are stepped apart."""
    want = optax.chain(optax.clip_by_global_norm(0.5), adamw(0.1, weight_decay=0.5, mask=MASK))
    tx = adamw(0.1, weight_decay=0.5, mask=MASK, clip=Clip(global_norm=0.5))
    params, grads = on_jax(PARAMS), on_jax(GRADS)
    theirs, _ = want.update(grads, want.init(params), params)
    scaled = jax.tree.map(lambda g: 4 * g, grads)
    ours, state = tx.update(scaled, tx.init(params), params, grad_scale=4.0)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), ours, theirs)
    _, stepped = tx.step(on_jax(PARAMS), grads, tx.init(params))
    np.testing.assert_allclose(unpacked(stepped)[0].m["w"], unpacked(state)[0].m["w"], rtol=1e-6)
    with pytest.raises(HyperparameterError, match="Clip with no number"):
        adamw(0.1, clip=Clip())
