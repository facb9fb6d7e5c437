"""Steps that an engine makes for the sake of the state: who is recognized, and what comes of them."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import ranks  # noqa: E402

from adamcore.backends.torch import Adam  # noqa: E402
from adamcore.backends.torch.optimizer.engines import CALLERS  # noqa: E402


def optimizer_with_zero_gradients(**settings: Any) -> tuple[Any, Adam]:
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.zeros(3)
    return p, Adam([p], weight_decay=0.1, **settings)


def caller(module: str, name: str) -> Callable[[Any], None]:
    """Return a function of this name, in a module of this name."""
    made = types.ModuleType(module)
    exec(f"def {name}(optimizer):\n    optimizer.step(closure=None)", made.__dict__)
    function: Callable[[Any], None] = made.__dict__[name]
    return function


@pytest.mark.parametrize(("module", "name"), sorted(CALLERS))
def test_their_steps_make_the_state_alone(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, sys.modules.get(module, types.ModuleType(module)))
    p, optimizer = optimizer_with_zero_gradients()
    torch.optim.lr_scheduler.LinearLR(optimizer)  # wraps the step
    optimizer.register_step_pre_hook(lambda *_: None)
    caller(module, name)(optimizer)
    assert int(optimizer.state[p]["step"]) == 0
    assert not optimizer.state[p]["exp_avg"].any()
    assert torch.equal(p, torch.ones(3))


@pytest.mark.parametrize(("module", "name"), [("mine", "_init_optim_state"), ("mine", "init_state")])
def test_others_are_steps(module: str, name: str) -> None:
    """A first step with zero gradients and lr 0, from elsewhere, ticks and has its decay in the moments."""
    import torch.distributed.checkpoint.state_dict  # noqa: F401 # there is something to be mistaken for

    p, optimizer = optimizer_with_zero_gradients(lr=0.0)
    caller(module, name)(optimizer)
    assert int(optimizer.state[p]["step"]) == 1
    assert optimizer.state[p]["exp_avg"].all()


@pytest.mark.parametrize("settings", [{}, {"clock": "global"}, {"amsgrad": True}, {"dialect": "torch.NAdam"}])
def test_the_checkpoint_of_pytorch(settings: dict[str, Any]) -> None:
    """PyTorch's own function is recognized, and called where there is no state."""
    from torch.distributed.checkpoint import state_dict

    model = torch.nn.Linear(2, 2)
    optimizer = Adam(model.parameters(), weight_decay=0.1, **settings)
    state_dict.get_optimizer_state_dict(model, optimizer)
    owners = [optimizer.state[p] | optimizer.param_groups[0] for p in model.parameters()]
    assert [int(own["step"]) for own in owners] == [0, 0]
    assert not any(own["exp_avg"].any() for own in owners)


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_checkpoints"))
def test_states_of_sharded_parameters(
    run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_resumed"))
def test_saved_on_two_processes_and_loaded_on_others(
    run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())
