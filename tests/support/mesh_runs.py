"""Steps of JAX on simulated devices, in a process of its own.

    python tests/support/mesh_runs.py DEVICES CASE...

Each case raises, or it is right; the process prints its name.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[1]}"
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from adamcore import Adam, Clip
from adamcore.backends.jax import adam
from adamcore.errors import BackendError

P = PartitionSpec
COLLECTIVE = re.compile(
    r" (?:all-reduce|all-gather|all-to-all|reduce-scatter|collective-(?:permute|broadcast))(?:-start)?\("
)
SHAPES = {"w": (16, 48), "b": (48,), "e": (64, 16), "s": ()}
POLICIES = ("plain", "master", "split", "split8", "kahan", "stochastic")
LAYOUTS: dict[str, dict[str, Any]] = {
    "data": {name: P() for name in SHAPES},
    "tensor": {"w": P(None, "t"), "b": P("t"), "e": P(None, "t"), "s": P()},
    "fsdp": {"w": P(("d", "t")), "b": P(("d", "t")), "e": P(("d", "t")), "s": P()},
    "two axes": {"w": P("t", "d"), "b": P("d"), "e": P("d", "t"), "s": P()},
}
CASES: dict[str, Callable[[], None]] = {}


def case(function: Callable[[], None]) -> Callable[[], None]:
    CASES[function.__name__] = function
    return function


def mesh(columns: int = 2) -> Mesh:
    devices = np.array(jax.devices())
    return Mesh(devices.reshape(-1, columns), ("d", "t"))


def placed(tree: Mapping[str, Any], layout: str, columns: int = 2) -> dict[str, Any]:
    """Return arrays on the mesh."""
    here = mesh(columns)
    specs = LAYOUTS[layout]
    return {name: jax.device_put(x, NamedSharding(here, specs[name])) for name, x in tree.items()}


def arrays(seed: int, dtype: str = "float32") -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {name: jnp.asarray(random.standard_normal(s), dtype) for name, s in SHAPES.items()}


def optimizer(policy: Any) -> tuple[optax.GradientTransformation, str]:
    """Return an optimizer that keeps its parameters so, and their dtype."""
    return adam(1e-2, p_storage=policy, mu_dtype="float32"), "float32" if policy == "plain" else "bfloat16"


def step_of(tx: optax.GradientTransformation) -> Callable[..., Any]:
    def step(params: Any, grads: Any, state: Any) -> Any:
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    return step


def same(a: Any, b: Any) -> bool:
    """True if two trees have the same numbers, bit for bit."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def collectives(function: Any, *given: Any) -> list[str]:
    """Return the lines of the compiled program in which devices talk."""
    text = function.lower(*given).compile().as_text()
    return [line.strip()[:120] for line in text.splitlines() if COLLECTIVE.search(line)]


def assert_alike(state: Any, params: Mapping[str, Any]) -> None:
    """Assert that every array of the state lies as its parameter."""
    for path, x in jax.tree_util.tree_leaves_with_path(state):
        name: Any = getattr(path[-1], "key", None)
        if x.ndim and name in params and x.shape == params[name].shape:
            wanted = params[name].sharding
            assert x.sharding.is_equivalent_to(wanted, x.ndim), (path, x.sharding, wanted)


def check(policy: str, layouts: Any) -> None:
    """Steps on a mesh: the state lies as the parameters, nobody talks, and the bits are one device's."""
    tx, dtype = optimizer(policy)
    step, init = jax.jit(step_of(tx)), jax.jit(tx.init)
    params, grads = arrays(0, dtype), [arrays(k, dtype) for k in (1, 2)]
    wanted = params, init(params)
    for g in grads:
        wanted = step(wanted[0], g, wanted[1])
    for layout in layouts:
        p, gs = placed(params, layout), [placed(g, layout) for g in grads]
        state = init(p)
        assert_alike(state, p)
        assert not collectives(init, p)
        assert not collectives(step, p, gs[0], state), (policy, layout, collectives(step, p, gs[0], state))
        for g in gs:
            p, state = step(p, g, state)
        assert_alike(state, p)
        assert same((p, state), wanted), (policy, layout)


@case
def few() -> None:
    check("plain", ["fsdp", "two axes"])
    check("stochastic", ["two axes"])


@case
def every_policy() -> None:
    for policy in POLICIES:
        check(policy, LAYOUTS)


