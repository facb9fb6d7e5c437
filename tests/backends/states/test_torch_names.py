"""The names of parameters: the state_dict's own are believed, and others are matched with them."""

from __future__ import annotations

from typing import Any

import pytest
from state_samples import same, torch_run

from adamcore.backends import states
from adamcore.backends.states.torch_names import names_of, own_names
from adamcore.errors import CheckpointError

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("flatten", [False, True])
def test_a_state_dict_keyed_by_names(flatten: bool) -> None:
    """As PyTorch itself makes them, with two groups of other settings, and AMSGrad."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    model, optimizer = torch_run(
        lambda m: torch.optim.AdamW(
            [
                {"params": [m[0].weight, m[1].weight], "weight_decay": 0.5},
                {"params": [m[0].bias, m[1].bias], "lr": 0.25, "weight_decay": 0.0},
            ],
            lr=0.1,
            amsgrad=True,
        )
    )
    expected = states.from_torch(optimizer, model.named_parameters())
    options = StateDictOptions(full_state_dict=True, flatten_optimizer_state_dict=flatten)
    named = get_optimizer_state_dict(model, optimizer, options=options)
    state = states.from_torch(named)
    assert state.dialect == "torch.AdamW"
    assert state.adam.amsgrad == "uncorrected"
    assert state.adam_of("1.weight").weight_decay == 0.5
    assert (state.adam_of("1.bias").weight_decay, state.adam_of("1.bias").lr) == (0.0, 0.25)
    ordered = states.NamedState(
        state.adam, {n: state.leaves[n] for n in expected.leaves}, state.special, state.dialect
    )
    same(ordered, expected)
    back = states.to_torch(state, named)
    assert set(back["state"]) == set(expected.leaves)
    again = states.from_torch(back, model.named_parameters())
    assert {n: x.m.tolist() for n, x in again.leaves.items()} == {
        n: x.m.tolist() for n, x in expected.leaves.items()
    }


def test_given_names_are_matched_with_the_own_ones() -> None:
    """Not by position: the order of the model is not that of the optimizer."""
    model, optimizer = torch_run(lambda m: torch.optim.Adam(list(m.named_parameters())[::-1]))
    sd = optimizer.state_dict()
    for given in (None, model.named_parameters(), [name for name, _ in model.named_parameters()]):
        state = states.from_torch(sd, given)
        for name, p in model.named_parameters():
            assert torch.equal(torch.tensor(state.leaves[name].m), optimizer.state[p]["exp_avg"]), name
    assert list(states.from_torch(sd, ["d", "c", "b", "a"]).leaves) == ["d", "c", "b", "a"]
    with pytest.raises(CheckpointError, match=r"names given are others: without '1.weight'"):
        states.from_torch(sd, ["0.weight", "0.bias", "1.bias", "x"])
    bigger = torch.nn.Sequential(*model, torch.nn.Linear(1, 1))  # of which only a part is trained
    assert set(states.from_torch(sd, bigger.named_parameters()).leaves) == {
        n for n, _ in model.named_parameters()
    }
    other = torch.nn.Sequential(torch.nn.Linear(5, 2), torch.nn.Linear(2, 1))
    with pytest.raises(CheckpointError, match=r"0.weight has shape \(2, 5\)"):
        states.from_torch(sd, other.named_parameters())


def test_ids_that_are_names() -> None:
    def groups(*ids: Any) -> list[dict[str, Any]]:
        return [{"params": list(ids)}]

    assert own_names(groups("a.w", "0")) == ["a.w", "0"]
    assert own_names(groups("0", "1")) is None  # numbers that went through JSON
    assert own_names(groups()) == []
    assert own_names([{"params": [0, 1], "param_names": ["a", "b"]}]) == ["a", "b"]
    assert own_names([{"params": [0, 1], "param_names": ["a"]}]) is None
    assert names_of(groups("x", "y"), None, True, {}) == {"x": "0", "y": "1"}
