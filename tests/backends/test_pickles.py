"""Pickles written before 0.1 moved its modules: each loads, and its run goes on.

The files hold what was there after three steps with GRADIENT from START; ``after_donate`` after four
steps of 1 from 1, ``adamstate_jax`` before the first step.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState
from adamcore.backends.states import NamedState, to_adam

FILES = Path(__file__).parent / "files"
START = np.array([1.0, -2.0], dtype=np.float32)
GRADIENT = np.array([0.5, 0.25], dtype=np.float32)


def old(name: str) -> Any:
    return pickle.loads((FILES / f"{name}.pickle").read_bytes())


def unbroken(opt: Adam, params: Any, grads: Any, steps: int) -> tuple[Any, AdamState]:
    state = opt.init(params)
    for _ in range(steps):
        params, state = opt.step(params, grads, state)
    return params, state


def test_adam_with_its_state() -> None:
    saved = old("core")
    start = {"w": START, "b": [np.array(3.0)]}
    found = saved["opt"].step(saved["params"], saved["grads"], saved["state"])
    expected = unbroken(saved["opt"], start, saved["grads"], 4)
    np.testing.assert_equal(found, expected)
    assert saved["opt"] == Adam(
        lr=0.1, weight_decay=0.01, decay="decoupled", amsgrad="uncorrected", nesterov="dozat"
    )


def test_adam_with_cached_steps() -> None:
    saved = old("after_donate")
    found = saved["opt"].step(saved["params"], [np.ones(3)], saved["state"], donate=True)
    np.testing.assert_equal(found, unbroken(saved["opt"], [np.ones(3)], [np.ones(3)], 5))


def test_a_pickle_has_the_fields_alone() -> None:
    saved = old("after_donate")
    opt, params, state = saved["opt"], saved["params"], saved["state"]
    for _ in range(3):
        params, state = opt.step(params, [np.ones(3)], state, donate=True)
    assert pickle.dumps(opt) == pickle.dumps(replace(opt))
    assert pickle.loads(pickle.dumps(opt)) == opt


def test_named_state() -> None:
    state: NamedState = old("named")
    params, before = unbroken(state.adam, {"w": START}, {"w": GRADIENT}, 3)
    moved = to_adam(state, state.adam, params)
    np.testing.assert_equal(moved, before)
    found = state.adam.step(params, {"w": GRADIENT}, moved)
    np.testing.assert_equal(found, unbroken(state.adam, {"w": START}, {"w": GRADIENT}, 4))


def test_torch_optimizer() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.backends.torch import AdamW

    loaded = old("torch_optimizer")["o"]
    [p] = loaded.param_groups[0]["params"]
    fresh = torch.nn.Parameter(torch.tensor(START))
    optimizer = AdamW([fresh], lr=0.1)
    for _ in range(4):
        fresh.grad = torch.tensor(GRADIENT)
        optimizer.step()
    p.grad = torch.tensor(GRADIENT)
    loaded.step()
    assert torch.equal(p, fresh)
    for key, value in optimizer.state[fresh].items():
        assert torch.equal(loaded.state[p][key], value)


def test_torch_state_dict() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.backends.torch import AdamW

    params = [torch.nn.Parameter(torch.tensor(START)) for _ in range(2)]
    optimizers = [AdamW([p], lr=0.1) for p in params]
    for _ in range(3):
        params[0].grad = torch.tensor(GRADIENT)
        optimizers[0].step()
    params[1].data.copy_(params[0].data)
    optimizers[1].load_state_dict(old("torch_state_dict"))
    for p, optimizer in zip(params, optimizers, strict=True):
        p.grad = torch.tensor(GRADIENT)
        optimizer.step()
    assert torch.equal(*params)


def test_state_of_jax_arrays() -> None:
    jax = pytest.importorskip("jax")
    opt = old("core")["opt"]
    start, grads = {"w": jax.numpy.asarray(START)}, {"w": jax.numpy.asarray(GRADIENT)}
    found = opt.step(start, grads, old("adamstate_jax"))
    np.testing.assert_equal(*jax.device_get((found, unbroken(opt, start, grads, 1))))


def test_state_of_the_optax_transformation() -> None:
    pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    from adamcore.backends.jax import adam

    transformation = adam(0.1)
    params = {"w": jax.numpy.asarray(START)}
    grads = {"w": jax.numpy.asarray(GRADIENT)}
    loaded = jax.tree_util.tree_map(jax.numpy.asarray, old("optax_state"))
    state = type(loaded)(*Adam.like("optax.adam", lr=0.1).init(params))
    for _ in range(3):
        _, state = transformation.update(grads, state, params)
    expected = transformation.update(grads, state, params)
    found = transformation.update(grads, loaded, params)
    np.testing.assert_equal(*jax.device_get((found, expected)))