@case
def outside_of_jit() -> None:
    """`Adam.step` itself, with and without donation."""
    opt, params, g = Adam(lr=0.1), arrays(0), arrays(1)
    wanted = params, opt.init(params)
    for _ in range(3):
        wanted = opt.step(wanted[0], g, wanted[1])
    for donate in (False, True):
        p = placed(params, "two axes")
        state = opt.init(p)
        assert_alike(state._asdict(), p)
        for _ in range(3):
            p, state = opt.step(p, placed(g, "two axes"), state, donate=donate)
        assert_alike(state._asdict(), p)
        assert same((p, state), wanted)


def outside(adam: Adam, dtype: str, layout: str, steps: int = 3) -> None:
    """Donated steps outside of jit have the bits of one device."""
    p, g = arrays(0, dtype), arrays(1, dtype)
    q = placed(arrays(0, dtype), layout)
    state, other = adam.init(p), adam.init(q)
    for _ in range(steps):
        p, state = adam.step(p, g, state, donate=True)
        q, other = adam.step(q, placed(arrays(1, dtype), layout), other, donate=True)
    assert same((q, other), (p, state)), (adam, layout)


@case
def donated_outside_of_jit() -> None:
    """What is kept depends on where an element is in the whole array: random bits, and scales of blocks."""
    outside(Adam(lr=0.1, p_storage="stochastic", moment_dtype="float32"), "bfloat16", "two axes")
    outside(Adam(lr=0.1, m_storage="companded8", v_storage="companded8"), "float32", "fsdp")
    outside(Adam(lr=0.1, m_storage="stochastic", v_storage="stochastic"), "bfloat16", "two axes")


@case
def every_way_to_keep_numbers_outside_of_jit() -> None:
    kept: dict[str, Any]
    for layout in LAYOUTS:
        for policy in POLICIES[1:]:
            kept = {"p_storage": policy, "moment_dtype": "float32"}
            outside(Adam(lr=0.1, **kept), "bfloat16", layout)
        for moments in ("companded8", "blockwise8"):
            kept = {"m_storage": moments, "v_storage": moments, "amsgrad": "corrected"}
            outside(Adam(lr=0.1, **kept), "float32", layout)
            outside(Adam(lr=0.1, p_storage="stochastic", **kept), "bfloat16", layout)


@case
def from_shapes() -> None:
    """A program compiled from shapes gives the state its places before any array is there."""
    tx, p = adam(1e-2), placed(arrays(0), "two axes")
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), p)
    compiled = jax.jit(tx.init).lower(shapes).compile()
    assert_alike(compiled(p), p)
    empty = jax.eval_shape(tx.init, shapes)
    shardings = optax.tree_map_params(
        tx,
        lambda _, x: x.sharding,
        empty,
        p,
        transform_non_params=lambda _: NamedSharding(mesh(), P()),
    )
    state = jax.jit(tx.init, out_shardings=shardings)(p)
    assert_alike(state, p)
    assert same(state, tx.init(p))


