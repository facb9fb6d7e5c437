"""Many small leaves outside of jit: with the bits of the leaves stepped one by one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import some

from adamcore import Adam
from adamcore.backends.jax import batches

ADAMS = {
    "default": Adam(lr=0.1),
    "amsgrad": Adam(amsgrad="corrected", weight_decay=0.01, decay="decoupled"),
    "nesterov": Adam(nesterov="dozat", maximize=True),
    "global": Adam(clock="global", epsilon="inside-uncorrected"),
    "wide moments": Adam(moment_dtype="float32"),
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batches of 4 from 8 leaves on; the list has the size of each that was stepped."""
    monkeypatch.setattr(batches, "SIZE", 4)
    monkeypatch.setattr(batches, "MANY", 8)
    sizes: list[int] = []
    step_batch = batches.step_batch

    def counting(adam: Any, jobs: Any, fallback: Any) -> Any:
        sizes.append(len(jobs))
        return step_batch(adam, jobs, fallback)

    monkeypatch.setattr(batches, "step_batch", counting)
    return sizes


def leaves(kind: str) -> list[Any]:
    """Ten leaves of one kind with values of every size, and three that are unlike them."""
    dtype = kind if kind in ("bfloat16", "complex64") else "float32"
    special = np.array([0.0, -0.0, 1e-40, 3e37, -1e-20, 1.0], np.float32)
    alike = [jnp.asarray(special * (k + 1), dtype=dtype).reshape(2, 3) for k in range(10)]
    return [*alike, jnp.ones(3), jnp.ones((2, 3), "bfloat16"), jnp.ones((65, 65))]


def trajectory(adam: Adam, kind: str, change: str) -> list[Any]:
    """The arrays of four steps."""
    params, seen = leaves(kind), []
    state = adam.init(params)
    for k in range(4):
        grads: list[Any] = [jnp.sin(p + k) * 10.0 ** (3 * k) for p in params]
        grads = [g.astype(p.dtype) for g, p in zip(grads, params, strict=True)]
        present: Any = None
        if change == "absent":
            grads[k] = None
        if change == "mask":
            present = [True] * len(params)
            present[k] = jnp.arange(6).reshape(2, 3) > 2
        if change == "nan":
            grads[k] = grads[k].at[0, 0].set(jnp.nan)
        if change == "clocks" and k == 2 and adam.clock == "per-parameter":
            state = adam.reset(state, [i % 2 == 0 for i in range(len(params))])
        params, state = adam.step(params, grads, state, present=present)
        seen += [*params, *jax.tree.leaves(state)]
    return seen


CASES = [(name, kind, "absent") for name in ADAMS for kind in ("float32", "complex64", "bfloat16")]
CASES += [("default", "float32", change) for change in ("nothing", "mask", "nan", "clocks")]


@pytest.mark.parametrize(("name", "kind", "change"), some(CASES, 8))
def test_batches_have_the_bits_of_single_leaves(name: str, kind: str, change: str, small: list[int]) -> None:
    got = trajectory(ADAMS[name], kind, change)
    assert set(small) == {4}
    batches.MANY = 1000
    want = trajectory(ADAMS[name], kind, change)
    assert [x.tobytes() for x in map(np.asarray, got)] == [x.tobytes() for x in map(np.asarray, want)]
    facts = [[(x.shape, x.dtype, x.weak_type, x.sharding, x.committed) for x in xs] for xs in (got, want)]
    assert facts[0] == facts[1]


def test_leaves_of_other_kinds_are_stepped_one_by_one(small: list[int]) -> None:
    adam, device = Adam(), jax.devices()[0]
    for make in (
        lambda: jnp.asarray(np.ones(batches.LARGE, np.float32)),
        lambda: jnp.asarray(1.0),  # weakly typed
    ):
        params = [make() for _ in range(9)]
        adam.step(params, [make() for _ in params], adam.init(params))
    assert small == []
    params = [jnp.ones(3) if k % 2 else jax.device_put(jnp.ones(3), device) for k in range(14)]
    adam.step(params, [jnp.ones(3) for _ in params], adam.init(params))
    assert small == [], "seven are committed to their device, seven are not"


def test_a_step_that_is_traced_is_not_taken_apart(small: list[int]) -> None:
    adam = Adam()
    params = [jnp.ones(3) for _ in range(9)]
    new, state = jax.jit(adam.step)(params, params, adam.init(params))
    assert small == []
    assert len({id(t) for t in state.t}) == 9
    assert float(new[0][0]) == pytest.approx(0.999)


def test_clocks_are_arrays_of_their_own_and_can_be_given_away(small: list[int]) -> None:
    clocks = batches.scalars([1, 2, 3] * 4, jnp.dtype("int32"))
    assert [int(t) for t in clocks] == [1, 2, 3] * 4
    assert len({t.unsafe_buffer_pointer() for t in clocks}) == 12
    jax.jit(lambda ts: [t + 1 for t in ts], donate_argnums=0)(clocks)
    assert batches.scalars([1] * 7, jnp.dtype("int32")) == []
    assert jax.jit(lambda: len(batches.scalars([1] * 8, jnp.dtype("int32"))))() == 0
