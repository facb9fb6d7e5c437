"""JAX: a donated step is compiled once, gives its storage away, and stays within the derived bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fast import gradients, probed, trajectory

from adamcore import Adam

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import ffi, jit_program  # noqa: E402


@pytest.fixture(params=["xla", "machine"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Without and with the machine code."""
    if request.param == "xla":
        monkeypatch.setattr(ffi, "available", lambda: False)
    elif not ffi.available():
        pytest.skip("no llvmlite, or an interface that is not known here")
    jit_program.program_of_kinds.cache_clear()
    return str(request.param)


@pytest.mark.parametrize("every", [17, pytest.param(4, marks=pytest.mark.slow)])
def test_probes(path: str, every: int) -> None:
    from adamcore.conformance.candidates.own import Jax

    class Copying(Jax):
        """Gives copies away, since the check looks at the old parameters again."""

        def stepper(self, step: Any) -> Any:
            def copied(params: Any, grads: Any, state: Any, *rest: Any) -> Any:
                params, state = jax.tree.map(jnp.copy, (params, state))
                return step(params, grads, state, *rest)

            return copied

    assert probed(Copying("cpu"), [Adam(decay="decoupled")], every=every) == []


def test_machine_code_gives_numpys_bits() -> None:
    if not ffi.available():
        pytest.skip("no llvmlite, or an interface that is not known here")
    for adam in (Adam(lr=0.1), Adam.like("torch.AdamW", amsgrad="uncorrected", nesterov="same-t")):
        params = {
            "a": gradients(9, "float32")[-2],
            "b": np.ones((3, 2), "f"),
            "c": np.float32(2.0) * np.ones(()),
        }
        ours = {k: jnp.asarray(p) for k, p in params.items()}
        theirs = {k: np.array(p, "f") for k, p in params.items()}
        s1, s2 = adam.init(ours), adam.init(theirs)
        for k in range(3):
            grads = {name: np.full_like(p, 0.3 - k) for name, p in theirs.items()}
            ours, s1 = adam.step(ours, {n: jnp.asarray(g) for n, g in grads.items()}, s1, donate=True)
            theirs, s2 = adam.step(theirs, grads, s2)
            for name in params:
                np.testing.assert_array_equal(ours[name], theirs[name])
                np.testing.assert_array_equal(s1.v[name], s2.v[name])


def test_the_same_bits_every_time(path: str) -> None:
    runs = [trajectory(Adam(lr=0.1), jnp.asarray, np.asarray, "float32", True) for _ in range(2)]
    assert runs[0] == runs[1]


def test_donated_and_compiled_once(path: str) -> None:
    adam = Adam(lr=0.1)
    params, grads = {"a": jnp.ones(70), "b": jnp.ones(())}, {"a": jnp.ones(70), "b": jnp.ones(())}
    state = adam.init(params)
    before = jit_program.JitProgram.traced
    for k in range(5):
        old, old_state = params, state
        params, state = adam.step(params, grads, state, lr=0.1 * k, donate=True)
        assert old["a"].is_deleted()
        assert old_state.v["a"].is_deleted()
        assert not grads["a"].is_deleted()
    assert jit_program.JitProgram.traced == before + 2  # the first step, and the cached one
    assert int(state.t["a"]) == 5


def test_without_donate_nothing_is_given_away(path: str) -> None:
    params = jnp.ones(7)
    state = Adam().init(params)
    Adam().step(params, jnp.ones(7), state)
    assert not params.is_deleted()


@pytest.mark.parametrize("what", ["gradient", "moment"])
def test_an_array_in_two_roles_is_not_given_away(path: str, what: str) -> None:
    params, adam = jnp.ones(7), Adam(lr=0.1)
    state, grads = adam.init(params), jnp.full(7, 2.0)
    if what == "gradient":
        grads = params
    else:
        state = state._replace(v=state.m)
    new, _ = adam.step(params, grads, state, donate=True)
    np.testing.assert_allclose(new, 0.9, rtol=1e-6)
    assert not any(x.is_deleted() for x in (params, grads, state.m, state.v))


def test_inside_jit_it_is_the_callers_program(path: str) -> None:
    adam = Adam(lr=0.1)

    @jax.jit
    def step(params: Any, grads: Any, state: Any) -> Any:
        return adam.step(params, grads, state, donate=True)

    params = jnp.ones(5)
    text = step.lower(params, params, adam.init(params)).as_text()
    assert "custom_call" not in text or "adamcore" not in text


def test_flat_form() -> None:
    from jax.flatten_util import ravel_pytree

    adam = Adam(lr=0.1)
    tree = {f"w{i}": jnp.full((i + 1,), float(i)) for i in range(5)}
    grads = {name: jnp.sin(p) for name, p in tree.items()}
    flat, restore = ravel_pytree(tree)
    new, _ = adam.step(flat, ravel_pytree(grads)[0], adam.init(flat), donate=True)
    want, _ = adam.step(tree, grads, adam.init(tree))
    for name, p in restore(new).items():
        np.testing.assert_allclose(p, want[name], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "complex64"])
def test_what_the_machine_code_does_not_serve(path: str, dtype: str) -> None:
    params = jnp.ones(5, dtype)
    state = Adam(lr=0.1).init(params)
    new, state = Adam(lr=0.1).step(params, params + 1, state, donate=True)
    assert new.dtype == dtype
    np.testing.assert_allclose(np.asarray(new, "complex64").real, 0.9, rtol=5e-2)
