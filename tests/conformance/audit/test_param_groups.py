"""What an optimizer of PyTorch claims: its class, its nearest base, or what its groups say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from recorded_optimizers import HYPER, judged, parameter, run

from adamcore.backends.torch import Adam as OurAdam
from adamcore.backends.torch import AdamW as OurAdamW
from adamcore.conformance.audit import Recorder
from adamcore.conformance.audit.param_groups import floats


class Mine(torch.optim.AdamW):
    """A subclass that adds nothing."""


class MineOfOurs(OurAdam):
    """A subclass of ours."""


@pytest.mark.parametrize(
    ("make", "options", "claimed"),
    [
        (OurAdamW, {}, "torch.AdamW"),
        (OurAdam, {"amsgrad": True, "maximize": True}, "torch.Adam(amsgrad=True, maximize=True)"),
        (OurAdam, {"dialect": "keras.Adam"}, "keras.Adam"),
        (OurAdam, {"dialect": "transformers4.AdamW", "weight_decay": 0.125}, "transformers4.AdamW"),
        (OurAdam, {"dialect": "optax.nadamw"}, "optax.nadamw"),
        (OurAdam, {"nesterov": "dozat"}, "torch.Adam(nesterov=dozat)"),
        (MineOfOurs, {}, "torch.Adam"),
        (Mine, {}, "torch.AdamW"),
    ],
)
def test_what_an_optimizer_claims(make: Any, options: dict[str, Any], claimed: str, path: Path) -> None:
    w, b = parameter(2, 2), parameter(3)
    optimizer = make([w, b], **HYPER | options)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 6)
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, entry.claimed) == ("conforms", claimed)


def test_a_subclass_says_what_it_is_held_to(path: Path) -> None:
    w = parameter(2)
    recorder = Recorder.torch(optimizer := Mine([w], **HYPER))
    run(optimizer, 2)
    [entry] = judged(recorder, path).entries
    assert "Mine is held to torch.AdamW, as its base torch.optim.adamw.AdamW is" in entry.reason


def test_a_class_that_is_nowhere_is_held_to_algorithm_1_and_said_to_be(path: Path) -> None:
    w = parameter(2)
    recorder = Recorder.torch(optimizer := torch.optim.RAdam([w], lr=0.0625))
    run(optimizer, 2)
    [entry] = judged(recorder, path).entries
    assert entry.claimed == "paper"
    assert "torch.optim.radam.RAdam is in no row of the table: held to Algorithm 1" in entry.reason


def test_the_adam_is_identified_under_a_schedule_of_every_setting(path: Path) -> None:
    w = parameter(6)
    optimizer = torch.optim.AdamW([w], **HYPER)
    recorder = Recorder.torch(optimizer)

    def change(k: int) -> None:
        optimizer.param_groups[0].update(
            lr=0.0625 / k, betas=(0.75 + 0.01 * k, 0.875), weight_decay=0.25 + 0.1 * k
        )

    run(optimizer, 8, change)
    [entry] = judged(recorder, path).entries
    assert entry.identified == "torch.AdamW"
    [entry] = judged(recorder, path, "torch.Adam").entries
    assert (entry.verdict, entry.findings[0].observed) == ("deviates", "decay=decoupled")


@pytest.mark.filterwarnings("error")
def test_a_rate_that_requires_a_gradient_is_read_without_a_warning() -> None:
    assert floats({"lr": torch.tensor(0.125, requires_grad=True)}) == {"lr": 0.125}