@case
def zero_1() -> None:
    """Parameters everywhere, state in parts, by ``out_shardings``: the new parameters alone are gathered."""
    tx, here = adam(1e-2), mesh()
    params, g = placed(arrays(0), "data"), placed(arrays(1), "data")

    def place(x: Any) -> NamedSharding:
        return NamedSharding(here, P(("d", "t")) if x.ndim else P())

    parts = jax.tree.map(place, jax.eval_shape(tx.init, params))
    whole = jax.tree.map(lambda x: x.sharding, params)
    init = jax.jit(tx.init, out_shardings=parts)
    step = jax.jit(step_of(tx), out_shardings=(whole, parts))
    state = init(params)
    lines = collectives(step, params, g, state)
    assert len(lines) == 3, lines  # w, b and e; s is in one part
    assert all(" all-gather(" in line for line in lines), lines
    assert not collectives(init, params)
    found = step(params, g, state)
    alone = jax.jit(step_of(tx))(arrays(0), arrays(1), tx.init(arrays(0)))
    assert same(found, alone)
    assert state[0].mu["w"].addressable_shards[0].data.shape == (16 // len(jax.devices()), 48)


@case
def uneven() -> None:
    """JAX divides what is inside a program unevenly; arrays themselves it refuses to."""
    opt, here = Adam(lr=0.1), mesh()
    params, g = jnp.arange(10.0) - 4, jnp.arange(10.0)
    parts, whole = NamedSharding(here, P(("d", "t"))), NamedSharding(here, P())

    def step(p: Any, g: Any, state: Any) -> Any:
        def constrained(x: Any) -> Any:
            return jax.lax.with_sharding_constraint(x, parts) if x.ndim else x

        p, g, state = jax.tree.map(constrained, (p, g, state))
        return opt.step(p, g, state)

    given = jax.device_put((params, g, opt.init(params)), whole)
    found = jax.jit(step, out_shardings=whole)(*given)
    assert same(found, jax.jit(opt.step)(params, g, opt.init(params)))


@case
def explicit_axes() -> None:
    """Shardings that are part of a type."""
    here = jax.make_mesh((len(jax.devices()),), ("d",), axis_types=(AxisType.Explicit,))
    tx = adam(1e-2)
    with jax.set_mesh(here):
        p = {"w": jax.device_put(arrays(0)["w"], NamedSharding(here, P("d")))}
        state = jax.jit(tx.init)(p)
        p, state = jax.jit(step_of(tx))(p, p, state)
        assert_alike(state, p)
    w = {"w": arrays(0)["w"]}
    assert same((p, state), jax.jit(step_of(tx))(w, w, tx.init(w)))


@case
def inside_of_shard_map() -> None:
    tx, here = adam(1e-2), Mesh(np.array(jax.devices()), ("d",))

    def both(p: Any, g: Any) -> Any:
        return step_of(tx)(p, g, tx.init(p))[0]

    mapped = jax.jit(jax.shard_map(both, mesh=here, in_specs=P("d"), out_specs=P("d")))
    p, g = ({"w": arrays(k)["w"]} for k in (0, 1))
    assert same(mapped(p, g), jax.jit(both)(p, g))


@case
def clipping() -> None:
    """The norm is that of the whole: on a mesh in jit and outside; inside of shard_map it is refused."""
    core, clip = Adam(), Clip(global_norm=0.5)
    p, g = arrays(0), arrays(1)
    want = core.step(p, g, core.init(p), clip=clip)[1].m
    q, h = placed(p, "fsdp"), placed(g, "fsdp")
    inside = jax.jit(lambda q, h: core.step(q, h, core.init(q), clip=clip))(q, h)[1].m
    for found in (core.step(q, h, core.init(q), clip=clip)[1].m, inside):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), found, want)
    here = Mesh(np.array(jax.devices()), ("d",))

    def mapped(clip: Clip, checks: bool, spec: Any) -> Any:
        def both(p: Any, g: Any) -> Any:
            return core.step(p, g, core.init(p), clip=clip)[1].m

        return jax.jit(jax.shard_map(both, mesh=here, in_specs=spec, out_specs=spec, check_vma=checks))

    part, own = {"w": p["w"]}, {"w": g["w"]}
    for checks in (True, False):
        with pytest.raises(BackendError, match=r"Clip\.total"):
            mapped(clip, checks, P("d"))(part, own)
    total = float(jnp.linalg.norm(own["w"]))
    given = mapped(Clip(global_norm=0.5, total=total), True, P("d"))(part, own)
    alone = core.step(part, own, core.init(part), clip=clip)[1].m
    np.testing.assert_allclose(given["w"], alone["w"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(mapped(clip, True, P())(part, own)["w"], alone["w"], rtol=1e-5, atol=1e-7)


@case
def another_mesh() -> None:
    """Saved by orbax on one mesh, restored on another, the next step is bit for bit the same."""
    import orbax.checkpoint as ocp

    tx, dtype = optimizer("split")
    step = jax.jit(step_of(tx))
    p, g = placed(arrays(0, dtype), "two axes"), arrays(1, dtype)
    p, state = step(p, placed(g, "two axes"), tx.init(p))
    q = placed(arrays(0, dtype), "fsdp", columns=4)
    target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), (q, jax.jit(tx.init)(q))
    )
    with tempfile.TemporaryDirectory() as folder, ocp.StandardCheckpointer() as saver:
        saver.save(f"{folder}/step", (p, state))
        saver.wait_until_finished()
        q, restored = saver.restore(f"{folder}/step", target)
    assert_alike(restored, q)
    assert same((q, restored), (p, state))
    found = step(q, placed(g, "fsdp", columns=4), restored)
    assert same(found, step(p, placed(g, "two axes"), state))


def main() -> None:
    for name in sys.argv[2:]:
        CASES[name]()
        print(name, flush=True)


if __name__ == "__main__":
    main()
