"""The state: a tuple of trees that every library takes apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState
from adamcore.errors import StateError
from adamcore.state import PackedTree


@pytest.mark.parametrize(
    ("axes", "parts"),
    [
        ({}, {"t", "m", "v"}),
        ({"amsgrad": "uncorrected"}, {"t", "m", "v", "v_max"}),
        ({"nesterov": "dozat"}, {"t", "m", "v", "mu_product"}),
        ({"amsgrad": "corrected", "nesterov": "dozat"}, {"t", "m", "v", "v_max", "mu_product"}),
    ],
)
def test_it_has_the_parts_that_the_axes_need(lib: Any, axes: dict[str, Any], parts: set[str]) -> None:
    state = Adam(**axes).init([lib([1.0, 2.0])])
    assert {name for name, part in state._asdict().items() if part is not None} == parts


def test_it_starts_at_zero(lib: Any) -> None:
    state = Adam(amsgrad="uncorrected", nesterov="dozat").init([lib([[1.0], [2.0]], "float32")])
    for part in (state.m, state.v, state.v_max):
        assert lib.numpy(part[0]).tolist() == [[0.0], [0.0]]
        assert lib.numpy(part[0]).dtype == np.float32
    assert lib.numpy(state.t[0]).dtype == np.int32
    assert (int(state.t[0]), float(state.mu_product[0])) == (0, 1.0)


def test_jax_takes_it_apart() -> None:
    jax = pytest.importorskip("jax")
    state = Adam(amsgrad="uncorrected").init({"w": jax.numpy.ones(2)})
    again = jax.tree.map(lambda x: x, state)
    assert type(again) is AdamState
    assert len(jax.tree.leaves(state)) == 4


def test_torch_takes_it_apart() -> None:
    torch = pytest.importorskip("torch")
    state = Adam().init({"w": torch.ones(2)})
    leaves, structure = torch.utils._pytree.tree_flatten(state)
    assert len(leaves) == 9  # None is a leaf to PyTorch
    assert type(torch.utils._pytree.tree_unflatten(leaves, structure)) is AdamState


def test_the_last_parts_may_be_left_out() -> None:
    assert AdamState(0, [], []) == (0, [], [], *[None] * 6)


@pytest.mark.parametrize("other", [None, {"t": 0}, [np.ones(2)], (0, [], [], None, None)], ids=repr)
def test_what_is_no_state_is_refused(other: Any) -> None:
    params = [np.ones(2)]
    with pytest.raises(StateError, match=rf"state is {type(other).__name__}: expected an AdamState"):
        Adam().step(params, [np.ones(2)], other)
    with pytest.raises(StateError, match=rf"state is {type(other).__name__}: expected an AdamState"):
        Adam().reset(other)


def test_swapped_arguments_are_named() -> None:
    params = [np.ones(2)]
    with pytest.raises(StateError, match=r"step\(params, grads, state\)"):
        Adam().step(params, Adam().init(params), [np.ones(2)])  # type: ignore[arg-type]


class Vector(PackedTree):
    """A packed tree that tells what it gets."""

    unpacking = "somebody.unpack(state)"

    def step(self, adam: Any, params: Any, grads: Any, state: Any, *rest: Any) -> Any:
        return (adam, params, grads, *rest), state


@pytest.mark.parametrize("donate", [False, True])
def test_a_packed_state_makes_its_own_step(donate: bool) -> None:
    adam, given, state = Adam(), np.ones(2), AdamState(0, Vector(), Vector())
    got, after = adam.step(given, given, state, lr=0.5, donate=donate)
    assert got == (adam, given, given, 0.5, None, donate, None, None, None)
    assert after is state
    with pytest.raises(StateError, match=r"state\.m is packed: .* somebody\.unpack\(state\) returns such a"):
        adam.reset(state)
