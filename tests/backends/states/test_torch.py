"""A state_dict of PyTorch, Apex or DeepSpeed, there and back."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
from state_samples import same, torch_run

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states import Moments, NamedState
from adamcore.backends.states.foreign import read, write
from adamcore.errors import AdamcoreError, CheckpointError, ClockError, ConversionError

torch = pytest.importorskip("torch")


TORCH: dict[str, dict[str, Any]] = {
    "torch.Adam": {"lr": 0.1, "amsgrad": True},
    "torch.AdamW": {"lr": 0.1, "weight_decay": 0.3, "betas": (0.5, 0.9)},
    "torch.NAdam": {"lr": 0.1, "momentum_decay": 0.1},
}


@pytest.mark.parametrize("name", TORCH)
def test_torch_there_and_back(name: str, tmp_path: Path) -> None:
    """Through the canonical form and its file, the state_dict is what it was, and loads."""
    kind = getattr(torch.optim, name.removeprefix("torch."))
    _, optimizer = torch_run(lambda m: kind(m.named_parameters(), **TORCH[name]))
    before = optimizer.state_dict()
    state = states.from_torch(before)
    assert state.dialect == name
    assert list(state.leaves) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    states.save(state, tmp_path / "s")
    fresh_model, fresh = torch_run(lambda m: kind(m.named_parameters(), lr=0.5), steps=0)
    fresh.load_state_dict(states.to_torch(states.load(tmp_path / "s"), fresh.state_dict()))
    after = fresh.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for i, each in before["state"].items():
        assert set(each) == set(after["state"][i])
        for key, x in each.items():
            assert after["state"][i][key].dtype == x.dtype
            assert torch.equal(after["state"][i][key], x), key
    write(state, tmp_path / "s.pt", "torch")
    same(read(tmp_path / "s.pt"), state)
    assert len(list(fresh_model.parameters())) == 4


def test_torch_names_and_groups() -> None:
    model, optimizer = torch_run(
        lambda m: torch.optim.AdamW(
            [
                {"params": [m[0].weight, m[1].weight], "weight_decay": 0.5},
                {"params": [m[0].bias, m[1].bias], "lr": 0.2},
            ],
            lr=0.1,
            weight_decay=0.0,
        )
    )
    sd = optimizer.state_dict()
    with pytest.raises(CheckpointError, match="does not name them"):
        states.from_torch(sd)
    assert list(states.from_torch(sd, by_position=True).leaves) == ["0", "1", "2", "3"]
    order = ["0.weight", "1.weight", "0.bias", "1.bias"]
    state = states.from_torch(sd, order)
    assert state.adam_of("1.weight").weight_decay == 0.5
    assert state.adam_of("1.bias").weight_decay == 0.0
    assert state.adam_of("1.bias").lr == 0.2
    again = torch.optim.AdamW(
        [{"params": [m.weight for m in model]}, {"params": [m.bias for m in model]}], lr=9.0
    )
    made_of_it = states.to_torch(state, again.state_dict(), order)
    assert [g["lr"] for g in made_of_it["param_groups"]] == [0.1, 0.2]
    one = torch.optim.AdamW(model.parameters(), lr=9.0)
    with pytest.raises(ConversionError, match="hyperparameters differ"):
        states.to_torch(state, one.state_dict(), model.named_parameters())
    with pytest.raises(CheckpointError, match="3 names for 4"):
        states.from_torch(sd, order[:3])
    with pytest.raises(CheckpointError, match="two parameters are called"):
        states.from_torch(sd, ["a", "a", "b", "c"])


def two_groups() -> tuple[Any, Any]:
    """A model whose weights decay and whose biases do not; each moment tells which gradient made it."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": 0.1}, {"params": biases}])
    for k, p in enumerate(model.parameters(), 1):
        p.grad = torch.full_like(p, k)
    optimizer.step()
    return model, optimizer


def test_the_names_of_several_groups() -> None:
    """The model's order is not the optimizer's; the optimizer itself, or a list for each group, tells it."""
    model, optimizer = two_groups()
    sd = optimizer.state_dict()
    with pytest.raises(CheckpointError, match="order is not that of the optimizer's 2 groups"):
        states.from_torch(sd, model.named_parameters())
    with pytest.raises(CheckpointError, match=r"names=\[\[names of the first group\], ...\]; or give the"):
        states.from_torch(sd)
    lists = [["0.weight", "1.weight"], ["0.bias", "1.bias"]]
    for state in (states.from_torch(optimizer, model.named_parameters()), states.from_torch(sd, lists)):
        for name, p in model.named_parameters():
            assert torch.equal(torch.tensor(state.leaves[name].m), optimizer.state[p]["exp_avg"]), name
        assert state.adam_of("0.weight").weight_decay == 0.1
    made = states.to_torch(state, optimizer, model.named_parameters())
    for i, each in sd["state"].items():
        assert torch.equal(made["state"][i]["exp_avg"], each["exp_avg"])
    with pytest.raises(CheckpointError, match=r"groups of \[1, 3\] parameters: expected \[2, 2\]"):
        states.from_torch(sd, [["0.weight"], ["1.weight", "0.bias", "1.bias"]])
    other = torch.nn.Linear(3, 3)
    with pytest.raises(CheckpointError, match="none of the names belongs to"):
        states.from_torch(optimizer, other.named_parameters())


def test_shapes_that_contradict_the_names() -> None:
    model, optimizer = torch_run(lambda m: torch.optim.Adam(list(m.parameters())[::-1]))
    with pytest.raises(CheckpointError, match=r"the names are not in the optimizer's order"):
        states.from_torch(optimizer.state_dict(), model.named_parameters())
    state = states.from_torch(optimizer, model.named_parameters())
    bent = NamedState(
        state.adam,
        {n: Moments(1, x.m.T.copy(), x.v.T.copy()) for n, x in state.leaves.items()},
        dialect="torch.Adam",
    )
    with pytest.raises(CheckpointError, match="its moments"):
        states.to_torch(bent, optimizer, model.named_parameters())


