"""What the log of a run becomes in a file, of this version and of the first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from paths import ROOT

from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import Tensor, encode
from adamcore.conformance.audit import Recorder, RecordingError
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.audit.recording import load, read_tensors

FIRST = ROOT / "tests" / "conformance" / "audit" / "recording-1.safetensors"


def test_a_file_of_the_first_version_is_judged() -> None:
    """Written by the recorder of that version: two groups, a schedule, an absent gradient, bfloat16."""
    first, second = audit(FIRST).entries
    assert (first.verdict, first.claimed, second.verdict) == ("conforms", "torch.AdamW", "conforms")
    assert [r.dtype for r in (*first.results, *second.results)] == ["float32", "bfloat16"]
    assert audit(FIRST, "torch.Adam").entries[0].verdict == "deviates"
    recording = load(FIRST)
    assert recording.faults == []
    assert recording.groups[0].lr == [0.0625 / 2**k for k in range(5)]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a file can have: changes, parameters that come late, states."""
    path = tmp_path_factory.mktemp("recordings") / "full.safetensors"
    w, b = (torch.nn.Parameter(torch.linspace(-1, 1, n)) for n in (3, 2))
    optimizer = torch.optim.AdamW([w], lr=0.0625, eps=1e-3)
    recorder = Recorder.torch(optimizer, {"w": w, "b": b})
    for k in range(6):
        if k == 2:
            optimizer.add_param_group({"params": [b]})
            optimizer.param_groups[0]["weight_decay"] = 0.5
        if k == 4:
            optimizer.state[w]["exp_avg"].mul_(0.5)
        w.grad, b.grad = torch.cos(w.detach() + k), torch.ones(2)
        optimizer.step()
    recorder.save(path)
    return path


def test_it_is_read(full: Path) -> None:
    recording = load(full)
    w, b = recording.groups
    assert [s.hyper["weight_decay"] for s in w.settings] == [0.01] * 2 + [0.5] * 4
    assert b.params["b"][:2] == [None, None]
    assert w.params["w"][4] is not None
    assert w.params["w"][4].state is not None
    assert w.params["w"][4].state.t == 4
    assert [entry.verdict for entry in audit(full).entries] == ["conforms", "conforms"]


Change = Callable[[dict[str, Tensor], dict[str, Any]], object]


def group(k: int, **values: Any) -> Change:
    return lambda arrays, run: run["groups"][k].update(values)


def without(k: int, key: str) -> Change:
    return lambda arrays, run: run["groups"][k].pop(key)


def array(name: str, tensor: Tensor) -> Change:
    return lambda arrays, run: arrays.update({name: tensor})


SHORT, FLAGS = Tensor("float32", (2,), b"12345678"), Tensor("bool", (2,), b"\1\0")
DAMAGED: dict[str, tuple[Change, str]] = {
    "state without a clock": (without(0, "states"), "state of 'w' in step 5, and no clock"),
    "shape of a moment": (array("m/5/w", SHORT), r"'m/5/w' is float32\[2\]"),
    "late, and not away": (without(1, "away"), "no array 'before/1/b' of step 1"),
    "away": (group(1, away=[["a", 2]]), "group 1: damaged metadata"),
    "changes": (group(0, changes={"x": {}}), "group 0: damaged metadata"),
    "strange change": (group(0, changes={"2": {"hyper": {"rho": 1.0}}}), "unknown hyperparameter 'rho'"),
    "axes": (group(0, axes={"rho": 1}), "unknown axis rho"),
    "axis": (group(0, axes={"decay": "l3"}), "decay='l3'"),
    "complex": (group(0, complex=["w"]), "has no real and imaginary part"),
    "mask": (array("mask/1/w", FLAGS), r"'mask/1/w' is bool\[2\]"),
    "flags": (array("grad/1/w", FLAGS), "of dtype bool; expected"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused(name: str, full: Path, tmp_path: Path) -> None:
    change, message = DAMAGED[name]
    tensors, metadata = read_tensors(full)
    run = json.loads(metadata["adamcore"])
    change(tensors, run)
    path = tmp_path / "damaged.safetensors"
    write_whole(path, encode(tensors, {"adamcore": json.dumps(run)}))
    with pytest.raises(RecordingError, match=message):
        audit(path)
