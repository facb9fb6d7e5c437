"""Parameters of a torch optimizer that stand still, and states that start anew (F1 to F6)."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from replay import Record
from torch_runs import advance, bits, gradients, parameters, through_a_file, values

import adamcore
from adamcore import errors
from adamcore.backends.torch import Adam
from adamcore.backends.torch.optimizer.freeze import frozen_params


def test_an_absent_gradient_leaves_everything() -> None:
    """F1, and not even a state is made; a zero gradient is a gradient (F2)."""
    b, c = parameters((3,), (2,))
    optimizer = Adam([b, c], lr=0.1, weight_decay=0.1)
    before = c.detach().clone()
    b.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(c, before)
    assert c not in optimizer.state
    c.grad = torch.ones(2)
    optimizer.step()
    state = bits(optimizer.state[c])
    before, c.grad = c.detach().clone(), None
    optimizer.step()
    assert torch.equal(c, before)
    assert bits(optimizer.state[c]) == state
    c.grad = torch.zeros(2)
    optimizer.step()
    assert not torch.equal(c, before)
    assert optimizer.state[c]["step"] == 2


@pytest.mark.parametrize("how", ["keep", "reset"])
def test_freeze_and_thaw(how: Any) -> None:
    """C stands still although it has gradients, then goes on, or anew: each within its bound (F5)."""
    b, c = parameters((3,), (2,))
    optimizer = Adam([b, c], lr=0.1, weight_decay=0.1)
    record = Record(values([c]))
    advance(optimizer, [b, c], range(3))
    first = values([c])
    optimizer.freeze(c)
    advance(optimizer, [b, c], range(3, 6))
    assert values([c])[0].tobytes() == first[0].tobytes()
    assert optimizer.state_dict()["param_groups"][0]["frozen"] == (1,)

    resumed = Adam([b, c], lr=0.1, weight_decay=0.1)
    resumed.load_state_dict(through_a_file(optimizer.state_dict()))
    resumed.thaw(c, how=how)
    assert frozen_params(resumed.param_groups[0]) == []
    if how == "reset":
        record = Record(first)
    else:
        replay, again = parameters((3,), (2,)), Adam
        other = again(replay, lr=0.1, weight_decay=0.1)
        for t in range(3):
            advance(other, replay, range(t, t + 1))
            record.add([gradients(replay, t)[1].numpy()], values(replay[1:]))
    for t in range(6, 12):
        advance(resumed, [b, c], range(t, t + 1))
        record.add([gradients([b, c], t)[1].numpy()], values([c]))
    result = record.judge(adamcore.Adam(lr=0.1, weight_decay=0.1))
    assert result.status == "passed", result


def test_reset_takes_the_clock_too() -> None:
    params = parameters((3,), (2,))
    optimizer = Adam(params, lr=0.1, amsgrad=True)
    advance(optimizer, params, range(4))
    tensors = [id(x) for x in optimizer.state[params[1]].values()]
    optimizer.reset([params[1]])
    assert [id(x) for x in optimizer.state[params[1]].values()] == tensors
    assert all(not x.any() for x in optimizer.state[params[1]].values())
    assert optimizer.state[params[0]]["step"] == 4
    optimizer.reset(clock="keep")
    assert optimizer.state[params[0]]["step"] == 4
    assert not optimizer.state[params[0]]["exp_avg"].any()


def test_names_stand_for_parameters() -> None:
    b, c = parameters((3,), (2,))
    optimizer = Adam([("b", b), ("c", c)])
    optimizer.freeze(["c"])
    assert optimizer.state_dict()["param_groups"][0]["frozen"] == (1,)
    optimizer.thaw()
    assert frozen_params(optimizer.param_groups[0]) == []
    for stranger in ("d", c.detach(), 3):
        with pytest.raises(errors.ParameterError, match=r"params\[0\]"):
            optimizer.freeze([stranger])  # type: ignore[list-item]
    with pytest.raises(errors.StateError, match="'keep' or 'reset'"):
        optimizer.thaw(c, how="melt")  # type: ignore[arg-type]


def test_a_global_clock_ticks_for_what_is_frozen() -> None:
    """F6; and to reset a part of what shares it is an error (F4)."""
    params = parameters((3,), (2,))
    optimizer = Adam(params, clock="global")
    optimizer.freeze(params[1])
    advance(optimizer, params, range(3))
    assert "step" not in optimizer.state[params[0]]
    assert optimizer.state_dict()["state"][0]["step"] == 3
    with pytest.raises(errors.StateError, match="name them all"):
        optimizer.reset(params[1])
    optimizer.reset(params[0], clock="keep")
    optimizer.reset()
    assert optimizer.param_groups[0]["step"] == 0


@pytest.mark.parametrize(("all_missing", "steps"), [("tick", 3), ("hold", 1), ("error", None)])
def test_all_missing(all_missing: str, steps: int | None) -> None:
    params = parameters((3,))
    optimizer = Adam(params, clock="global", all_missing=all_missing)
    advance(optimizer, params, range(1))
    optimizer.zero_grad()
    if steps is None:
        with pytest.raises(errors.MissingGradientError, match="no gradient at all"):
            optimizer.step()
        return
    optimizer.step()
    optimizer.step()
    assert optimizer.param_groups[0]["step"] == steps


def test_missing_is_zero_or_an_error() -> None:
    b, c = parameters((3,), (2,))
    optimizer = Adam([{"params": [b]}, {"params": [c], "missing": "error"}], missing="zero", weight_decay=0.1)
    before = values([b, c])
    with pytest.raises(errors.MissingGradientError, match=r"param_groups\[1\]\['params'\]\[0\]"):
        optimizer.step()
    assert [x.tobytes() for x in values([b, c])] == [x.tobytes() for x in before]
    c.grad = torch.zeros(2)
    optimizer.step()
    assert optimizer.state[b]["step"] == 1


EDITS: dict[str, Any] = {
    "the first taken away": lambda group, a, b, c: group.__setitem__("params", [b, c]),
    "in another order": lambda group, a, b, c: group["params"].reverse(),
    "one put before": lambda group, a, b, c: group["params"].insert(0, torch.nn.Parameter(torch.ones(1))),
    "the first deleted in the list": lambda group, a, b, c: group["params"].pop(0),
}


@pytest.mark.parametrize("how", ["as it is", "through a file", "pickled", "copied"])
@pytest.mark.parametrize("edit", EDITS)
def test_a_frozen_parameter_stays_frozen_when_its_group_is_edited(edit: str, how: str) -> None:
    """The tensor is frozen, not its place in the list; step cache or not."""
    a, b, c = parameters((1,), (2,), (3,))
    optimizer = Adam([("a", a), ("b", b), ("c", c)], lr=0.1)
    advance(optimizer, [a, b, c], range(2))
    optimizer.freeze("b")
    advance(optimizer, [a, b, c], range(2, 4))
    if how == "pickled":
        optimizer, a, b, c = pickle.loads(pickle.dumps((optimizer, a, b, c)))
    elif how == "copied":
        optimizer, a, b, c = copy.deepcopy((optimizer, a, b, c))
    EDITS[edit](optimizer.param_groups[0], a, b, c)
    if how == "through a file":
        again = Adam(optimizer.param_groups[0]["params"])
        again.load_state_dict(through_a_file(optimizer.state_dict()))
        optimizer = again
    before = values([b, c])
    advance(optimizer, [a, b, c], range(4, 8))
    assert values([b])[0].tobytes() == before[0].tobytes()
    assert values([c])[0].tobytes() != before[1].tobytes()
    optimizer.thaw(b)
    advance(optimizer, [a, b, c], range(8, 9))
    assert values([b])[0].tobytes() != before[0].tobytes()


def test_a_state_dict_thaws_what_was_not_frozen_then() -> None:
    """And PyTorch's, which knows nothing of freezing, changes nothing."""
    [p] = parameters((3,))
    optimizer, theirs = Adam([p]), torch.optim.Adam([p])
    saved = optimizer.state_dict()
    optimizer.freeze(p)
    optimizer.load_state_dict(theirs.state_dict())
    assert [x is p for x in frozen_params(optimizer.param_groups[0])] == [True]
    optimizer.load_state_dict(saved)
    assert frozen_params(optimizer.param_groups[0]) == []


