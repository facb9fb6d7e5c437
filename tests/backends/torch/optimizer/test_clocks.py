"""Clocks of an optimizer: exact inside, and as PyTorch writes them in a state_dict."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_runs import advance, parameters, through_a_file

from adamcore.backends.torch import Adam
from adamcore.backends.torch.optimizer.clocks import new_clock, new_product, read_clock, write_clock
from adamcore.errors import ClockError


def test_the_clock_counts_on_where_float32_stops() -> None:
    """Written as float32 up to 2**24, as an integer above; torch.optim stands still there."""
    params = parameters((3,))
    optimizer, theirs = Adam(params), torch.optim.Adam(params)
    for each in (optimizer, theirs):
        advance(each, params, range(1))
        saved = each.state_dict()
        saved["state"][0]["step"] = torch.tensor(2.0**24)
        each.load_state_dict(saved)
        advance(each, params, range(1, 3))
    step = optimizer.state_dict()["state"][0]["step"]
    assert (step.dtype, step.item()) == (torch.int64, 2**24 + 2)
    assert theirs.state_dict()["state"][0]["step"].item() == 2**24
    again = Adam(params)
    again.load_state_dict(through_a_file(optimizer.state_dict()))
    assert again.state[params[0]]["step"].item() == 2**24 + 2


@pytest.mark.parametrize("value", [0, 3, 3.0, torch.tensor(3.0), torch.tensor([3]), 2**31 - 1])
def test_a_whole_number_of_any_kind(value: Any) -> None:
    assert read_clock(value, "step") == int(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.tensor(2.0**25), "can't count above 16777216"),
        (torch.tensor(257.0, dtype=torch.float16).to(torch.bfloat16) + 2, "can't count above 256"),
        (3.5, "expected a whole number"),
        (-1, "from 0 to 2147483647"),
        (2**31, "from 0 to 2147483647"),
        (True, "from 0 to 2147483647"),
        ("3", "from 0 to 2147483647"),
        (torch.ones(2), "expected one number"),
        (torch.tensor(3j), "expected one number"),
    ],
)
def test_what_is_no_clock(value: Any, words: str) -> None:
    with pytest.raises(ClockError, match=words):
        read_clock(value, "step")


def test_what_is_written() -> None:
    p = torch.ones(2)
    for t in (0, 3, 2**24):
        written = write_clock(new_clock(p, {"capturable": False}, t))
        assert (written.dtype, written.item()) == (torch.float32, t)
    written = write_clock(new_clock(p, {"capturable": False}, 2**24 + 1))
    assert (written.dtype, written.item()) == (torch.int64, 2**24 + 1)
    assert (new_product(written).dtype, new_product(written).item()) == (torch.float64, 1.0)