def test_torch_that_it_can_t_hold() -> None:
    _, optimizer = torch_run(lambda m: torch.optim.AdamW(m.named_parameters()))
    sd = optimizer.state_dict()
    state = states.from_torch(sd)
    late = NamedState(
        state.adam, {n: Moments(2**24 + 1, x.m, x.v) for n, x in state.leaves.items()}, dialect="torch.AdamW"
    )
    with pytest.raises(ConversionError, match=r"2\*\*24"):
        states.to_torch(late, sd)
    hat = NamedState(Adam.like("keras.Adam"), state.leaves, dialect="torch.AdamW")
    with pytest.raises(ConversionError, match="epsilon"):
        states.to_torch(hat, sd)
    sd["state"][0]["step"] = torch.tensor(3.5)
    with pytest.raises(ClockError, match="whole number"):
        states.from_torch(sd)
    with pytest.raises(CheckpointError, match="no state_dict"):
        states.from_torch({"weight": 1})
    with pytest.raises(CheckpointError, match="ds_to_universal"):
        states.from_torch({"base_optimizer_state": {}, "single_partition_of_fp32_groups": []})
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    with pytest.raises(CheckpointError, match="does not tell whose"):
        states.from_torch(sgd.state_dict(), ["a"])


def test_apex_and_deepspeed_are_told_by_their_keys() -> None:
    group = {
        "lr": 0.1,
        "bias_correction": True,
        "betas": (0.9, 0.99),
        "eps": 1e-8,
        "weight_decay": 0.1,
        "params": [0, 1],
    }
    each = [{"exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2)} for _ in range(2)]
    apex = states.from_torch(
        {"state": dict(enumerate(each)), "param_groups": [group | {"step": 5}]}, ["a", "b"]
    )
    assert (apex.dialect, apex.one_clock(), apex.adam.decay) == ("apex.FusedAdam", 5, "decoupled")
    back = states.to_torch(apex, {"state": {}, "param_groups": [group | {"step": 0}]}, ["a", "b"])
    assert back["param_groups"][0]["step"] == 5
    assert "step" not in back["state"][0]
    deepspeed = {"state": {i: x | {"step": 5 + i} for i, x in enumerate(each)}, "param_groups": [group]}
    state = states.from_torch(deepspeed, ["a", "b"])
    assert (state.dialect, [x.t for x in state.leaves.values()]) == ("deepspeed.FusedAdam", [5, 6])
    uneven = NamedState(apex.adam, state.leaves, dialect="apex.FusedAdam")
    with pytest.raises(ConversionError, match="clocks in group 0 differ"):
        states.to_torch(uneven, {"state": {}, "param_groups": [group | {"step": 0}]}, ["a", "b"])


VALUES: list[Any] = [
    *(None, "x", b"x", 3, -1, 2**40, float("nan"), [], {}, [1], (1, 2, 3), {"a": 1}),
    *(torch.ones(0), torch.ones(5, 5), torch.tensor(True), torch.ones(2, 3).to(torch.float8_e4m3fn)),
    torch.ones(3).to_sparse(),
]  #: what may stand in a damaged or an unknown state_dict


def places(node: Any) -> list[tuple[Any, Any]]:
    """Return every container and key below a node."""
    items = list(
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else []
    )
    return [place for key, value in items for place in ((node, key), *places(value))]


@pytest.mark.parametrize("quantised", [False, True])
def test_a_damaged_state_dict_is_an_error_of_ours(quantised: bool) -> None:
    """Every value in it in turn is gone, or is something else."""
    _, optimizer = torch_run(lambda m: torch.optim.NAdam(m.parameters()), steps=1)

    def fresh() -> dict[str, Any]:
        sd: dict[str, Any] = copy.deepcopy(optimizer.state_dict())
        for each in sd["state"].values() if quantised else ():
            codes = torch.zeros_like(each.pop("exp_avg"), dtype=torch.uint8)
            each |= {"state1": codes, "qmap1": torch.zeros(256), "absmax1": torch.ones(1)}
            each["state2"] = each.pop("exp_avg_sq")
        return sd

    ends = {"read": 0, "refused": 0}
    for k in range(len(places(fresh()))):
        for value in (*VALUES, KeyError):
            sd = fresh()
            container, key = places(sd)[k]
            if value is not KeyError:
                container[key] = value
            else:
                del container[key]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    state = states.from_torch(sd, by_position=True, dialect="torch.NAdam")
                    if not quantised:  # to write codes needs their optimizer
                        states.to_torch(state, sd, by_position=True)
                ends["read"] += 1
            except AdamcoreError:
                ends["refused"] += 1
    assert min(ends.values()) > 50, ends


@pytest.mark.parametrize("more", [{"projector": object()}, {"s": torch.ones(9), "p0": torch.ones(9)}])
def test_what_is_no_part_of_an_adam_is_named(more: dict[str, Any]) -> None:
    """GaLore's projector, Prodigy's distances: they went away without a word where a dialect was given."""
    _, optimizer = torch_run(lambda m: torch.optim.AdamW(m.named_parameters()))
    before, plain = optimizer.state_dict(), states.from_torch(optimizer)
    for i in 0, 2:
        before["state"][i] |= more
    words = rf"left out: '{next(iter(more))}'.* of 2 parameters \('0.weight', '1.weight'\)"
    with pytest.warns(UserWarning, match=words):
        state = states.from_torch(before, dialect="torch.AdamW")
    same(state, plain)
