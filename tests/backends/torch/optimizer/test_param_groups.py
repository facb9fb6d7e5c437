"""Settings of an optimizer and of its groups: PyTorch's words and ours, checked before anything moves."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import pytest
import torch
from replay import Record
from torch_runs import advance, bits, gradients, parameters, values

import adamcore
from adamcore import errors
from adamcore.backends.torch import Adam
from adamcore.backends.torch.optimizer.group_keys import complete


def test_groups_have_their_own_rules() -> None:
    first, second = parameters((4,), (3,))
    optimizer = Adam(
        [
            {"params": [first], "decoupled_weight_decay": True, "weight_decay": 0.1},
            {"params": [second], "epsilon": "outside-uncorrected", "eps": 1e-3, "betas": (0.5, 0.8)},
        ],
        lr=0.05,
    )
    claims = [
        adamcore.Adam(lr=0.05, weight_decay=0.1, decay="decoupled"),
        adamcore.Adam(lr=0.05, epsilon="outside-uncorrected", eps=1e-3, b1=0.5, b2=0.8),
    ]
    records = [Record(values([p])) for p in (first, second)]
    for t in range(8):
        grads = gradients([first, second], t)
        first.grad, second.grad = grads
        optimizer.step()
        for record, p, g in zip(records, (first, second), grads, strict=True):
            record.add([g.numpy()], values([p]))
    assert [r.judge(c).status for r, c in zip(records, claims, strict=True)] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"epsilon": "inside"}, errors.AxisError, "nearest: 'inside-"),
        ({"sparse": "rows"}, errors.AxisError, "expected 'dense' or 'lazy'"),
        ({"dialect": "torch.adamw"}, errors.DialectError, "nearest: torch.AdamW"),
        ({"lr": float("nan")}, errors.HyperparameterError, "Invalid learning rate: nan"),
        ({"lr": lambda t: 0.1}, errors.HyperparameterError, "lr_scheduler"),
        ({"betas": (0.9,)}, errors.HyperparameterError, "two numbers"),
        ({"betas": 0.9}, errors.HyperparameterError, "two numbers"),
        ({"betas": "(0.9, 0.999)"}, errors.HyperparameterError, r"'\(0.9, 0.999\)' is a string"),
        ({"eps": -1.0}, errors.HyperparameterError, "Invalid epsilon value: -1"),
        ({"decay": "l2", "decoupled_weight_decay": True}, errors.AxisError, "contradict"),
        ({"eps_root": 1e-3, "epsilon": "inside-corrected"}, errors.AxisError, "eps_root"),
        ({"epsilom": "inside"}, TypeError, "nearest: epsilon"),
    ],
)
def test_settings_without_a_meaning(settings: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Adam(parameters((2,)), **settings)
    optimizer = Adam(parameters((2,)))
    if "dialect" not in settings and "epsilom" not in settings:
        with pytest.raises(error, match=words):
            optimizer.add_param_group({"params": parameters((3,)), **settings})
        assert len(optimizer.param_groups) == 1


def test_a_setting_changed_in_the_middle_is_checked_before_anything_moves() -> None:
    p, q = parameters((2,), (3,))
    optimizer = Adam([{"params": [p]}, {"params": [q]}], lr=0.1)
    p.grad, q.grad = torch.ones(2), torch.ones(3)
    for name, value in (("betas", (0.9, 1.5)), ("decay", "decoupled"), ("missing", "never")):
        before = values([p, q])
        group = optimizer.param_groups[1]
        old = complete(group, optimizer.rules)[name]
        group[name] = value
        if name == "decay":
            group["decoupled_weight_decay"] = False
        with pytest.raises(errors.AdamcoreError):
            optimizer.step()
        group[name] = old
        assert [x.tobytes() for x in values([p, q])] == [x.tobytes() for x in before]


def test_groups_can_be_added_later() -> None:
    b, c = parameters((3,), (2,))
    optimizer = Adam([b], lr=0.1)
    advance(optimizer, [b], range(2))
    optimizer.add_param_group({"params": c, "lr": 0.5, "dialect": "keras.AdamW"})
    group = optimizer.param_groups[1]
    assert (group["lr"], group["decay"], group["eps"]) == (0.5, "decoupled", 1e-8)
    advance(optimizer, [b, c], range(1))
    assert optimizer.state_dict()["state"][0]["step"] == 3
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": [b]})


def test_dialects_of_groups_take_rules_and_leave_numbers() -> None:
    params = parameters((3,))
    optimizer = Adam([{"params": params, "dialect": "keras.Adam"}], lr=0.1, eps=1e-3)
    assert optimizer.param_groups[0]["epsilon"] == "outside-uncorrected"
    assert optimizer.param_groups[0]["eps"] == 1e-3
    assert "dialect" not in optimizer.param_groups[0]


def test_tensor_settings() -> None:
    params, again = parameters((3,)), parameters((3,))
    betas = (torch.tensor([0.5]), torch.tensor([[0.75]]))
    a = Adam(params, lr=torch.tensor([0.25]), betas=betas)
    b = Adam(again, lr=0.25, betas=(0.5, 0.75))
    for optimizer, them in ((a, params), (b, again)):
        advance(optimizer, them, range(4))
    assert bits(params) == bits(again)
    a.param_groups[0]["lr"].fill_(0.125)
    b.param_groups[0]["lr"] = 0.125
    a.param_groups[0]["betas"] = (torch.tensor(0.25), torch.tensor(0.5))
    b.param_groups[0]["betas"] = (0.25, 0.5)
    for optimizer, them in ((a, params), (b, again)):
        advance(optimizer, them, range(4, 6))
    assert bits(params) == bits(again)
    with pytest.raises(errors.HyperparameterError, match="only lr can be differentiated"):
        Adam(params, betas=(torch.tensor(0.5, requires_grad=True), torch.tensor(0.5)))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("name", ["lr", "betas", "eps", "weight_decay", "amsgrad", "maximize"])
def test_a_setting_that_is_taken_away(name: str, cached: bool) -> None:
    """None is no value of these: nothing ticks and nothing moves, in no group."""
    p, q = parameters((2,), (3,))
    optimizer = Adam([{"params": [p]}, {"params": [q]}], lr=0.1)
    advance(optimizer, [p, q], range(3 if cached else 0))
    p.grad, q.grad = torch.ones(2), torch.ones(3)
    before = bits([p, q, optimizer.state_dict()["state"]])
    optimizer.param_groups[1][name] = None
    with pytest.raises(errors.AdamcoreError, match="None"):
        optimizer.step()
    assert bits([p, q]) == before[:2]
    assert all(int(optimizer.state[x]["step"]) == 3 for x in (p, q) if cached)


@pytest.mark.parametrize("settings", [{}, {"amsgrad": True, "weight_decay": 0.1}, {"dialect": "torch.NAdam"}])
def test_a_parameter_given_twice_is_stepped_twice(settings: Any) -> None:
    """As in PyTorch, which warns: it is like a second step in which the others have no gradient."""
    p, q = parameters((2,), (3,))
    alone = parameters((2,), (3,))
    with pytest.warns(UserWarning, match="a parameter group with duplicate parameters"):
        twice = Adam((x for x in (p, q, p)), lr=0.1, **settings)
    once = Adam(alone, lr=0.1, **settings)
    for t in range(4):
        advance(twice, [p, q], range(t, t + 1))
        advance(once, alone, range(t, t + 1))
        alone[1].grad = None
        once.step()
        if t == 1:
            twice = pickle.loads(pickle.dumps(twice))  # whose parameters are others
            p, q = twice.param_groups[0]["params"][:2]
            twice.load_state_dict(twice.state_dict())
    assert bits([p, q]) == bits(alone)
    assert [int(twice.state[x]["step"]) for x in (p, q)] == [8, 4]
    twice.freeze(p)
    advance(twice, [p, q], range(1))
    assert bits(p) == bits(alone[0])


def test_a_parameter_given_twice_is_as_pytorchs() -> None:
    (p, q), (r, s) = parameters((2,), (3,)), parameters((2,), (3,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = Adam([p, q, p]), torch.optim.Adam([r, s, r])
    for t in range(3):
        advance(ours, [p, q], range(t, t + 1))
        advance(theirs, [r, s], range(t, t + 1))
    torch.testing.assert_close([p, q], [r, s], rtol=1e-6, atol=0)  # a few ULP; a step is 1e-3 of them


def test_a_parameter_given_twice_is_refused_with_one_clock() -> None:
    p, q = parameters((2,), (3,))
    optimizer = Adam([q], clock="global")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(errors.TreeError, match="1 of them once more"):
            optimizer.add_param_group({"params": [p, p]})
    assert len(optimizer.param_groups) == 1


def test_what_is_no_parameter_is_refused_as_by_pytorch() -> None:
    [p] = parameters((2,))
    for wrong in ([1], [{"params": {p}}]):
        with pytest.raises(TypeError):
            Adam(wrong)
