"""Packed trees: what is in them, what is read from them, and what JAX sees of them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState
from adamcore.errors import StateError

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import bits_of, many, on_two_devices  # noqa: E402

from adamcore.backends.jax import pack, unpack  # noqa: E402
from adamcore.backends.jax.packed import tree  # noqa: E402
from adamcore.backends.jax.packed.tree import Packed  # noqa: E402

ADAMS = [
    Adam(),
    Adam(clock="global"),
    Adam(amsgrad="uncorrected", moment_dtype="float16"),
    Adam(nesterov="dozat"),
    Adam(m_storage="companded8", v_storage="companded8"),
]


@pytest.mark.parametrize("adam", ADAMS, ids=range(len(ADAMS)))
def test_there_and_back(adam: Adam) -> None:
    params = {"a": many(1, 7), "b": [None, jnp.ones((2, 3), "bfloat16"), jnp.ones((65, 70))]}
    state = adam.init(params)._replace(m=jax.tree.map(lambda x: x + jnp.ones_like(x), adam.init(params).m))
    packed = pack(state)
    assert all(x is None or isinstance(x, Packed) for x in packed)
    back = unpack(packed)
    assert jax.tree.structure(back) == jax.tree.structure(state)
    assert bits_of(back) == bits_of(state)
    assert pack(packed).m is packed.m
    assert unpack(back).m is back.m


def test_a_vector_for_each_dtype() -> None:
    packed = pack(Adam().init({"a": jnp.ones((2, 3)), "b": jnp.ones(4, "float16"), "c": jnp.ones(())}))
    assert [(x.shape, str(x.dtype)) for x in packed.m.vectors] == [((7,), "float32"), ((4,), "float16")]
    assert repr(packed.m) == "Packed(3 leaves: 7 elements of float32, 4 elements of float16)"
    assert [x.shape for x in jax.tree.leaves(packed)] == [(3,), (7,), (4,), (7,), (4,)]
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(packed)]
    assert paths[:2] == [".t['int32']", ".m['float32']"]


def test_a_part_is_read() -> None:
    params = {"a": {"x": jnp.ones((2, 3)), "y": jnp.ones(2)}, "b": [jnp.ones(()), None]}
    state = Adam().init(params)
    m = jax.tree.map(lambda x: jnp.arange(x.size, dtype=x.dtype).reshape(x.shape), state.m)
    packed = pack(state._replace(m=m))
    assert packed.m["a"]["y"].tolist() == [0.0, 1.0]
    assert packed.m["a"]["x"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert packed.m["b"][1] is None
    with pytest.raises(KeyError):
        packed.m["c"]
    with pytest.raises(TypeError, match=r"unpack\(state\) returns it"):
        list(packed.m)


def test_memory_of_its_own() -> None:
    """What is cut out outlives the vector, and the vector what it was made of."""
    state = Adam().init({"w": jnp.ones(1000)})
    packed = pack(state)
    part, back = packed.m["w"], unpack(packed)
    jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)(packed)
    assert packed.m.vectors[0].is_deleted()
    assert not state.m["w"].is_deleted()
    assert float(part.sum()) == float(back.m["w"].sum()) == float(state.m["w"].sum()) == 0.0


def test_arrays_that_are_placed_stay_placed() -> None:
    device = jax.devices()[0]
    packed = pack(Adam().init(jax.device_put({"w": jnp.ones(3)}, device)))
    assert packed.m.vectors[0].committed
    assert unpack(packed).m["w"].committed


def test_arrays_that_numpy_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other platforms than the CPU, XLA joins and cuts; slices of one shape are one program."""
    state = Adam().init(many(1))
    want = pack(state)
    monkeypatch.setattr(tree, "is_here", lambda x: False)
    packed = pack(state)
    assert bits_of(packed) == bits_of(want)
    assert bits_of(unpack(packed)) == bits_of(state)


def test_copies_and_pickles() -> None:
    packed = pack(Adam().init(many(1)))
    for other in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert jax.tree.structure(other) == jax.tree.structure(packed)
        assert bits_of(other) == bits_of(packed)


def test_a_tree_of_jax() -> None:
    packed = pack(Adam().init(many(1)))
    twice = jax.tree.map(lambda x: x + x, packed)
    assert jax.tree.structure(twice) == jax.tree.structure(packed)
    other = pack(Adam().init({**many(1), "w00": jnp.ones(3)}))
    assert jax.tree.structure(other) != jax.tree.structure(packed)


def test_inside_of_jit() -> None:
    params = many(1)
    made = jax.jit(lambda p: pack(Adam().init(p)))(params)
    want = pack(Adam().init(params))
    assert jax.tree.structure(made) == jax.tree.structure(want)
    assert bits_of(jax.jit(unpack)(made)) == bits_of(unpack(want))
    assert bits_of(jax.jit(lambda s: s.m["w03"])(made)) == bits_of(want.m["w03"])


def test_what_cannot_be_packed() -> None:
    state: Any = Adam().init({"w": jnp.ones(2)})
    for function in (pack, unpack):
        with pytest.raises(StateError, match="state is dict: expected an AdamState"):
            function({"m": state.m})  # type: ignore[arg-type]
    with pytest.raises(StateError, match=r"state\.m\['w'\] is ndarray: expected an array of JAX"):
        pack(state._replace(m={"w": np.ones(2)}))
    with pytest.raises(StateError, match=r"state\.t\['w'\] is int: expected an array of JAX"):
        pack(state._replace(t={"w": 3}))


def test_arrays_on_several_devices() -> None:
    printed = on_two_devices("""
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
        from adamcore import Adam
        from adamcore.errors import BackendError
        from adamcore.backends.jax import pack

        place = NamedSharding(Mesh(np.array(jax.devices()), ("x",)), P("x"))
        params = {"w": jax.device_put(jnp.ones(4), place)}
        try:
            pack(Adam().init(params))
        except BackendError as error:
            print(error)
        for donate in (False, True):
            try:
                Adam().step(params, params, pack(Adam().init({"w": jnp.ones(4)})), donate=donate)
            except BackendError as error:
                print(error)
    """)
    first, second, third = printed.splitlines()
    assert first.startswith("state.m['w'] lies on 2 devices: expected arrays of one; keep a state of a mesh")
    assert second == third
    assert second.startswith("a parameter of shape (4,) lies on 2 devices")


def test_who_reads_states_says_what_to_do() -> None:
    adam, params = Adam(), {"w": jnp.ones(2)}
    packed = pack(adam.init(params))
    says = r"state\.m is packed: expected a tree of arrays; adamcore\.backends\.jax\.unpack\(state\) returns"
    from adamcore.backends.states.adam import from_adam

    with pytest.raises(StateError, match=says):
        adam.reset(packed)
    with pytest.raises(StateError, match=says):
        from_adam(adam, packed)
    optax = pytest.importorskip("optax")
    assert optax
    from adamcore.backends.jax import adam as of_optax

    tx = of_optax(0.1, dialect="torch.AdamW")
    state = pack(tx.init(params))
    assert type(state) is type(tx.init(params))
    with pytest.raises(StateError, match=says):
        tx.update(params, state, params)
    with pytest.raises(StateError, match="state is tuple: expected an AdamState"):
        pack(of_optax(0.1).init(params))
    assert isinstance(unpack(state), AdamState)
