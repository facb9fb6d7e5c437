"""The recorder's file is safetensors, and it has every bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from audit_runs import run_torch

from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import Tensor, encode
from adamcore.conformance.audit import Recorder, RecordingError
from adamcore.conformance.audit.recording import load, read_tensors, tensor_values


def test_the_format_is_that_of_safetensors(path: Path) -> None:
    run_torch(path, dtype=torch.bfloat16, steps=2)
    theirs = safetensors.torch.load_file(path)
    arrays, metadata = read_tensors(path)
    assert set(theirs) == set(arrays)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(tensor.float().numpy(), tensor_values(arrays[name]))
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == metadata
    safetensors.torch.save_file(theirs, path, metadata)  # and theirs can be read here
    assert len(load(path)) == 1


def test_what_is_written_is_read_again(path: Path) -> None:
    array = np.array([[1.5, -0.0], [np.inf, 5e-324]])
    write_whole(path, encode({"x": Tensor("float64", (2, 2), array.tobytes())}, {"k": "v"}))
    arrays, metadata = read_tensors(path)
    assert metadata == {"k": "v"}
    assert tensor_values(arrays["x"]).tobytes() == array.tobytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_arrays_of_other_dtypes_are_refused() -> None:
    with pytest.raises(RecordingError, match="'w' is of dtype int64"):
        Recorder({"lr": 1.0}).step({"w": np.arange(3)}, {}, {"w": np.arange(3)})
