"""What the groups of a state_dict tell: whose Adam it is, and with which settings."""

from __future__ import annotations

from typing import Any

import pytest
from state_samples import torch_run

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states.torch_groups import dialect_of_keys, numbers_of_group
from adamcore.errors import CheckpointError, ConversionError

torch = pytest.importorskip("torch")


def test_axes_that_differ_between_groups_are_kept() -> None:
    """AMSGrad and maximize in one group alone: there and back, and fitted by name."""
    model, optimizer = torch_run(
        lambda m: torch.optim.Adam(
            [
                {"params": [m[0].weight, m[0].bias]},
                {"params": [m[1].weight, m[1].bias], "amsgrad": True, "maximize": True},
            ],
            lr=0.1,
        )
    )
    sd = optimizer.state_dict()
    state = states.from_torch(optimizer, model.named_parameters())
    assert state.adam.amsgrad == "none"
    assert state.special["1.bias"] == {"amsgrad": "uncorrected", "maximize": True}
    assert state.leaves["1.bias"].v_max is not None
    back = states.to_torch(state, optimizer, model.named_parameters())
    assert [group["amsgrad"] for group in back["param_groups"]] == [False, True]
    assert torch.equal(back["state"][2]["max_exp_avg_sq"], sd["state"][2]["max_exp_avg_sq"])
    with pytest.raises(ConversionError, match="amsgrad: 'uncorrected' -> 'none'"):
        states.fit(state, Adam(lr=0.1), accept=["maximize"])
    fitted = states.fit(state, Adam(lr=0.1), accept=["maximize", "amsgrad"])
    assert fitted.leaves["1.bias"].v_max is None
    assert fitted.special == {}


def test_a_difference_that_only_a_later_group_shows() -> None:
    """The first group has no decay, so that its kind is moot; the second has."""
    model, optimizer = torch_run(
        lambda m: torch.optim.AdamW(
            [
                {"params": [m[0].bias, m[1].bias], "weight_decay": 0.0},
                {"params": [m[0].weight, m[1].weight], "weight_decay": 0.1},
            ]
        )
    )
    state = states.from_torch(optimizer, model.named_parameters())
    with pytest.raises(ConversionError, match="decay: 'decoupled' -> 'l2'"):
        states.fit(state, Adam.like("torch.Adam"))
    assert (
        states.fit(state, Adam.like("torch.AdamW", weight_decay=0.0)).adam_of("0.weight").weight_decay == 0.1
    )


@pytest.mark.parametrize(
    ("group", "each", "row"),
    [
        ({"decoupled_weight_decay": False}, {}, "torch.Adam"),
        ({"decoupled_weight_decay": True}, {}, "torch.AdamW"),
        ({"momentum_decay": 0.1, "decoupled_weight_decay": True}, {}, "torch.NAdam"),
        ({"bias_correction": True}, {"step": 1}, "deepspeed.FusedAdam"),
        ({"bias_correction": True, "amsgrad": False}, {"step": 1}, "deepspeed.CPUAdam"),
        ({"bias_correction": True, "step": 1}, {}, "apex.FusedAdam"),
    ],
)
def test_whose_it_is(group: Any, each: Any, row: str) -> None:
    assert dialect_of_keys(group, each) == row


def test_settings_that_are_missing_or_no_numbers() -> None:
    group = {"lr": torch.tensor(0.5), "betas": [torch.tensor(0.5), 0.75], "eps": 1e-3}
    assert numbers_of_group(group) == {"lr": 0.5, "b1": 0.5, "b2": 0.75, "eps": 1e-3, "weight_decay": 0.0}
    theirs = {"lr": 0.5, "adamw_betas": (0.5, 0.75), "adamw_eps": 1e-3, "wd": 0.25}
    assert numbers_of_group(theirs)["weight_decay"] == 0.25
    with pytest.raises(CheckpointError, match="eps is missing; expected a number"):
        numbers_of_group({"lr": 0.5, "betas": (0.5, 0.75)})
    with pytest.raises(CheckpointError, match=r"betas is \(0.5, 0.75, 0.9\); expected two numbers"):
        numbers_of_group(group | {"betas": (0.5, 0.75, 0.9)})
    with pytest.raises(CheckpointError, match="lr is 'high'"):
        numbers_of_group(group | {"lr": "high"})
