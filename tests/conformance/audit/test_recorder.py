"""The recorder's file has every bit, and settings and parameters that change between steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import safetensors
import safetensors.torch
import torch
from audit_runs import run_torch
from plain_recordings import HYPER, gradients, only

from adamcore import Adam
from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import Tensor, encode
from adamcore.conformance.audit import Recorder, RecordingError
from adamcore.conformance.audit.arrays import tensor_values
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.audit.recording import load, read_tensors


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
    assert len(load(path).groups) == 1


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


@pytest.mark.parametrize("changing", ["b1", "b2", "eps", "weight_decay"])
def test_hyperparameters_that_change(changing: str, path: Path) -> None:
    params: Any = {"w": np.linspace(-1, 1, 6), "b": np.ones(2)}
    state = Adam(**HYPER).init(params)
    recorder = Recorder(HYPER, "torch.Adam")
    for k in range(8):
        now = HYPER | {changing: HYPER[changing] * (1 + 0.015 * k)}
        grads = gradients(params, k)
        before, (params, state) = params, Adam(**now).step(params, grads, state)
        recorder.step(before, grads, params, hyper={changing: now[changing]})
    assert only(recorder, path).verdict == "conforms"


def test_options_that_change(path: Path) -> None:
    params: Any = {"w": np.linspace(-1, 1, 6)}
    state = Adam(**HYPER).init(params)
    recorder = Recorder(HYPER, "torch.Adam", {"maximize": "False"})
    for k in range(6):
        grads = gradients(params, k)
        before, (params, state) = params, Adam(**HYPER, maximize=k > 2).step(params, grads, state)
        recorder.step(before, grads, params, settings={"maximize": k > 2})
    assert only(recorder, path).verdict == "conforms"


def test_inject_hyperparams_of_optax(path: Path) -> None:
    """Its corrections are those of BC.4: the present beta, the whole clock."""
    make = optax.inject_hyperparams(optax.adamw)
    optimizer = make(0.0625, b1=lambda t: 0.75 + 0.02 * t, b2=0.875, eps=1e-3, weight_decay=lambda t: 0.1 * t)
    params: Any = {"w": jnp.linspace(-1.0, 1.0, 6)}
    state = optimizer.init(params)
    recorder = Recorder(HYPER, "optax.adamw")
    for k in range(8):
        grads = {n: jnp.cos(k + 3 * p) for n, p in params.items()}
        updates, state = optimizer.update(grads, state, params)
        before, params = params, optax.apply_updates(params, updates)
        now = {n: float(state.hyperparams[n]) for n in ("b1", "b2", "eps", "weight_decay")}
        recorder.step(before, grads, params, lr=float(state.hyperparams["learning_rate"]), hyper=now)
    entry = only(recorder, path)
    assert (entry.verdict, recorder.faults) == ("conforms", [])


def test_a_parameter_that_is_left_out_was_not_there(path: Path) -> None:
    """Also where the claim refuses absent gradients."""
    optimizer = optax.adamw(0.0625, 0.75, 0.875, 1e-3, weight_decay=0.25)
    params: Any = {"w": jnp.linspace(-1.0, 1.0, 6)}
    state = optimizer.init(params)
    recorder = Recorder(HYPER, "optax.adamw")
    for k in range(6):
        grads = {n: jnp.cos(k + 3 * p) for n, p in params.items()}
        updates, state = optimizer.update(grads, state, params)
        before, params = params, optax.apply_updates(params, updates)
        names = ["w"] if k < 3 else ["w", "frozen"]
        all_of = [{n: {**x, "frozen": jnp.ones(2)}[n] for n in names} for x in (before, grads, params)]
        recorder.step(all_of[0], all_of[1], all_of[2])
    recorder.save(path)
    first, second = audit(path).entries
    assert first.verdict == "conforms"
    assert second.verdict == "deviates"  # its gradient is 1, and it stands still


def test_what_goes_wrong_later_ends_the_recording_and_not_the_run(path: Path) -> None:
    params: Any = {"w": np.linspace(-1, 1, 6)}
    adam = Adam(**HYPER)
    state = adam.init(params)
    recorder = Recorder(HYPER, "torch.Adam")
    for k in range(4):
        grads = gradients(params, k)
        before, (params, state) = params, adam.step(params, grads, state)
        if k == 2:
            with pytest.warns(RuntimeWarning, match="'w' became float64\\[5\\]"):
                recorder.step(before, grads, {"w": np.ones(5)})
        else:
            recorder.step(before, grads, params)
    with pytest.warns(RuntimeWarning, match="1 faults"):
        entry = only(recorder, path)
    assert (entry.verdict, recorder.steps) == ("conforms", 2)
    assert "the recording ends here" in entry.reason


WRONG: dict[str, Callable[[], object]] = {
    "state": lambda: Recorder(HYPER, state=3),
    "state of lists": lambda: Recorder(HYPER, state={"t": 1, "m": [np.ones(2)], "v": [np.ones(2)]}),
    "strange state": lambda: Recorder(
        HYPER, state={"t": 1, "m": {"x": np.ones(2)}, "v": {"x": np.ones(2)}}
    ).step({"w": np.ones(2)}, {}, {"w": np.ones(2)}),
    "hyper": lambda: Recorder({"lr": cast(float, "small")}),
    "no after": lambda: Recorder(HYPER).step({"w": np.ones(2)}, {}, {}),
    "no mapping": lambda: Recorder(HYPER).step(None, {}, {}),  # type: ignore[arg-type]
    "dtype": lambda: Recorder(HYPER).step({"w": np.ones(2, dtype=int)}, {}, {"w": np.ones(2)}),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_from_the_start_is_refused(name: str) -> None:
    with pytest.raises(RecordingError):
        WRONG[name]()


def test_nothing_recorded_is_no_recording_and_says_why(path: Path) -> None:
    Recorder(HYPER).save(path)
    with pytest.raises(RecordingError, match="no steps"):
        audit(path)
