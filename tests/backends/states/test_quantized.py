"""States of bitsandbytes, torchao and Muon, as their sources write them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from adamcore.backends import states
from adamcore.backends.states.quantized import by_blocks, of_torchao, plain_entry
from adamcore.errors import CheckpointError

torch = pytest.importorskip("torch")
GROUP = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.01}


def test_codes_stand_for_numbers() -> None:
    table = np.linspace(-1, 1, 256, dtype=np.float32)
    codes = (np.arange(600) % 256).astype(np.uint8).reshape(3, 200)
    scales = np.asarray([1.0, 2.0, 4.0], np.float32)
    expected = (table[codes.reshape(-1)] * np.repeat(scales, 256)[:600]).reshape(3, 200)
    assert np.array_equal(by_blocks(codes, table, scales, "w"), expected)
    assert np.array_equal(by_blocks(codes, table, scales[:1], "w"), table[codes])  # one block of 2048
    with pytest.raises(CheckpointError, match="2 scales for 600 elements"):
        by_blocks(codes, table, scales[:2], "w")
    with pytest.raises(CheckpointError, match="without a scale for each block"):
        by_blocks(codes, table, None, "w")
    halves = SimpleNamespace(
        codes=torch.tensor([0x01, 0x23], dtype=torch.uint8),
        scale=torch.tensor([1.0, 10.0]),
        qmap=torch.arange(16.0),
        _shape=(2, 2),
    )
    values, kind = of_torchao(halves, "w")
    assert (values.tolist(), kind) == ([[0.0, 1.0], [20.0, 30.0]], "4-bit")
    narrow = SimpleNamespace(
        codes=torch.tensor([1.5, -2.0]).to(torch.float8_e4m3fn), scale=torch.tensor([2.0])
    )
    values, kind = of_torchao(narrow, "w")
    assert (values.tolist(), kind) == ([3.0, -4.0], "float8")


def test_bitsandbytes_in_32_bits() -> None:
    parts = {"state1": torch.ones(3), "state2": torch.full((3,), 2.0)}
    for each in ({"step": 5, **parts}, {"step": 5, "__bnb_optimizer_quant_state__": parts}):
        sd = {"state": {0: each}, "param_groups": [GROUP | {"params": [0]}]}
        with pytest.raises(CheckpointError, match="bitsandbytes' does not tell Adam from AdamW"):
            states.from_torch(sd, ["w"])
        state = states.from_torch(sd, ["w"], dialect="bitsandbytes.AdamW")
        leaf = state.leaves["w"]
        assert (leaf.t, leaf.m.tolist(), leaf.v.tolist()) == (5, [1.0] * 3, [2.0] * 3)
    lamb: dict[str, Any] = {"state": {0: {"step": 5, "unorm_vec": torch.ones(1), **parts}}}
    lamb["param_groups"] = [GROUP | {"params": [0]}]
    with pytest.raises(CheckpointError, match="LAMB"):
        states.from_torch(lamb, ["w"], dialect="bitsandbytes.AdamW")


def test_muon_beside_adam() -> None:
    """The part of Adam is read, and what is left out is named."""
    adam = {"step": 3, "exp_avg": torch.ones(3), "exp_avg_sq": torch.ones(3)}
    sd = {
        "state": {0: {"momentum_buffer": torch.ones(3, 3)}, 1: adam},
        "param_groups": [
            {"params": [0], "lr": 0.02, "momentum": 0.95, "use_muon": True},
            GROUP | {"params": [1], "use_muon": False},
        ],
    }
    with pytest.warns(
        UserWarning, match="left out: 1 parameters whose state is no Adam's .'w'; they have 'mom"
    ):
        state = states.from_torch(sd, ["w", "b"], dialect="torch.AdamW")
    assert list(state.leaves) == ["b"]
    assert (state.adam.lr, state.adam.b2, state.special) == (1e-3, 0.95, {})
    moonlight = {"step": 3, "moment1": torch.ones(3), "moment2": torch.ones(3), "use_muon": False}
    one = {
        "params": [0, 1],
        "lr": 0.02,
        "wd": 0.5,
        "momentum": 0.9,
        "adamw_betas": (0.5, 0.75),
        "adamw_eps": 1e-9,
    }
    sd = {"state": {0: {"momentum_buffer": torch.ones(3, 3)}, 1: moonlight}, "param_groups": [one]}
    with pytest.warns(UserWarning, match="left out"):
        state = states.from_torch(sd, ["w", "b"], dialect="transformers4.AdamW")
    assert (state.adam.b1, state.adam.weight_decay, state.leaves["b"].t) == (0.5, 0.5, 3)
    sgd = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"params": [0], "lr": 0.1}]}
    with pytest.raises(CheckpointError, match=r"state of w has 'momentum_buffer'.*this is no Adam"):
        states.from_torch(sgd, ["w"], dialect="torch.AdamW")


def test_a_shard_is_not_taken_for_the_whole() -> None:
    mesh = SimpleNamespace(size=lambda: 2)
    shard = SimpleNamespace(device_mesh=mesh)
    with pytest.raises(CheckpointError, match=r"sharded \(DTensor\): gather the state first"):
        plain_entry({"exp_avg": shard}, "w")
    whole = SimpleNamespace(device_mesh=SimpleNamespace(size=lambda: 1), to_local=lambda: torch.ones(2))
    assert plain_entry({"exp_avg": whole}, "w")[0]["exp_avg"].tolist() == [1.0, 1.0]
