"""Adam and AdamW in PyTorch's clothes: dialects, axes, groups, settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from replay import Record
from torch.nn import Parameter
from torch_runs import advance, parameters, values

import adamcore
from adamcore import errors
from adamcore.backends.torch import Adam, AdamW
from adamcore.dialects import DIALECTS


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_every_dialect(name: str) -> None:
    """By its name, on tensors of four shapes, within the bound of the definition under that claim."""
    row = DIALECTS[name]
    given = {"lr": 0.05} | ({"weight_decay": 0.02} if row.defaults.get("weight_decay", 0) is None else {})
    params = parameters((), (1,), (3,), (2, 5))
    record = Record(values(params))
    optimizer = Adam(params, dialect=name, **given)  # type: ignore[arg-type]
    advance(optimizer, params, range(8), record)
    result = record.judge(adamcore.Adam.like(name, **given))
    assert result.status == "passed", result
    assert result.undecided == 0


@pytest.mark.parametrize("axis", [a for a in adamcore.AXES if a not in ("missing", "clock", "all_missing")])
def test_every_axis(axis: str) -> None:
    for value in adamcore.AXES[axis]:
        kind = {"decay": "decoupled"} if axis == "cautious_decay" else {}
        settings = {"lr": 0.05, "weight_decay": 0.1, axis: value, **kind}
        params = parameters((4,), (3,))
        record = Record(values(params))
        advance(Adam(params, **settings), params, range(8), record)  # type: ignore[arg-type]
        result = record.judge(adamcore.Adam(**settings))  # type: ignore[arg-type]
        assert result.status == "passed", (value, result)


def test_lr_max_is_the_first_lr_whatever_a_scheduler_makes_of_lr() -> None:
    """As timm's corrected_weight_decay; also of a tensor that is written to, and after a resume."""
    for first in (0.5, torch.tensor(0.5)):
        w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        opt = Adam([w], lr=first, weight_decay=0.5, decay="decoupled-squared")
        resumed = Adam([w], lr=0.25, weight_decay=0.5, decay="decoupled-squared")
        w.grad = torch.zeros(2)
        if isinstance(first, torch.Tensor):
            first.fill_(0.25)
        else:
            opt.param_groups[0]["lr"] = 0.25
        assert opt.param_groups[0]["lr_max"] == 0.5
        opt.step()
        torch.testing.assert_close(w.detach(), torch.tensor([1.0, -2.0]) * (1 - 0.25 * 0.25 / 0.5 * 0.5))
        resumed.load_state_dict(opt.state_dict())
        assert resumed.param_groups[0]["lr_max"] == 0.5


def test_a_group_with_an_lr_of_its_own_can_have_an_lr_max_of_its_own() -> None:
    """Without one its decay goes with the optimizer's (DEC.7): ten times the lr decays ten times as fast."""
    for own, factor in (({}, 10), ({"lr_max": 0.5}, 1)):
        w, b = (torch.nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
        groups = [{"params": [w]}, {"params": [b], "lr": 0.5} | own]
        opt = Adam(groups, lr=0.05, weight_decay=0.01, decay="decoupled-relative")
        w.grad, b.grad = torch.zeros_like(w), torch.zeros_like(b)
        opt.step()
        torch.testing.assert_close(w.detach(), torch.full_like(w, 1 - 0.01))
        torch.testing.assert_close(b.detach(), torch.full_like(b, 1 - 0.01 * factor))


def test_a_wrong_rule_would_be_seen() -> None:
    params = parameters((4,), (3,))
    record = Record(values(params))
    advance(Adam(params, lr=0.05, weight_decay=0.1), params, range(8), record)
    assert record.judge(adamcore.Adam(lr=0.05, weight_decay=0.1, decay="decoupled")).status == "failed"


def test_what_cannot_be_optimized() -> None:
    whole = torch.ones(2, dtype=torch.int64)
    optimizer = Adam([whole, torch.ones(2)])  # without a gradient nothing is asked of it
    optimizer.step()
    meta = Parameter(torch.ones(2, device="meta"))
    meta.grad = torch.ones(2, device="meta")
    with pytest.raises(errors.ParameterError, match="meta"):
        Adam([meta]).step()
    small = Parameter(torch.ones(2))
    small.grad = torch.ones(2)
    with pytest.raises(errors.HyperparameterError, match="1e-60"):
        Adam([small], eps=1e-60).step()


def test_zero_grad() -> None:
    params = parameters((3,))
    optimizer = Adam(params)
    params[0].grad = torch.ones(3)
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad is not None
    assert not params[0].grad.any()
    optimizer.zero_grad()
    assert params[0].grad is None


def test_the_module_gives_them_by_name() -> None:
    from adamcore.backends import torch as module

    assert module.Adam is Adam
    assert issubclass(AdamW, torch.optim.Optimizer)
    with pytest.raises(AttributeError, match="Adamw"):
        _ = module.Adamw
    assert Path(module.__file__ or "").parent.name == "torch"


def test_fused_on_the_meta_device_is_refused_in_pytorchs_words() -> None:
    p = Parameter(torch.ones(2, device="meta"))
    p.grad = torch.ones(2, device="meta")
    with pytest.raises(errors.BackendError, match=r"`fused=True` requires all the params .* to_empty"):
        Adam([p], fused=True).step()
    with pytest.raises(RuntimeError, match="`fused=True` requires all the params to be floating point"):
        torch.optim.Adam([p], fused=True).step()
