"""Flat dictionaries of arrays, named as each library names them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from state_samples import made, same

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states.foreign import read, write
from adamcore.backends.states.layouts import detect_layout
from adamcore.conformance.cli import main
from adamcore.errors import CheckpointError, ConversionError


@pytest.mark.parametrize("layout", states.LAYOUTS)
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_layouts_there_and_back(layout: str, ending: str, tmp_path: Path) -> None:
    state = made()
    path = tmp_path / f"s.{ending}"
    write(state, path, layout)
    numbered = states.LAYOUTS[layout].numbered
    names = list(state.leaves) if numbered else None
    same(read(path, names=names, hyper={"b1": 0.9, "b2": 0.999}), state)
    (tmp_path / "names").write_text("\n".join(state.leaves))
    named = ["--names", str(tmp_path / "names")] * numbered
    assert main(["convert", str(path), str(tmp_path / "t"), "--set", "b2=0.999", *named]) == 0
    same(states.load(tmp_path / "t"), state)


def test_paddle_keeps_a_clock_for_each() -> None:
    uneven = made(ts=(3, 900))
    same(states.from_flat(states.to_flat(uneven, "paddle"), "paddle"), uneven)
    for layout in set(states.LAYOUTS) - {"paddle"}:
        with pytest.raises(ConversionError, match="clocks differ"):
            states.to_flat(uneven, layout)


def gan() -> dict[str, Any]:
    """Two optimizers in one file of TensorFlow 1: 25 steps of one, 5 of the other."""
    z = np.zeros(2, np.float32)
    flat: dict[str, Any] = {f"{net}/w/{slot}": z for net in "dg" for slot in ("Adam", "Adam_1")}
    for end, t in (("", 25), ("_1", 5)):
        flat |= {f"beta{k}_power{end}": np.float32(b ** (t + 1)) for k, b in ((1, 0.9), (2, 0.999))}
    return flat


def test_the_powers_of_two_optimizers_in_one_file() -> None:
    with pytest.raises(CheckpointError, match=r"powers of 2 optimizers .*'beta1_power', 'beta1_power_1'"):
        states.from_flat(gan(), "tf1")
    state = states.from_flat(gan(), "tf1", t={"d/w": 25, "g/w": 5})
    assert {name: leaf.t for name, leaf in state.leaves.items()} == {"d/w": 25, "g/w": 5}
    with pytest.raises(CheckpointError, match="no clock for 'g/w'"):
        states.from_flat(gan(), "tf1", t={"d/w": 25})


def test_powers_in_a_scope() -> None:
    flat = {key.replace("beta", "train/beta"): x for key, x in gan().items() if not key.endswith("power_1")}
    assert states.from_flat(flat, "tf1").one_clock() == 25
    assert detect_layout(flat) == "tf1"


def test_two_optimizers_on_one_variable() -> None:
    flat = gan() | {f"d/w/Adam_{k}": np.zeros(2, np.float32) for k in (2, 3)}
    with pytest.raises(CheckpointError, match="two optimizers"):
        states.from_flat(flat, "tf1", t=5)


def test_the_maximum_of_optax_is_that_of_v_hat() -> None:
    """Of the layouts with a place for a maximum, optax' alone keeps that of the corrected v."""
    rules: list[tuple[str, Any]] = [
        ("optax", "corrected"),
        ("keras", "uncorrected"),
        ("paddle", "uncorrected"),
    ]
    for layout, rule in rules:
        state = made(Adam(amsgrad=rule))
        kept = {n: replace(leaf, v_max=leaf.v) for n, leaf in state.leaves.items()}
        state = replace(state, leaves=kept)
        assert states.from_flat(states.to_flat(state, layout), layout).adam.amsgrad == rule
        other = replace(state, adam=Adam(amsgrad="uncorrected" if rule == "corrected" else "corrected"))
        with pytest.raises(ConversionError, match=rf"the maximum is that of AMSGrad '.*, and {layout} keeps"):
            states.to_flat(other, layout)


@pytest.mark.parametrize(("file", "layout"), [("mlx/adam", "mlx"), ("tinygrad/adamw", "tinygrad")])
def test_a_librarys_own_file_comes_out_whole(file: str, layout: str) -> None:
    """With the learning rate, which MLX and tinygrad ask for when they load a state."""
    load_file = pytest.importorskip("safetensors.numpy").load_file
    path = ROOT / "tests" / "data" / "states" / "files" / f"{file}.safetensors"
    theirs = {key: x for key, x in load_file(path).items() if not key.startswith("params.")}
    numbers = {"b1": 0.8, "b2": 0.9} if layout == "tinygrad" else {}
    ours = states.to_flat(states.from_flat(theirs, layout, hyper=numbers or None), layout)
    assert {key: (x.dtype, x.shape) for key, x in ours.items()} == {
        key: (x.dtype, x.shape) for key, x in theirs.items()
    }
    for key, x in theirs.items():
        assert np.allclose(ours[key], x, rtol=1e-6, atol=0), key