def test_frozen_parameters_are_not_printed() -> None:
    optimizer = Adam(parameters((300, 300)))
    optimizer.freeze(optimizer.param_groups[0]["params"])
    assert "frozen: (0,)" in repr(optimizer)
    assert "tensor(" not in repr(optimizer)


def test_modules_and_the_start_of_names() -> None:
    model = torch.nn.ModuleDict(
        {"a": torch.nn.Linear(2, 2), "ab": torch.nn.Linear(2, 1), "c": torch.nn.ReLU()}
    )
    optimizer = Adam(model.named_parameters())

    def frozen() -> list[str]:
        found = {id(p) for p in frozen_params(optimizer.param_groups[0])}
        return [name for name, p in model.named_parameters() if id(p) in found]

    optimizer.freeze("a")  # not "ab"
    assert frozen() == ["a.weight", "a.bias"]
    optimizer.thaw(model["a"])
    assert frozen() == []
    optimizer.freeze([model["ab"], "a.bias"])
    assert frozen() == ["a.bias", "ab.weight", "ab.bias"]
    optimizer.thaw(model)
    assert frozen() == []
    for stranger in (model["c"], torch.nn.Linear(1, 1), "a.", "b"):
        with pytest.raises(errors.ParameterError, match="no parameter of this optimizer"):
            optimizer.freeze(stranger)
