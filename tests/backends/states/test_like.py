"""A state in the order of a target: by names, by shapes, and by position only where neither can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from state_samples import torch_run

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states import Moments, NamedState
from adamcore.backends.states.files import save
from adamcore.backends.states.foreign import read, write
from adamcore.backends.states.like import Target, arranged_like, read_target
from adamcore.errors import CheckpointError

SHAPES: dict[str, tuple[int, ...]] = {"a.w": (3, 2), "a.b": (2,), "c.w": (2, 4), "c.b": (2,)}


def state_of(shapes: dict[str, tuple[int, ...]] = SHAPES) -> NamedState:
    """Return a state whose moments tell which parameter they are of."""
    leaves = {n: Moments(3, np.full(s, k), np.ones(s)) for k, (n, s) in enumerate(shapes.items())}
    return NamedState(Adam(), leaves, {"c.b": {"lr": 0.5}} if "c.b" in leaves else {})


def whose(state: NamedState) -> dict[str, float]:
    return {name: float(leaf.m.flat[0]) for name, leaf in state.leaves.items()}


def test_names_decide() -> None:
    target = Target(["c.b", "frozen", "c.w", "a.b", "a.w"], dict(SHAPES))
    state, notes = arranged_like(state_of(), target)
    assert list(whose(state).items()) == [("c.b", 3), ("c.w", 2), ("a.b", 1), ("a.w", 0)]
    assert state.special == {"c.b": {"lr": 0.5}}
    assert notes == ["1 names of the target have no state: 'frozen'"]
    with pytest.raises(CheckpointError, match=r"has no 'a.b', 'c.b', and has 2 of the other names"):
        arranged_like(state_of(), Target(["a.w", "c.w", "x"], {}))
    with pytest.raises(CheckpointError, match=r"a.w has shape \(2, 3\) in the target .*its moments \(3, 2\)"):
        arranged_like(state_of(), Target(list(SHAPES), {"a.w": (2, 3)}))


def test_shapes_decide_where_names_do_not() -> None:
    """Decay and no-decay groups, as trainers make them, into the order of the model."""
    numbered = state_of({"0": (3, 2), "1": (2, 4), "2": (2,), "3": (2,)})
    target = Target(list(SHAPES), SHAPES)
    with pytest.raises(CheckpointError, match=r"2 parameters have a shape that others have too \('2', '3'\)"):
        arranged_like(numbered, target)
    state, notes = arranged_like(numbered, target, by_position=True)
    assert whose(state) == {"a.w": 0, "a.b": 2, "c.w": 1, "c.b": 3}
    assert notes == [
        "matched by their shapes: 2 parameters",
        "of the same shape as others, matched in their order: '2', '3'",
    ]
    with pytest.raises(CheckpointError, match=r"1 parameters of shape \(5,\) \('0'\), and 0 in the target"):
        arranged_like(state_of({"0": (5,)}), target, by_position=True)
    state, notes = arranged_like(numbered, Target(["k", "l", "m", "n"], {}), by_position=True)
    assert whose(state) == {"k": 0, "l": 1, "m": 2, "n": 3}
    assert notes == ["matched by their position alone: 4 parameters"]
    with pytest.raises(CheckpointError, match="so do the shapes"):
        arranged_like(numbered, Target(["k"], {}), by_position=True)


def test_what_a_target_can_be(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a.w\na.b\n", encoding="utf-8")
    assert read_target(tmp_path / "names.txt") == Target(["a.w", "a.b"], {})
    save(state_of(), tmp_path / "s")
    assert read_target(tmp_path / "s") == Target(list(SHAPES), SHAPES)
    (tmp_path / "other").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match=r"other tells no order \(--like\)"):
        read_target(tmp_path / "other")
    torch = pytest.importorskip("torch")
    weights = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    torch.save({"model": weights, "epoch": 3}, tmp_path / "model.pt")
    assert read_target(tmp_path / "model.pt") == Target(list(SHAPES), SHAPES)
    from safetensors.torch import save_file

    save_file(weights, tmp_path / "model.safetensors")
    assert read_target(tmp_path / "model.safetensors").shapes == SHAPES
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="neither an optimizer nor weights"):
        read_target(tmp_path / "none.pt")


def test_the_groups_of_a_target_of_pytorch(tmp_path: Path) -> None:
    """A state goes into the groups of another optimizer, which numbers its parameters in another order."""
    torch = pytest.importorskip("torch")

    def grouped(m: Any) -> Any:
        weights, biases = [m[0].weight, m[1].weight], [m[0].bias, m[1].bias]
        groups = [{"params": weights, "weight_decay": 0.5}, {"params": biases, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=0.1)

    model, optimizer = torch_run(grouped)
    source = states.from_torch(optimizer, model.named_parameters())
    _, fresh = torch_run(grouped, steps=1)
    torch.save({"optimizer": fresh.state_dict()}, tmp_path / "fresh.pt")
    target = read_target(tmp_path / "fresh.pt")
    assert (target.names, target.numbered) == (["0", "1", "2", "3"], True)
    assert target.shapes == {"0": (2, 3), "1": (1, 2), "2": (2,), "3": (1,)}
    state, _ = arranged_like(source, target)
    write(state, tmp_path / "out.pt", "torch", like=target.state_dict)
    loaded = torch.load(tmp_path / "out.pt", weights_only=True)
    fresh.load_state_dict(loaded)
    for i, each in optimizer.state_dict()["state"].items():
        assert torch.equal(fresh.state_dict()["state"][i]["exp_avg"], each["exp_avg"])
    assert [group["weight_decay"] for group in loaded["param_groups"]] == [0.5, 0.0]
    assert read(tmp_path / "out.pt", by_position=True).one_clock() == 4
