"""Where an optimizer lies in a checkpoint, and the three forms of its state_dict."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.backends.checkpoints.state_dicts import as_state_dict, choose_optimizer, find_optimizers
from adamcore.errors import CheckpointError

ADAM: dict[str, Any] = {
    "state": {0: {"step": 1, "exp_avg": [1.0]}},
    "param_groups": [{"params": [0], "lr": 1}],
}
SGD: dict[str, Any] = {"state": {0: {"momentum_buffer": [1.0]}}, "param_groups": [{"params": [0], "lr": 2}]}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (ADAM, ""),
        ({"model": {"w": 1}, "optimizer": ADAM, "args": {"lr": 1}}, "optimizer"),  # nanoGPT, timm, DETR
        ({"last_optimizer_state": ADAM, "optimizer_history": [{"num_updates": 3}]}, "last_optimizer_state"),
        ({"optimizer_states": [ADAM], "lr_schedulers": []}, "optimizer_states.0"),  # Lightning
        ({"optimizer": {"optimizer": ADAM, "fp32_from_fp16_params": []}}, "optimizer.optimizer"),  # Megatron
    ],
)
def test_an_optimizer_is_found_where_trainers_keep_it(content: Any, path: str) -> None:
    assert list(find_optimizers(content)) == [path]
    assert choose_optimizer(content, "run.pt") == ADAM


def test_one_of_several_is_chosen_by_its_key() -> None:
    content = {"optimizer_states": [ADAM, SGD], "epoch": 3}
    with pytest.raises(CheckpointError, match="2 optimizers in run") as raised:
        choose_optimizer(content, "run.pt")
    assert "optimizer_states.0: 1 parameters; state: step, exp_avg" in str(raised.value)
    assert "optimizer_states.1: 1 parameters; state: momentum_buffer" in str(raised.value)
    assert choose_optimizer(content, "run.pt", "optimizer_states.1") is SGD
    with pytest.raises(CheckpointError, match="no one optimizer at 'epoch'"):
        choose_optimizer(content, "run.pt", "epoch")
    with pytest.raises(CheckpointError, match="no one optimizer at 'optimizer_states'"):
        choose_optimizer(content, "run.pt", "optimizer_states")
    assert choose_optimizer({"g": {"opt": ADAM}, "d": {"opt": SGD}}, "run.pt", "d") is SGD
    same = {"optimizer": ADAM, "again": ADAM}
    assert choose_optimizer(same, "run.pt") is ADAM


def test_none_is_said_with_what_there_is() -> None:
    with pytest.raises(CheckpointError, match=r"no state_dict .*, which has 'model', 'epoch': expected"):
        choose_optimizer({"model": {}, "epoch": 1}, "run.pt")
    with pytest.raises(CheckpointError, match="which has 'list'"):
        choose_optimizer([1, 2], "run.pt")
    cyclic: dict[str, Any] = {"a": 1}
    cyclic["self"] = cyclic
    with pytest.raises(CheckpointError, match="no state_dict"):
        choose_optimizer(cyclic, "run.pt")
    inner: dict[str, Any]
    for inner in ({"single_partition_of_fp32_groups": []}, {"fp32_flat_groups": []}):
        with pytest.raises(CheckpointError, match="one process of DeepSpeed's ZeRO"):
            choose_optimizer({"optimizer_state_dict": inner}, "run.pt")


def test_the_flattened_form() -> None:
    flat = {
        "state.a.w.step": 3,
        "state.a.w.exp_avg": 1.0,
        "param_groups.a.w.lr": 0.1,
        "param_groups.a.w.betas": (0.9, 0.99),
        "param_groups.b.lr": 0.1,
        "param_groups.b.betas": (0.9, 0.99),
        "param_groups.c.lr": 0.2,
        "param_groups.c.betas": (0.9, 0.99),
    }
    assert as_state_dict(flat) == {
        "state": {"a.w": {"step": 3, "exp_avg": 1.0}},
        "param_groups": [
            {"lr": 0.1, "betas": (0.9, 0.99), "params": ["a.w", "b"]},
            {"lr": 0.2, "betas": (0.9, 0.99), "params": ["c"]},
        ],
    }
    assert as_state_dict(flat | {"epoch": 3}) is None
    assert as_state_dict({"state.a.step": 3}) is None
    assert as_state_dict({"state": {}, "param_groups": 3}) is None
    assert as_state_dict(3) is None
