"""A step as tasks of Dask's has the bits of the step in memory, whatever the scheduler and the gradients."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk_runs import arrays, in_memory, same, saved

from adamcore import Adam
from adamcore.backends.files import Run
from adamcore.backends.files.arrays import FileArray
from adamcore.backends.files.record import token_of
from adamcore.errors import CheckpointError, GradientError, HyperparameterError

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
from adamcore.backends.files import on_dask  # noqa: E402

SIZES = {"a": (37, 31), "b": (), "c": (0, 3), "d": (900,), "e": (3, 5, 7)}
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("safetensors", "float32", {"amsgrad": "corrected", "nesterov": "dozat"}),
    ("npy", "float32", {"m_storage": "companded8", "v_storage": "blockwise8"}),
    ("npy", "bfloat16", {"p_storage": "stochastic", "seed": 3}),
    ("zarr", "float32", {}),
]


def gradients(k: int, dtype: str) -> Any:
    return {n: None if (n, k) == ("a", 1) else g for n, g in arrays(k + 1, dtype, SIZES).items()}


def chunked(found: Any, chunk: Any) -> Any:
    """Return arrays of Dask's; None stays."""
    return {n: None if g is None else da.from_array(g, chunks=chunk) for n, g in found.items()}


@pytest.mark.parametrize(
    ("file_format", "dtype", "axes"),
    [CASES[1], *(pytest.param(*case, marks=pytest.mark.slow) for case in (CASES[0], *CASES[2:]))],
)
def test_bits(tmp_path: Path, file_format: str, dtype: str, axes: dict[str, Any]) -> None:
    """Gradients in memory, in chunks that are ranges or are not, in files, and made of parameters."""
    if file_format == "zarr":
        pytest.importorskip("zarr")
    adam, params = Adam(lr=0.01, **axes), arrays(0, dtype, SIZES)
    run = Run.create(tmp_path / "run", adam, params, file_format=file_format)
    options: dict[str, Any] = {"lr": 0.02, "grad_scale": 3.0}
    if dtype == "bfloat16":
        files = gradients(3, dtype)
    else:
        files = saved(tmp_path / "g", gradients(3, dtype))
    ceiling = 128 << 20 if file_format == "zarr" else 2 << 20
    with dask.config.set(num_workers=2):
        run.step(gradients(0, dtype), dask=True, ceiling=ceiling, **options)
        run.step(chunked(gradients(1, dtype), {0: 20}), ceiling=ceiling, **options)
        run.step(chunked(gradients(2, dtype), 13), ceiling=ceiling, **options)
        run.step(files, dask=True, ceiling=ceiling, **options)
        run.step({n: -p for n, p in run.dask_params().items()}, ceiling=ceiling, **options)
    wanted, state = in_memory(adam, params, 4, lambda k: gradients(k, dtype), **options)
    wanted, state = adam.step(wanted, {n: np.asarray(-p) for n, p in wanted.items()}, state, **options)
    assert run.steps == 5
    assert same(Run(tmp_path / "run"), wanted, state)


def test_which_chunks_are_ranges() -> None:
    for shape, chunks in [((4, 6), (2, 6)), ((4, 6), (1, 3)), ((2, 3, 4), (1, 2, 4)), ((5,), (2,)), ((), ())]:
        x = da.from_array(np.arange(np.prod(shape)).reshape(shape), chunks=chunks)
        assert on_dask.are_ranges(x.chunks)
        parts = [np.ravel(part.compute()) for part in x.to_delayed().ravel()]
        assert np.array_equal(np.concatenate(parts), np.arange(x.size))
    assert not on_dask.are_ranges(((2, 2), (3, 3)))
    assert not on_dask.are_ranges(((1, 1), (2, 2), (2, 2)))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", Adam(lr=0.1), {"w": np.ones(6, np.float32)})


def test_a_chunk_that_is_not_what_its_array_says(run: Run) -> None:
    g = da.ones(6, chunks=2, dtype="float32")
    for wrong in (lambda x: x.astype("float64"), lambda x: x[:1]):
        with pytest.raises(GradientError, match="expected 2 of float32, as its array says"):
            run.step({"w": g.map_blocks(wrong, dtype="float32", meta=np.empty(0, np.float32))})
    with pytest.raises(GradientError, match="expected float32"):
        run.step({"w": g.astype("float64")})
    assert Run(run.folder).steps == 0


