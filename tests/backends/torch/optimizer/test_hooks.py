"""What PyTorch wraps around a step is there where somebody looks, and only there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch_runs import parameters

from adamcore.backends.torch import Adam, AdamW
from adamcore.backends.torch.optimizer.hooks import watched


@pytest.fixture
def optimizer() -> Adam:
    params = parameters((2,))
    params[0].grad = torch.ones(2)
    return Adam(params)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("everywhere", [False, True], ids=["its own", "of all optimizers"])
def test_a_hook(everywhere: bool, when: str, optimizer: Adam) -> None:
    p = optimizer.param_groups[0]["params"][0]
    start, seen = p.detach().clone(), []

    def hook(*_: object) -> None:
        seen.append(torch.equal(p, start))

    register: Any
    if everywhere:
        register = {"before": register_optimizer_step_pre_hook, "after": register_optimizer_step_post_hook}
    else:
        register = {"before": optimizer.register_step_pre_hook, "after": optimizer.register_step_post_hook}
    assert not watched(optimizer)
    handle = register[when](hook)
    try:
        optimizer.step()
    finally:
        handle.remove()
    assert seen == [when == "before"]
    optimizer.step()
    assert len(seen) == 1


def test_the_range_of_a_profiler(optimizer: Adam) -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        optimizer.step()
    assert "Optimizer.step#Adam.step" in {event.name for event in profile.events()}


@pytest.mark.parametrize("enabled", [False, True])
def test_autograd_is_as_it_was(enabled: bool, optimizer: Adam) -> None:
    def failing() -> None:
        raise RuntimeError("no loss")

    with torch.set_grad_enabled(enabled):
        optimizer.step()
        assert torch.is_grad_enabled() is enabled
        with pytest.raises(RuntimeError, match="no loss"):
            optimizer.step(failing)
        assert torch.is_grad_enabled() is enabled


def test_it_is_wrapped_once(optimizer: Adam) -> None:
    """PyTorch wraps the step of every class whose step does not say that it is wrapped."""
    step = type(optimizer).step
    Adam(parameters((1,)))
    assert type(optimizer).step is step
    assert step.__name__ == "step"


@pytest.mark.parametrize("cls", [Adam, AdamW, torch.optim.Adam])
def test_the_step_lies_two_layers_deep(cls: Any) -> None:
    """PyTorch's tests, and who compiles the step alone, take it from there."""
    p = torch.nn.Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    optimizer = cls([p], lr=0.25)
    inner = optimizer.step.__wrapped__.__wrapped__
    with torch.no_grad():
        inner(optimizer)
    assert not hasattr(inner, "__wrapped__")
    assert ((p > 0.7) & (p < 0.8)).all()
