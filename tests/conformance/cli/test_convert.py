"""`adamcore convert`, from a file of PyTorch's to the arrays of another library."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from state_samples import made, same, torch_run

from adamcore.backends.states import load, save
from adamcore.backends.states.foreign import FORMATS, write
from adamcore.conformance.cli import main


@pytest.mark.parametrize(
    ("name", "kind", "ends"),
    [
        ("run.npz", "adamcore", ".safetensors"),
        ("run.PT", "optax", ".safetensors or .npz"),
        ("run.msgpack", "optax", ".safetensors or .npz"),
        ("run.safetensors", "torch", ".pt or .pth"),
    ],
)
def test_a_name_of_another_kind_of_file_is_refused(
    name: str, kind: str, ends: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / name
    assert main(["convert", "never-read.pt", str(target), "--to", kind]) == 2
    assert f"the format {kind} is not written as {target.suffix.lower()}: expected a name in {ends}" in (
        capsys.readouterr().err
    )
    assert not target.exists()


def test_convert_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    _, optimizer = torch_run(lambda m: torch.optim.AdamW(m.parameters()))
    torch.save({"optimizer": optimizer.state_dict()}, tmp_path / "run.pt")
    (tmp_path / "names").write_text("0.weight 0.bias 1.weight 1.bias")
    (tmp_path / "map.json").write_text(
        json.dumps(
            {
                "a.kernel": {"from": "0.weight", "axes": [1, 0]},
                "a.bias": "0.bias",
                "b.kernel": "1.weight",
                "b.bias": "1.bias",
            }
        )
    )
    source, target = str(tmp_path / "run.pt"), str(tmp_path / "out.npz")
    assert main(["convert", source, target, "--to", "optax"]) == 1
    assert "--names" in capsys.readouterr().err
    named = ["--names", str(tmp_path / "names"), "--map", str(tmp_path / "map.json")]
    assert main(["convert", source, target, "--to", "optax", "--as", "optax.adamw", *named]) == 0
    assert "4 parameters, optax.adamw, t=4" in capsys.readouterr().out
    flat = np.load(target)
    assert flat["mu.a.kernel"].shape == (3, 2)
    assert main(["convert", source, target, "--to", "keras", "--as", "keras.AdamW", *named]) == 1
    assert "--accept epsilon" in capsys.readouterr().err
    accepted = ["--accept", "epsilon", "--to", "keras", "--as", "keras.AdamW"]
    assert main(["convert", source, target, *accepted, *named]) == 0
    assert main(["convert", source, target, "--to", "jax"]) == 2
    assert set(FORMATS) >= {"adamcore", "torch", "optax", "keras", "tf1", "paddle", "mlx"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--accept", "nonsense"], "--accept nonsense: expected names among epsilon"),
        (["--t", "-5"], "--t -5: expected a whole number"),
        (["--clock", "x"], "--clock x: expected max, min or a whole number"),
        (["--clock", "-1"], "--clock -1: expected"),
        (["--clock", "9" * 30], "expected max, min"),
        (["--from", "nonsense"], "--from nonsense: expected one of"),
        (["--dialect", "nonsense"], "nonsense"),
        (["--set", "nonsense=1"], "--set nonsense: expected one of lr"),
        (["--set", "b1=2"], "b1=2"),
        (["--set", "decay=no"], "decay='no'"),
        (["--names", "no such file"], "--names no such file"),
        (["--map", "no such file"], "--map no such file: No such file or directory\n"),
        (["--names", sys.executable], "expected a text file in UTF-8"),
    ],
)
def test_wrong_usage(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told before the source is looked for, which is not there."""
    target = tmp_path / "out.safetensors"
    assert main(["convert", str(tmp_path / "none"), str(target), *options]) == 2
    assert said in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[1]", "expected an object"),
        ('{"a": 1}', "'a' is given 1"),
        ('{"a": {"axes": [1, 0]}}', "'a' is given"),
        ('{"a": {"from": "b", "axes": "10"}}', "'a' is given"),
        ('{"a": {"from": "b", "axis": [1, 0]}}', "'a' is given"),
        ('{"a": {"from": "b", "stack": 0}}', "stack needs several arrays"),
        ('{"a": {"from": "b", "unstack": 0}}', "expected a new name with {}"),
        ('{"a.{}": {"from": "b", "split": 0}}', "split needs the sizes"),
    ],
)
def test_a_broken_map(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "map").write_text(text)
    assert main(["convert", "none", str(tmp_path / "out"), "--map", str(tmp_path / "map")]) == 2
    assert said in capsys.readouterr().err


def test_a_map_that_is_none_of_this_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(made(), tmp_path / "s.npz", "mlx")
    old = list(made().leaves)
    shape = list(made().leaves[old[0]].m.shape)
    (tmp_path / "map").write_text(json.dumps({"a": {"from": old[0], "axes": [7] * len(shape)}}))
    assert (
        main(["convert", str(tmp_path / "s.npz"), str(tmp_path / "t"), "--map", str(tmp_path / "map")]) == 1
    )
    assert "axes=" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_model_of_keras_is_no_destination(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"a model")
    assert main(["convert", "none", str(tmp_path / name), "--to", "keras"]) == 2
    assert "to_keras" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"a model"


