"""Coefficients that are put on the device for some coming steps: the same bits, and only where lr stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam, Clip
from adamcore.step_cache import cache_of

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import all_checks, tree  # noqa: E402

from adamcore.backends.jax import ahead, ffi  # noqa: E402
from adamcore.backends.jax.jit_program import COMING  # noqa: E402

pytestmark = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")


def run(adam: Adam, rates: list[float], **kw: Any) -> tuple[Any, list[bool]]:
    """Return the bits after steps with these learning rates, and which steps took their row from a table."""
    taken, params = [], tree(1)
    state = adam.init(params)
    for k, lr in enumerate(rates):
        params, state = adam.step(params, tree(k), state, lr=lr, donate=True, **kw)
        cached: Any = cache_of(adam)
        taken.append(bool(cached) and k < cached[0].ahead.stop)
    return jax.tree.map(lambda x: np.asarray(x).tobytes(), (params, state)), taken


@pytest.mark.parametrize("adam", [Adam(), Adam(clock="global", weight_decay=0.1, amsgrad="uncorrected")])
def test_the_bits_of_all_checks(adam: Adam) -> None:
    """Over the end of a table, and with another learning rate in the middle of one."""
    rates = [0.1] * (COMING + 12) + [0.2] * (ahead.PATIENCE + 4) + [0.1]
    ours, taken = run(adam, rates)
    assert taken.count(True) == len(rates) - 2 * ahead.PATIENCE - 3
    with all_checks():
        assert run(adam, rates)[0] == ours


def test_the_sign_of_a_learning_rate_of_zero() -> None:
    """0.0 and -0.0 are equal, and move a parameter of -0.0 to other zeros."""
    rates = [0.0] * (ahead.PATIENCE + 4) + [-0.0]
    ours, taken = run(Adam(), rates)
    assert not any(taken)
    with all_checks():
        assert run(Adam(), rates)[0] == ours


@pytest.mark.parametrize("kw", [{"clip": Clip(value=0.3)}, {"lr": jnp.asarray(0.1)}, {"lr": lambda t: 0.1}])
def test_what_may_change_at_each_step_is_not_put_ahead(kw: dict[str, Any]) -> None:
    adam, params = Adam(), {"a": jnp.ones(3)}
    state = adam.init(params)
    for _ in range(ahead.PATIENCE + 4):
        params, state = adam.step(params, params | {"a": jnp.ones(3)}, state, donate=True, **kw)
    cached: Any = cache_of(adam)[0]
    assert cached.ticks == ahead.PATIENCE + 3
    assert cached.ahead.tables == []


@pytest.mark.parametrize("committed", [False, True])
def test_one_program_more_is_compiled_and_no_other(committed: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Also for arrays that are committed to a device, whose first clocks are not."""
    device = jax.devices()[0] if committed else None
    adam, params, grads = Adam(), *(jax.device_put(jnp.ones(5 + committed), device) for _ in range(2))
    state = adam.init(params)
    with jax.log_compiles():
        for _ in range(2 * COMING):
            params, state = adam.step(params, grads, state, donate=True)
    compiled = [line.split()[4] for line in caplog.messages if "Finished XLA compilation of jit(tr" in line]
    assert compiled == ["jit(trace)", "jit(trace_at)", "jit(trace_ahead)"]


def test_many_leaves_are_not_compiled_again() -> None:
    adam, params = Adam(), [jnp.ones(2) for _ in range(ahead.FEW + 1)]
    state = adam.init(params)
    for _ in range(2):
        params, state = adam.step(params, [jnp.ones(2) for _ in params], state, donate=True)
    assert cache_of(adam)[0].ahead is None  # type: ignore[attr-defined]


def test_the_last_tick() -> None:
    """Rows end with the last clock: the steps before it go without a table."""
    adam, params = Adam(), {"a": jnp.ones(3)}
    state = adam.init(params)
    state = state._replace(t={"a": jnp.asarray(2**31 - 30, jnp.int32)})
    for _ in range(40):
        params, state = adam.step(params, {"a": jnp.ones(3)}, state, donate=True)
    assert int(state.t["a"]) == 2**31 - 1