def test_a_step_that_fails_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    g = da.ones(6, chunks=2, dtype="float32")
    with monkeypatch.context() as patch:
        patch.setattr(FileArray, "write", full)
        with pytest.raises(CheckpointError, match=r"No space left.*the state is that before it"):
            run.step({"w": g})
    assert run.interrupted
    with (
        pytest.raises(HyperparameterError, match=r"at least 3145728 \(3 MiB\)"),
        dask.config.set(num_workers=3),
    ):
        run.step({"w": g}, ceiling=1 << 20)
    assert run.resume({"w": g})
    assert run.params["w"].tolist() == [np.float32(1) - np.float32(0.1)] * 6


def test_the_bar(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.step({"w": np.ones(6, np.float32)}, dask=True, progress=True)
    assert "0M elements" in capsys.readouterr().err


def test_a_mask_comes_in_the_chunks_of_its_gradient(tmp_path: Path) -> None:
    adam, params = Adam(lr=0.1, m_storage="companded8"), arrays(0, sizes=SIZES)
    masks = {
        n: np.broadcast_to(np.arange(p.shape[-1]) % 2 == 0, p.shape) if p.ndim else False
        for n, p in params.items()
    }
    run, grads = Run.create(tmp_path / "run", adam, params), arrays(1, sizes=SIZES)
    run.step(chunked(grads, 13), present=masks)
    assert same(run, *adam.step(params, grads, adam.init(params), present=masks))


def test_one_task_computes_a_chunk_and_steps_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what two gradients share is computed once."""
    monkeypatch.setattr(on_dask, "LAZY", 2)
    seen, keys = [], []

    def look(x: Any) -> Any:
        seen.append(x.size)
        return x

    shared = da.ones(6, chunks=2, dtype="float32").map_blocks(look, meta=np.empty(0, np.float32))
    both = Run.create(
        run.folder / "both", Adam(lr=0.1), {"a": np.ones(6, np.float32), "b": np.ones(6, np.float32)}
    )
    with dask.callbacks.Callback(posttask=lambda key, *_: keys.append(key)):
        run.step({"w": run.dask_params()["w"] * 2})
        assert [key[0].startswith("adamcore-step") for key in keys] == [True] * 3
        both.step({"a": shared, "b": -shared})
    assert seen == [2, 2, 2]
    assert both.clocks == {"a": 1, "b": 1}


def by_sign(k: int, params: Any) -> Any:
    return {n: np.sign(p) * np.float32(1 + k % 3) for n, p in params.items()}


@pytest.mark.filterwarnings("default")  # of other libraries, in their threads
def test_the_distributed_scheduler(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker has another folder to work in, and no array goes through this process."""
    from distributed import Client

    monkeypatch.chdir(tmp_path)
    adam, params = Adam(lr=0.1), arrays(0, sizes=SIZES)
    run = Run.create("run", adam, params)
    wanted, state = params, adam.init(params)
    saved(tmp_path / "g", by_sign(0, params))
    with Client(cluster):
        run.step("g", dask=True, progress=True)
        wanted, state = adam.step(wanted, by_sign(0, wanted), state)
        run.step(by_sign(1, run.dask_params()))
        wanted, state = adam.step(wanted, by_sign(1, wanted), state)
    assert same(run, wanted, state)
    assert "0M elements" in capsys.readouterr().err


CHILD = """
import sys
import numpy as np
from distributed import Client
from adamcore.backends.files import Run
run = Run(sys.argv[1])
with Client(sys.argv[2]):
    print("ready", flush=True)
    while True:
        run.step({n: np.sign(p) * np.float32(1 + run.steps % 3) for n, p in run.dask_params().items()})
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_kill(tmp_path: Path, cluster: Any) -> None:
    """The process that commits is killed; the worker lives on, and goes on with what it was given."""
    adam, params = Adam(lr=0.01), arrays(0, sizes={"a": (400_001,), "b": (3, 7), "c": (150_000,)})
    pause, folder = random.Random(0), tmp_path / "run"
    Run.create(folder, adam, params)
    state, at, interrupted = adam.init(params), 0, set()
    for number in range(12):
        command = [sys.executable, "-c", CHILD, str(folder), cluster.scheduler_address]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == b"ready\n"
        before = token_of(folder)
        while token_of(folder) == before or (number % 3 == 0 and Run(folder).steps == at):
            time.sleep(0.01)  # until a step has begun, or now and then, been made
        time.sleep(pause.random() * 0.2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        run = Run(folder)
        while at < run.steps:
            params, state = adam.step(params, by_sign(at, params), state)
            at += 1
        assert at == run.steps
        assert same(run, params, state)
        interrupted.add(run.interrupted)
    assert True in interrupted
    assert at > 0