@pytest.mark.parametrize("layout", ["optax", "keras", "paddle", "mlx"])
def test_pytorch_is_told_which_adam_it_was(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """AdamW's arrays have the names of Adam's: guessed, its weight decay would be lost."""
    torch = pytest.importorskip("torch")
    write(made(), tmp_path / "s.npz", layout)
    command = [
        "convert",
        str(tmp_path / "s.npz"),
        str(tmp_path / "t.pt"),
        "--to",
        "torch",
        "--set",
        "b2=0.999",
    ]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "--dialect" in said
    rows = {"optax": "optax.adamw", "keras": "keras.AdamW", "paddle": "paddle.AdamW", "mlx": "mlx.AdamW"}
    assert rows[layout] in said
    assert not (tmp_path / "t.pt").exists()
    if layout == "optax":
        assert main([*command, "--dialect", "optax.adamw", "--set", "weight_decay=0.3"]) == 0
        (group,) = torch.load(tmp_path / "t.pt")["param_groups"]
        assert group["decoupled_weight_decay"] is True
        assert group["weight_decay"] == 0.3


def test_what_the_file_tells_is_not_told_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--set and --t were ignored for such a file."""
    write(made(), tmp_path / "s", "adamcore")
    for given in (["--set", "b2=0.5"], ["--t", "3"]):
        assert main(["convert", str(tmp_path / "s"), str(tmp_path / "t"), *given]) == 1
        assert "tells its own" in capsys.readouterr().err


def test_scanned_layers_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Layers of PyTorch's stacked in one array, as maxtext has them; another order of clocks is an error."""
    leaves = {f"h.{k}.w": made().leaves["a.w"] for k in range(3)}
    state = replace(made(), leaves=leaves)
    save(state, tmp_path / "s")
    (tmp_path / "there").write_text(json.dumps({"scan.w": {"from": "h.{}.w", "axes": [1, 0], "stack": 1}}))
    (tmp_path / "back").write_text(json.dumps({"h.{}.w": {"from": "scan.w", "unstack": 1, "axes": [1, 0]}}))
    for source, target, given in (("s", "t", "there"), ("t", "u", "back")):
        command = ["convert", str(tmp_path / source), str(tmp_path / target), "--map", str(tmp_path / given)]
        assert main(command) == 0
    assert load(tmp_path / "t").leaves["scan.w"].m.shape == (3, 3, 2)
    same(load(tmp_path / "u"), state)
    save(replace(state, leaves=leaves | {"h.1.w": replace(leaves["h.1.w"], t=9)}), tmp_path / "s")
    assert main(["convert", str(tmp_path / "s"), str(tmp_path / "x"), "--map", str(tmp_path / "there")]) == 1
    assert "the clocks of 'h.0.w' and 'h.1.w' differ (7, 9)" in capsys.readouterr().err


def test_like_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The order of a model's names; what goes by position is said."""
    torch = pytest.importorskip("torch")
    model, optimizer = torch_run(
        lambda m: torch.optim.AdamW(
            [{"params": [m[0].weight, m[1].weight]}, {"params": [m[0].bias, m[1].bias]}]
        )
    )
    torch.save({"optimizer_states": [optimizer.state_dict()]}, tmp_path / "run.ckpt")
    torch.save({"state_dict": model.state_dict()}, tmp_path / "model.pt")
    command = ["convert", str(tmp_path / "run.ckpt"), str(tmp_path / "out"), "--by-position"]
    assert main([*command, "--like", str(tmp_path / "model.pt")]) == 0
    assert "note: matched by their shapes: 4 parameters" in capsys.readouterr().err
    state = load(tmp_path / "out")
    assert list(state.leaves) == list(model.state_dict())
    for name, p in model.named_parameters():
        assert torch.equal(torch.tensor(state.leaves[name].m), optimizer.state[p]["exp_avg"]), name
    assert main([*command, "--like", str(tmp_path / "nothing")]) == 1
    assert "nothing can't be read" in capsys.readouterr().err


def test_one_of_several_optimizers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    contents = [
        torch_run(lambda m: torch.optim.Adam(m.parameters()), steps=k)[1].state_dict() for k in (1, 2)
    ]
    torch.save({"optimizer_states": contents}, tmp_path / "gan.ckpt")
    command = ["convert", str(tmp_path / "gan.ckpt"), str(tmp_path / "out"), "--by-position"]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "optimizer_states.0: 4 parameters" in said
    assert "--key KEY" in said
    assert main([*command, "--key", "optimizer_states.1"]) == 0
    assert "4 parameters, torch.Adam, t=2" in capsys.readouterr().out


def test_what_is_left_out_is_a_line_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    adam = {"step": 3, "exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2)}
    group = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "params": [1]}
    content = {
        "state": {0: {"momentum_buffer": torch.ones(2, 2)}, 1: adam},
        "param_groups": [{"params": [0], "lr": 0.02}, group],
    }
    torch.save(content, tmp_path / "muon.pt")
    command = ["convert", str(tmp_path / "muon.pt"), str(tmp_path / "out"), "--by-position"]
    assert main([*command, "--dialect", "torch.AdamW"]) == 0
    out, err = capsys.readouterr()
    assert "1 parameters, torch.AdamW, t=3" in out
    assert err.startswith(
        "adamcore: note: left out: 1 parameters whose state is no Adam's ('0'; they have 'mom"
    )
    assert err.count("\n") == 1


def test_what_the_target_has_no_place_for_is_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")

    def in_groups(model: Any) -> Any:
        first, *others = model.parameters()
        return torch.optim.AdamW([{"params": [first], "weight_decay": 0.1}, {"params": others}])

    torch.save(torch_run(in_groups)[1].state_dict(), tmp_path / "run.pt")
    command = ["convert", str(tmp_path / "run.pt"), str(tmp_path / "out.npz"), "--to", "optax"]
    assert main([*command, "--by-position"]) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("adamcore: note: left out: weight_decay of ")
