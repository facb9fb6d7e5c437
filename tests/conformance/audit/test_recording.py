"""Reading a recording: damaged and foreign files are refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from audit_runs import run_torch

from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import Tensor, encode
from adamcore.conformance.audit import RecordingError
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.audit.recording import read_tensors
from adamcore.conformance.cli import main


def rewrite(path: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], None]) -> None:
    arrays, metadata = read_tensors(path)
    run = json.loads(metadata["adamcore"])
    change(arrays, run)
    write_whole(path, encode(arrays, {"adamcore": json.dumps(run)}))


Change = Callable[[Any, Any], Any]


RENAMED: dict[str, tuple[Change, str]] = {
    "no after": (lambda a, r: a.pop("after/5/bias"), "no array 'after/5/bias' of step 5"),
    "no before": (lambda a, r: a.pop("before/1/bias"), "no array 'before/1/bias' of step 1"),
    "stranger": (lambda a, r: a.update({"after/99/bias": a["after/5/bias"]}), "bias' belongs to no step"),
    "shape": (lambda a, r: a.update({"grad/2/bias": a["grad/2/weight"]}), r"bias' is float32\[4, 3\]"),
    "schema": (lambda a, r: r.update(schema="other/1"), "expected schema .*, found 'other/1'"),
    "steps": (lambda a, r: r.update(steps=0), "no steps"),
    "rates": (lambda a, r: r["groups"][0].update(lr=[1.0]), "1 learning rates for 12 steps"),
    "b1": (lambda a, r: r["groups"][0]["hyper"].update(b1=1.5), r"b1=1.5: expected a number in \[0, 1\)"),
    "unknown": (lambda a, r: r["groups"][0]["hyper"].update(rho=1.0), "unknown hyperparameter 'rho'"),
    "missing": (lambda a, r: r["groups"][0]["hyper"].pop("eps"), "no hyperparameter eps"),
    "damaged": (lambda a, r: r["groups"][0].pop("params"), "group 0: damaged metadata"),
}  # fmt: skip


BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda b: b"", "no safetensors file"),
    "foreign": (lambda b: b"\x89PNG\r\n\x1a\n" + b[8:], "no safetensors file"),
    "text": (lambda b: b'{"params": [1, 2, 3]}', "no safetensors file"),
    "cut header": (lambda b: b[:60], "cut: a header of"),
    "cut arrays": (lambda b: b[:-7], r"cut: array 'after/12/bias' ends at byte"),
    "changed": (lambda b: b[:-3] + bytes([b[-3] ^ 1]) + b[-2:], "does not have the hash that it names"),
    "longer": (lambda b: b + b"\0" * 5, "bytes of arrays, the header accounts for"),
    "header": (lambda b: b.replace(b'"shape":[4,3]', b'"shape":[4,3[', 1), "the header is not JSON"),
    "entry": (lambda b: b.replace(b'"shape":[4,3]', b'"shade":[4,3]', 1),
              "the header's entry is damaged"),
    "dtype": (lambda b: b.replace(b'"F32"', b'"I32"', 1),
              "is of dtype int32; expected float64, float32, bfloat16, float16"),
    "size": (lambda b: b.replace(b'"shape":[4,3]', b'"shape":[4,5]', 1), r"48 bytes for F32\[4, 5\]"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*RENAMED, *BYTES])
def test_a_bad_file_is_refused(name: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_torch(path)
    if name in RENAMED:
        rewrite(path, RENAMED[name][0])
    else:
        path.write_bytes(BYTES[name][0](path.read_bytes()))
    message = RENAMED[name][1] if name in RENAMED else BYTES[name][1]
    with pytest.raises(RecordingError, match=message):
        audit(path)
    assert main(["audit", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_other_peoples_safetensors_and_no_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    safetensors.numpy.save_file({"w": np.ones(3, dtype=np.float32)}, path)
    assert main(["audit", str(path)]) == 2
    assert "no recording" in capsys.readouterr().err
    assert main(["audit", str(path) + "x"]) == 2
    assert "No such file" in capsys.readouterr().err
