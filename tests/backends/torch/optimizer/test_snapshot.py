"""A state_dict that is kept shows the state of its moment, whatever comes after it."""

from __future__ import annotations

import copy
import gc
import warnings
from itertools import product
from typing import Any

import pytest
from cases import some

torch = pytest.importorskip("torch")
from torch_runs import advance, bits, parameters  # noqa: E402

from adamcore.backends.torch import Adam  # noqa: E402

SETTINGS: list[dict[str, Any]] = [
    {},
    {"amsgrad": True, "nesterov": "dozat"},
    {"clock": "global"},
    {"capturable": True},
    {"lr": torch.tensor(0.1)},
    {"moment_dtype": "float64"},
]


def change(optimizer: Any, params: list[Any], how: str) -> None:
    if how == "steps":
        advance(optimizer, params, range(3, 9))
    elif how == "reset":
        optimizer.reset()
    elif how == "another state is loaded":
        optimizer.load_state_dict(Adam(params, **optimizer.settings).state_dict())
        advance(optimizer, params, range(3, 5))
    else:
        torch._dynamo.reset()
        step = torch.compile(optimizer.step, backend="eager")
        for t in range(3, 7):
            advance(type("compiled", (), {"step": staticmethod(step)}), params, range(t, t + 1))


CASES = [*product(["steps", "reset", "another state is loaded"], SETTINGS)]
CASES += some(product(["compiled steps"], SETTINGS), 2)


@pytest.mark.parametrize(("how", "settings"), CASES, ids=str)
def test_a_kept_state_dict_does_not_change(how: str, settings: dict[str, Any]) -> None:
    """Moments, maxima, clocks, products and a tensor lr are all of then, and go back as they were."""
    params = parameters((3,), (2, 2))
    optimizer: Any = Adam(params, **settings)
    optimizer.settings = settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "compiled steps":  # compiled before, so that the next step runs no Python
            change(optimizer, params, how)
        advance(optimizer, params, range(3))
        kept = optimizer.state_dict()
        then = copy.deepcopy(kept)
        change(optimizer, params, how)
    if "lr" in settings:
        optimizer.param_groups[0]["lr"].fill_(0.5)
    assert bits(kept) == bits(then)
    optimizer.load_state_dict(kept)
    assert bits(optimizer.state_dict()) == bits(then)


def test_memory_is_copied_only_for_what_is_held() -> None:
    params = parameters((3,))
    optimizer = Adam(params)
    advance(optimizer, params, range(2))
    own = optimizer.state[params[0]]["exp_avg"]
    place = own.data_ptr()
    shown = optimizer.state_dict()["state"][0]["exp_avg"]
    assert shown.data_ptr() == place  # no copy, until
    advance(optimizer, params, range(2, 3))
    assert shown.data_ptr() != place
    assert optimizer.state[params[0]]["exp_avg"].data_ptr() == place
    optimizer.state_dict()
    gc.collect()
    assert [ref() for ref in optimizer._snapshots.given] == [None, None]


def test_written_before_the_next_step_it_is_the_state() -> None:
    """As with PyTorch's, whose state some engines broadcast by way of the state_dict."""
    params = parameters((3,))
    optimizer = Adam(params)
    advance(optimizer, params, range(2))
    optimizer.state_dict()["state"][0]["exp_avg"].fill_(7.0)
    assert optimizer.state[params[0]]["exp_avg"].tolist() == [7.0] * 3
