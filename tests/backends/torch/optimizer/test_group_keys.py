"""The keys of a parameter group: what it leaves out comes back, and is the optimizer's."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.backends.torch.optimizer.group_keys import (
    KEPT,
    NADAM,
    OWN,
    PYTORCH,
    complete,
    completed_by_class,
    kept_settings,
    shorten,
)
from adamcore.backends.torch.optimizer.param_groups import of_dialect

DIALECTS = ("torch.Adam", "torch.AdamW", "torch.NAdam", "keras.AdamW")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_group_leaves_out_comes_back(dialect: str) -> None:
    group = of_dialect(dialect, {})
    kept = kept_settings(group)
    short = dict(group)
    assert shorten(short, kept)
    assert len(short) <= len(group) - len(OWN) + 1
    assert complete(short, kept) == group


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", OWN)
def test_a_group_with_a_rule_of_its_own_leaves_nothing_out(dialect: str, name: str) -> None:
    group = of_dialect(dialect, {})
    kept = kept_settings(group) | {name: "another"}
    changed = dict(group)
    stays = name == "lr_max" or (name, group["nesterov"]) == ("momentum_decay", "dozat")
    if stays or (name, group["decay"]) == ("decay", "l2"):
        return  # told by a key that the group has
    assert not shorten(changed, kept)
    assert changed == group


def test_the_flag_of_pytorch_tells_the_decay() -> None:
    for kept in (PYTORCH, kept_settings(of_dialect("torch.AdamW", {}))):
        assert complete({"decoupled_weight_decay": True}, kept)["decay"] == "decoupled"
        assert complete({"decoupled_weight_decay": False}, kept)["decay"] == "l2"


def test_the_keys_tell_pytorchs_class() -> None:
    nadam: dict[str, Any] = of_dialect("torch.NAdam", {})
    short = dict(nadam)
    assert shorten(short, NADAM)
    assert "amsgrad" not in short
    assert completed_by_class(short) == nadam
    assert {name: completed_by_class({})[name] for name in KEPT} == PYTORCH
