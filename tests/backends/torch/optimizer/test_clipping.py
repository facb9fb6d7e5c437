"""Clipping inside the step of the torch optimizer, beside PyTorch's own clipping before it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch_runs import gradients, parameters

from adamcore import Clip
from adamcore.backends.torch import Adam, AdamW
from adamcore.errors import BackendError, HyperparameterError

SHAPES = ((6, 5), (7,), ())


def pair(clip: Any, **settings: Any) -> tuple[Any, Any]:
    """Return an optimizer that clips and one that does not, each of two groups."""
    found = []
    for own in (clip, None):
        params = parameters(*SHAPES, dtype=torch.float64)
        groups = [{"params": params[:1]}, {"params": params[1:], "weight_decay": 0.3}]
        found.append(AdamW(groups, lr=0.05, clip=own, **settings))
    return found[0], found[1]


def params_of(optimizer: Any) -> list[Any]:
    return [p for group in optimizer.param_groups for p in group["params"]]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("way", ["global_norm", "value"])
def test_as_pytorch_before_the_step(way: str, scaled: bool) -> None:
    clip = Clip(global_norm=0.5, eps=1e-6) if way == "global_norm" else Clip(value=0.1)
    ours, theirs = pair(clip)
    for t in range(6):
        for optimizer, scale in ((ours, 8.0 if scaled else 1.0), (theirs, 1.0)):
            for k, (p, g) in enumerate(zip(params_of(optimizer), gradients(params_of(ours), t), strict=True)):
                p.grad = None if k == t % 4 else scale * g
        if way == "value":
            torch.nn.utils.clip_grad_value_(params_of(theirs), 0.1)
        else:
            torch.nn.utils.clip_grad_norm_(params_of(theirs), 0.5)
        if scaled:
            ours.grad_scale = torch.tensor(8.0)
        ours.step()
        theirs.step()
    for a, b in zip(params_of(ours), params_of(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_the_gradient_stays() -> None:
    (p,) = parameters((3,))
    p.grad = torch.full((3,), 5.0)
    optimizer = Adam([p], clip=Clip(norm=1.0))
    for _ in range(2):
        optimizer.step()
        assert p.grad.tolist() == [5.0] * 3
    assert optimizer.state[p]["exp_avg"][0].item() == pytest.approx(0.19 / 3**0.5)


@pytest.mark.parametrize("sparse", ["dense", "lazy"])
def test_sparse_gradients_count_their_sums(sparse: Any) -> None:
    (p,) = parameters((4, 2), dtype=torch.float64)
    rows = torch.tensor([[1, 1, 3]])
    listed = torch.tensor([[1.0, 0], [2.0, 0], [0, 4.0]]).double()
    p.grad = torch.sparse_coo_tensor(rows, listed, (4, 2), check_invariants=True)
    optimizer = Adam([p], betas=(0.5, 0.9), sparse=sparse, clip=Clip(global_norm=1.0))
    optimizer.step()
    want = torch.zeros(4, 2, dtype=torch.float64)
    want[1, 0], want[3, 1] = 0.3, 0.4
    torch.testing.assert_close(optimizer.state[p]["exp_avg"], want)


def test_a_parameter_that_is_there_twice() -> None:
    (p,) = parameters((2,), dtype=torch.float64)
    with pytest.warns(UserWarning, match="duplicate"):
        optimizer = Adam([p, p], betas=(0.5, 0.9), clip=Clip(norm=1.0))
    p.grad = torch.tensor([3.0, 4.0]).double()
    optimizer.step()
    torch.testing.assert_close(optimizer.state[p]["exp_avg"], torch.tensor([0.45, 0.6]).double())


def test_copies_pickles_and_states() -> None:
    (p,) = parameters((2,))
    optimizer = Adam([p], clip=Clip(norm=1.0))
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert other.clip == Clip(norm=1.0)
    optimizer.load_state_dict(Adam([p]).state_dict())
    assert optimizer.clip == Clip(norm=1.0)
    assert "clip" not in optimizer.state_dict()["param_groups"][0]


def test_what_has_no_meaning() -> None:
    (p,) = parameters((2,))
    with pytest.raises(HyperparameterError, match="Clip with no number"):
        Adam([p], clip=Clip())
    optimizer = Adam([p], differentiable=True, clip=Clip(norm=1.0))
    p.grad = torch.ones(2)
    with pytest.raises(BackendError, match="a clipped step is not recorded"):
        optimizer.step()


@pytest.mark.slow
@pytest.mark.parametrize("clip", [Clip(global_norm=0.5), Clip(norm=0.5), Clip(value=0.1)])
def test_compiled(clip: Clip) -> None:
    found = []
    for compiled in (False, True):
        params = parameters(*SHAPES)
        optimizer = AdamW(params, lr=0.05, clip=clip)
        step = torch.compile(optimizer.step, backend="eager") if compiled else optimizer.step
        for t in range(3):
            for p, g in zip(params, gradients(params, t), strict=True):
                p.grad = g
            step()
        found.append(params)
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
