"""Steps of packed states: the bits of unpacked ones, whichever way a step is made."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, Clip, Rows
from adamcore.errors import (
    ClockError,
    GradientError,
    HyperparameterError,
    MissingGradientError,
    StateError,
    TreeError,
)

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import bits_of, many, packed_alone, tree  # noqa: E402

from adamcore.backends.jax import ffi, pack, unpack  # noqa: E402

needs_ffi = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")


def both(adam: Adam, params: Any, grads: list[Any], donate: bool = True, **keywords: Any) -> Any:
    """Steps of a packed and of an unpacked state, whose bits have to agree; what the packed ones return."""
    plain, packed = (jax.tree.map(jnp.copy, params) for _ in range(2))
    state = adam.init(plain)
    kept = pack(adam.init(packed))
    structure = jax.tree.structure(kept)
    for g in grads:
        plain, state = adam.step(plain, g, state, donate=donate, **keywords)
        packed, kept = adam.step(packed, g, kept, donate=donate, **keywords)
        assert jax.tree.structure(kept) == structure
        assert bits_of((packed, unpack(kept))) == bits_of((plain, state))
    return packed, kept


def test_what_is_unpacked_and_packed_again() -> None:
    """Each of these is a step that no one call makes."""
    params = {"a": jnp.ones((2, 3)), "b": jnp.full(4, 2.0)}
    grads = {"a": jnp.ones((2, 3)), "b": jnp.full(4, 0.5)}
    two = [grads, grads]
    both(Adam(lr=0.1), params, two, donate=False)
    both(Adam(lr=0.1), params, two, present={"a": True, "b": jnp.asarray([True, False, True, True])})
    both(Adam(lr=0.1), params, two, present={"a": False, "b": True})
    both(Adam(lr=0.1), params, two, weight_decay=0.5)
    both(Adam(lr=0.1), params, two, grad_scale=2.0)
    both(Adam(lr=0.1), params, two, grad_scale=2.0, found_inf=True)
    both(Adam(lr=0.1), params, two, found_inf=jnp.asarray(False))
    both(Adam(lr=0.1, missing="zero"), params, [grads, {"a": grads["a"], "b": None}])
    both(Adam(lr=0.1, nesterov="dozat"), params, two)
    both(
        Adam(lr=0.1, m_storage="companded8"), {**params, "c": jnp.ones(100)}, [{**grads, "c": jnp.ones(100)}]
    )
    both(Adam(lr=0.1), {"a": jnp.ones(2, "complex64")}, [{"a": jnp.ones(2, "complex64")}])
    mixed = {"a": jnp.ones(2), "b": jnp.ones(2, "bfloat16")}
    both(Adam(lr=0.1), mixed, [mixed, mixed])
    both(Adam(lr=0.1, p_storage="split"), mixed, [mixed, mixed])
    rows = Rows(jnp.asarray([1]), jnp.ones((1, 3)), others="absent")
    both(Adam(lr=0.1), params, [{"a": rows, "b": grads["b"]}])
    both(Adam(lr=0.1), params, [{"a": None, "b": None}])
    shared = jnp.ones((2, 3))
    both(Adam(lr=0.1), {"a": params["a"]}, [{"a": shared}, {"a": shared}], lr=lambda t: 0.1 / t)


@needs_ffi
def test_saved_and_restored_between_steps() -> None:
    adam, grads = Adam(lr=0.1), [many(k) for k in range(4)]
    with packed_alone():
        params, state = jax.tree.map(jnp.copy, many(9)), pack(adam.init(many(9)))
        for k, g in enumerate(grads):
            if k == 2:
                params, state = pickle.loads(pickle.dumps((params, state)))
            params, state = adam.step(params, g, state, donate=True)
    want, wanted = many(9), adam.init(many(9))
    for g in grads:
        want, wanted = adam.step(want, g, wanted, donate=True)
    assert bits_of((params, unpack(state))) == bits_of((want, wanted))


@needs_ffi
@pytest.mark.parametrize("clip", [Clip(global_norm=0.5), Clip(norm=0.1), Clip(value=0.01)], ids=str)
def test_clipping(clip: Clip) -> None:
    with packed_alone():
        Adam(lr=0.1).step(many(9), many(1), pack(Adam(lr=0.1).init(many(9))), donate=True, clip=clip)
    both(Adam(lr=0.1), many(9), [many(k) for k in range(3)], clip=clip)


def test_the_errors_of_any_step() -> None:
    adam, params = Adam(), tree(1)
    state: Any = pack(adam.init(params))
    wrong = {**params, "w2": jnp.ones(8)}
    expected = [
        (GradientError, (params, wrong, state), {}, r"grads\['w2'\] is of shape \(8,\)"),
        (StateError, (wrong, wrong, state), {}, r"state\.m\['w2'\] is of shape \(7,\): expected \(8,\)"),
        (StateError, ({"x": params["w2"]}, {"x": params["w2"]}, state), {}, r"state\.m"),
        (TreeError, (params, {"w2": params["w2"]}, state), {}, r"grads has no leaf grads\['w0'\]"),
        (TreeError, ({**params, "w2": params["w0"]}, params, state), {}, "are the same array"),
        (HyperparameterError, (params, params, state), {"lr": -1.0}, "lr"),
        (HyperparameterError, (params, params, state), {"clip": 3}, "clip"),
        (ClockError, (params, params, state._replace(t=jax.tree.map(lambda t: t - 1, state.t))), {}, "is -1"),
        (
            StateError,
            (params, params, state._replace(v=unpack(state).v)),
            {},
            "state.v is dict: expected all",
        ),
    ]
    for error, arguments, keywords, message in expected:
        for donate in (False, True):
            with pytest.raises(error, match=message):
                adam.step(*arguments, donate=donate, **keywords)  # type: ignore[arg-type]
    strict = Adam(missing="error")
    for donate in (False, True):
        with pytest.raises(MissingGradientError):
            strict.step(params, {**params, "w2": None}, state, donate=donate)
    other = Adam(amsgrad="uncorrected")
    with pytest.raises(StateError, match=r"state\.v_max is None"):
        other.step(params, params, state, donate=True)
    assert not any(x.is_deleted() for x in jax.tree.leaves((params, state)))


def test_states_of_other_libraries_are_as_they_were() -> None:
    """The same Adam steps packed arrays of JAX and NumPy's in turn, each donated."""
    adam = Adam(lr=0.1)
    here, state = [np.ones(2)], adam.init([np.ones(2)])
    there, packed = [jnp.ones(2)], pack(adam.init([jnp.ones(2)]))
    for _ in range(3):
        here, state = adam.step(here, [np.ones(2)], state, donate=True)
        there, packed = adam.step(there, [jnp.ones(2)], packed, donate=True)
    np.testing.assert_allclose(here[0], there[0], rtol=1e-6)
    assert int(state.t[0]) == int(packed.t[0]) == 3
