"""States with moments in 8 bits: files, other libraries, other Adams; no code is rounded twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moment_runs import POLICIES, steps
from storage_runs import same

from adamcore import Adam
from adamcore.backends.states import fit, from_adam, from_torch, load, save, to_adam, to_torch
from adamcore.errors import CheckpointError

FIELDS = ("m", "v", "v_max", "m_scale", "v_scale", "v_max_scale")


def adam(policy: Any, **options: Any) -> Adam:
    chosen: Any = {"lr": 0.01, "amsgrad": "uncorrected"} | options
    return Adam(m_storage=policy, v_storage=policy, **chosen)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_file_keeps_codes_and_scales(policy: str, tmp_path: Path) -> None:
    opt = adam(policy)
    params, state = steps(opt, "numpy", 3)
    named = from_adam(opt, state)
    save(named, tmp_path / "state")
    again = to_adam(load(tmp_path / "state"), opt, params)
    for name in FIELDS:
        assert same(getattr(state, name), getattr(again, name)), name


@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_moves_between_libraries(policy: str) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.backends.torch import Adam as Optimizer

    opt = adam(policy)
    params, state = steps(opt, "numpy", 3)
    tensors = [torch.nn.Parameter(torch.tensor(p)) for p in params]
    settings: Any = {"lr": 0.01, "m_storage": policy, "v_storage": policy, "amsgrad": True}
    optimizer = Optimizer(tensors, **settings)
    names = [str(k) for k in range(len(params))]
    optimizer.load_state_dict(to_torch(from_adam(opt, state), optimizer.state_dict(), names))
    assert same([optimizer.state[p]["exp_avg_sq"] for p in tensors], state.v)
    assert same([optimizer.state[p]["max_exp_avg_sq_scale"] for p in tensors], state.v_max_scale)
    back = to_adam(from_torch(optimizer.state_dict(), names), opt, params)
    for name in FIELDS:
        assert same(getattr(state, name), getattr(back, name)), name


@pytest.mark.parametrize("policy", POLICIES)
def test_the_numbers_of_codes_go_everywhere_else(policy: str) -> None:
    """A plain Adam, and torch.optim, get float32 numbers; a state of numbers is rounded for who asks."""
    opt, plain = adam(policy), adam("plain")
    params, state = steps(opt, "numpy", 3)
    named = from_adam(opt, state)
    wide = to_adam(named, plain, params)
    assert [x.dtype for x in wide.m] == [np.float32] * len(params)
    assert wide.m_scale is None
    again = to_adam(from_adam(plain, wide), opt, params)
    assert same(again.m, state.m)
    torch = pytest.importorskip("torch")
    tensors = [torch.nn.Parameter(torch.tensor(p)) for p in params]
    theirs = torch.optim.Adam(tensors, amsgrad=True)
    theirs.load_state_dict(to_torch(named, theirs.state_dict(), [str(k) for k in range(len(params))]))
    assert same([theirs.state[p]["exp_avg_sq"] for p in tensors], wide.v)


def test_new_names_keep_codes_and_new_shapes_do_not() -> None:
    opt = adam("companded8")
    params, state = steps(opt, "numpy", 2)
    named = from_adam(opt, state)
    names: dict[str, Any] = {f"p{k}": str(k) for k in range(len(params))}
    assert named.renamed(names).leaves["p0"].coded["m"] is named.leaves["0"].coded["m"]
    turned = named.renamed(names | {"p0": {"from": "0", "axes": [1, 0]}})
    assert turned.leaves["p0"].coded == {}
    assert (turned.leaves["p0"].m == named.leaves["0"].m.T).all()
    assert fit(named, adam("plain")).leaves["0"].coded == {}
    assert fit(named, adam("companded8")).leaves["0"].coded.keys() == {"m", "v", "v_max"}


def test_codes_that_do_not_fit_are_refused() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.backends.torch import Adam as Optimizer

    p = torch.nn.Parameter(torch.ones(70))
    optimizer = Optimizer([p], lr=0.01, m_storage="companded8")
    p.grad = torch.ones(70)
    optimizer.step()
    held = optimizer.state_dict()
    held["state"][0]["exp_avg_scale"] = held["state"][0]["exp_avg_scale"][:1]
    with pytest.raises(CheckpointError, match=r"scales in int16 of shape \(1,\): expected those of"):
        from_torch(held, ["w"])
    held["state"][0]["exp_avg_scale"] = torch.ones(2, dtype=torch.float64)
    with pytest.raises(CheckpointError, match="scales in float64"):
        from_torch(held, ["w"])
