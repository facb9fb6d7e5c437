"""What takes part in a step of a torch optimizer, and the state that is made for it."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch.nn import Parameter  # noqa: E402
from torch_runs import bits  # noqa: E402

from adamcore.backends.torch import Adam  # noqa: E402
from adamcore.backends.torch.optimizer.state import GroupState, restart  # noqa: E402
from adamcore.errors import MissingGradientError, StateError  # noqa: E402


def gathered(optimizer: Any) -> GroupState:
    found = GroupState.empty()
    optimizer._init_group(0, optimizer.param_groups[0], *found)
    return found


def optimizer_of(*grads: Any, **settings: Any) -> Any:
    params = [Parameter(torch.ones(2)) for _ in grads]
    for p, g in zip(params, grads, strict=True):
        p.grad = g
    return Adam(params, **settings)


def test_absent_and_frozen_parameters_take_no_part() -> None:
    optimizer = optimizer_of(torch.ones(2), None, torch.ones(2))
    a, _, c = optimizer.param_groups[0]["params"]
    optimizer.freeze(c)
    found = gathered(optimizer)
    assert [p is a for p in found.params] == [True]
    assert list(optimizer.state) == [a]
    assert found.clocks[0].dtype is torch.int32


def test_an_absent_gradient_may_count_as_zero_or_as_an_error() -> None:
    assert gathered(optimizer_of(None, missing="zero")).grads == [None]
    with pytest.raises(MissingGradientError, match=r"param_groups\[0\]\['params'\]\[0\]"):
        gathered(optimizer_of(None, missing="error"))
    with pytest.raises(MissingGradientError, match="all_missing='error'"):
        gathered(optimizer_of(None, clock="global", all_missing="error"))


def test_a_global_clock_is_the_groups() -> None:
    optimizer = optimizer_of(torch.ones(2), torch.ones(2), clock="global")
    found = gathered(optimizer)
    assert len(found.params) == 2
    [clock] = found.clocks
    assert clock is optimizer.param_groups[0]["step"]


def test_amsgrad_after_the_first_step_is_refused() -> None:
    optimizer = optimizer_of(torch.ones(2))
    gathered(optimizer)
    optimizer.param_groups[0]["amsgrad"] = True
    with pytest.raises(StateError, match="max_exp_avg_sq"):
        gathered(optimizer)


@pytest.mark.parametrize(("clock", "t"), [("reset", 0), ("keep", 3)])
def test_restart_in_the_same_tensors(clock: Any, t: int) -> None:
    optimizer = optimizer_of(torch.ones(2), nesterov="dozat")
    for _ in range(3):
        optimizer.step()
    [own] = optimizer.state.values()
    before = dict(own)
    restart(own, clock)
    assert all(own[name] is x for name, x in before.items())
    assert own["exp_avg"].tolist() == own["exp_avg_sq"].tolist() == [0, 0]
    assert int(own["step"]) == t
    assert (own["mu_product"].item() == 1.0) == (clock == "reset")


@pytest.mark.parametrize(
    "settings", [{}, {"clock": "global", "weight_decay": 0.1}, {"nesterov": "dozat", "amsgrad": True}]
)
def test_a_state_made_without_a_step(settings: Any) -> None:
    """The run that follows has the bits of one without it; an engine's dummy step is not needed."""
    early, late = (optimizer_of(torch.ones(2), torch.ones(2), None, **settings) for _ in range(2))
    early.freeze(early.param_groups[0]["params"][1])
    late.freeze(late.param_groups[0]["params"][1])
    early.param_groups[0]["params"][2].requires_grad_(False)
    early.init_state()
    a, b, c = early.param_groups[0]["params"]
    assert set(early.state) == {a, b}
    assert [x.tolist() for x in early.state[a].values() if x.ndim] == [[0.0, 0.0]] * len(
        [x for x in early.state[a].values() if x.ndim]
    )
    assert early.state_dict()["state"][0]["step"] == 0
    for _ in range(3):
        early.step()
        late.step()
    early.init_state()  # changes nothing where there is a state
    [x, *_] = late.param_groups[0]["params"]
    assert torch.equal(a, x)
    assert bits(early.state_dict()["state"][0]) == bits(late.state_dict()["state"][0])
    theirs = torch.optim.Adam([a, b, c], amsgrad=bool(settings.get("amsgrad")))
    if "nesterov" not in settings:
        theirs.load_state_dict(early.state_dict())
        theirs.step()
