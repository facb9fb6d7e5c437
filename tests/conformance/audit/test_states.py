"""Runs that are resumed: the state that they begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from plain_recordings import HYPER, gradients, only

from adamcore import Adam
from adamcore.conformance.audit import Recorder
from adamcore.conformance.audit.arrays import RecordingError
from adamcore.conformance.audit.states import find_state


def as_adam_state(state: Any) -> Any:
    return state


def as_mapping(state: Any) -> Any:
    return {"t": state.t, "m": state.m, "v": state.v}


@pytest.mark.parametrize("given", [as_adam_state, as_mapping])
def test_a_resumed_run(given: Callable[[Any], Any], path: Path) -> None:
    adam = Adam(**HYPER, decay="decoupled")
    params: Any = {"w": np.linspace(-1, 1, 6), "b": np.ones(2)}
    state = adam.init(params)
    for k in range(5):
        params, state = adam.step(params, gradients(params, k), state)
    recorder = Recorder(HYPER, "torch.AdamW", state=given(state))
    for k in range(5):
        grads = gradients(params, k)
        before, (params, state) = params, adam.step(params, grads, state)
        recorder.step(before, grads, params)
    assert only(recorder, path).verdict == "conforms"


def test_a_resumed_run_of_optax_with_nested_parameters(path: Path) -> None:
    optimizer = optax.amsgrad(0.0625, 0.75, 0.875, 1e-3)
    params: Any = {"layer": {"w": jnp.linspace(-1.0, 1.0, 6), "b": jnp.ones(2)}}
    state = optimizer.init(params)
    recorder = None
    for k in range(8):
        if k == 4:
            recorder = Recorder(HYPER | {"weight_decay": 0.0}, "optax.amsgrad", state=state)
        grads = {"layer": {n: jnp.cos(k + 3 * p) for n, p in params["layer"].items()}}
        updates, state = optimizer.update(grads, state, params)
        before, params = params, optax.apply_updates(params, updates)
        if recorder is not None:
            recorder.step(before, grads, params)
    assert recorder is not None
    entry = only(recorder, path)
    assert (entry.verdict, "8 elements" in entry.reason) == ("conforms", True)


def test_moments_in_8_bits_are_refused() -> None:
    state = Adam(m_storage="companded8").init({"w": np.ones(3, np.float32)})
    with pytest.raises(RecordingError, match=r"moments in 8 bits \(m_storage, v_storage\): expected numbers"):
        find_state(state)
