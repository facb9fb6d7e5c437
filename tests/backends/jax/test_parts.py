"""Leaves that are stepped apart from each other, and put together again."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from adamcore import Adam, AdamState
from adamcore.backends.jax import parts
from adamcore.backends.jax.parts import Part
from adamcore.errors import TreeError

PARAMS = {"a": jnp.ones(1, "bfloat16"), "b": jnp.ones(1), "c": jnp.ones(1)}
GRADS = {"a": jnp.ones(1), "b": jnp.ones(1), "c": jnp.ones(1)}


def test_parts_by_mask_and_by_dtype() -> None:
    state = Adam(v_dtype="float16").init(PARAMS)
    found = parts.parts_of(PARAMS, GRADS, state, {"a": True, "b": True, "c": False})
    wide = Part(True, "bfloat16", "float16")
    assert found == {"['a']": wide, "['b']": Part(True), "['c']": Part(False)}
    assert set(parts.parts_of(GRADS, GRADS, state, None).values()) == {Part()}


def test_flags_of_a_prefix() -> None:
    tree = {"x": {"y": jnp.ones(1), "z": jnp.ones(1)}, "w": jnp.ones(1)}
    assert list(parts.flags({"x": False, "w": True}, tree).values()) == [True, False, False]
    assert set(parts.flags(lambda params: True, tree).values()) == {True}
    with pytest.raises(TreeError, match=r"mask has no leaf mask\['w'\]"):
        parts.flags({"x": True}, tree)


@pytest.mark.parametrize("ticks", [(True, False), (False, True), (True, True), (False, False)])
def test_one_clock_ticks_if_it_ticks_in_a_part(ticks: tuple[bool, bool]) -> None:
    state = AdamState(jnp.asarray(4), {"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 0.0}, None, jnp.asarray(0.5))

    def step(part: Part, p: object, g: object, s: AdamState, present: object) -> tuple[object, AdamState]:
        if ticks[0 if part.decays else 1]:
            s = s._replace(t=s.t + 1, mu_product=jnp.asarray(0.25))
        return p, s

    both = {"['a']": Part(True), "['b']": Part(False)}
    _, after = parts.in_parts(both, (state.m, state.m, state, None), step)
    assert (int(after.t), float(after.mu_product)) == ((5, 0.25) if any(ticks) else (4, 0.5))
    assert after.m == {"a": 0.0, "b": 0.0}
