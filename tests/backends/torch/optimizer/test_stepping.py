"""The step of a torch optimizer, and what it looks at before anything is done."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch_runs import parameters

from adamcore import errors
from adamcore.backends.torch import Adam


@pytest.mark.parametrize("settings", [{}, {"clock": "global", "all_missing": "tick"}, {"missing": "zero"}])
def test_settings_are_checked_by_the_steps_that_use_them(settings: dict[str, Any]) -> None:
    """A scheduler may run without a training, and go out of every range."""
    p = Parameter(torch.ones(2))
    optimizer = Adam([p], **settings)
    group = optimizer.param_groups[0]
    group.update(betas=(22.0, 0.9), lr=-1.0)
    if settings:  # this step does something
        with pytest.raises(errors.HyperparameterError, match="lr"):
            optimizer.step()
    else:
        optimizer.step()
        p.grad = torch.ones(2)
        with pytest.raises(errors.HyperparameterError, match="lr"):
            optimizer.step()
        group["lr"] = 0.1
        with pytest.raises(errors.HyperparameterError, match="b1=22"):
            optimizer.step()
    assert torch.equal(p, torch.ones(2))
    assert optimizer.state_dict()["state"] == {}


def test_the_state_of_a_first_step_is_made_without_a_step() -> None:
    (p,) = parameters((2,))
    stepped, made = Adam([p]), Adam([p])
    made.init_state()
    assert {name: x.tolist() for name, x in made.state[p].items()} == {
        "step": 0,
        "exp_avg": [0.0, 0.0],
        "exp_avg_sq": [0.0, 0.0],
    }
    p.grad = torch.ones(2)
    stepped.step()
    assert {name: (x.shape, x.dtype) for name, x in stepped.state[p].items()} == {
        name: (x.shape, x.dtype) for name, x in made.state[p].items()
    }


def test_a_step_returns_the_loss_of_its_closure_and_uses_its_gradients() -> None:
    (p,) = parameters((2,))
    before = p.detach().clone()
    optimizer = Adam([p], lr=0.5)

    def closure() -> torch.Tensor:
        assert torch.is_grad_enabled()
        p.grad = torch.tensor([1.0, -1.0])
        return torch.tensor(3.0)

    assert optimizer.step(closure) == 3
    torch.testing.assert_close(p.detach(), before + torch.tensor([-0.5, 0.5]))
