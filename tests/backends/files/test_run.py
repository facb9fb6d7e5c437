"""A run on disk: a step that is cut short leaves the state before it, and finishes as it would have."""

from __future__ import annotations

import functools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk_runs import arrays, in_memory, same, same_bits, saved

from adamcore import Adam
from adamcore.backends.files import Run, locks, record, step
from adamcore.backends.files import run as module
from adamcore.backends.files.arrays import FileArray
from adamcore.backends.io import atomic
from adamcore.errors import CheckpointError, GradientError, HyperparameterError, ParameterError

LOW = 1 << 20
SMALL = {"a": (50,), "b": (30_001,), "c": ()}


class Killed(BaseException):
    """Stands for the end of the process."""


def noted(seen: list[Any], what: Callable[..., Any]) -> Callable[..., None]:
    """Return ``FileArray.write`` that puts what is asked of its arguments into a list."""
    write = FileArray.write

    def call(*args: Any) -> None:
        seen.append(what(*args))
        write(*args)

    return call


@contextmanager
def killed_at(place: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """End the work at its operation number ``place`` on the disk; half of a write is done."""
    count = [0]

    def counted(function: Callable[..., Any], half: bool) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] == place:
                if half:
                    x, start, stop, values = args
                    middle = (start + stop) // 2
                    function(x, start, middle, values[: middle - start])
                raise Killed
            return function(*args, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(FileArray, "write", counted(FileArray.write, True))
        for where in (step, record):
            patch.setattr(where, "sync", counted(where.sync, False))
        for name in ("replace", "rename", "unlink", "mkdir"):
            patch.setattr(os, name, counted(getattr(os, name), False))
        yield count


@pytest.mark.parametrize(
    "way", ["resume", *(pytest.param(way, marks=pytest.mark.slow) for way in ("again", "others"))]
)
def test_an_end_at_any_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Steps 0 to 2 leave `a` as it is in the second; the third is cut short."""
    monkeypatch.setattr(step, "SYNC", 1)
    monkeypatch.setattr(os, "fsync", lambda file: None)  # only the process ends here
    adam, params = Adam(lr=0.1), arrays(0, sizes=SMALL)
    given: list[Any] = [arrays(k + 1, sizes=SMALL) for k in range(4)]
    given[1]["a"] = given[3]["a"] = None
    third = saved(tmp_path / "grads", given[2])
    before = in_memory(adam, params, 2, given.__getitem__)
    after = in_memory(adam, params, 3, given.__getitem__)
    other = in_memory(adam, params, 3, [*given[:2], given[3]].__getitem__)
    run = Run.create(tmp_path / "start", adam, params)
    for k in range(2):
        run.step(given[k])
    place, ends = 0, set()
    while True:
        place += 1
        folder = tmp_path / f"run{place}"
        run = Run(shutil.copytree(tmp_path / "start", folder))
        with killed_at(place, monkeypatch):
            try:
                run.step(third, ceiling=LOW)
            except Killed:
                pass
            else:
                break
        run = Run(folder)
        assert same(run, *(before if run.steps == 2 else after))
        ends.add((run.steps, run.interrupted))
        if run.steps == 3:
            assert not run.interrupted
            assert not run.resume()
        elif way == "others":  # `a`, which the third step has written in part, is absent now
            run.step(given[3])
            assert same(Run(folder), *other)
        elif way == "again" or not run.interrupted:
            run.step(third, ceiling=LOW)
            assert same(Run(folder), *after)
        else:
            assert run.resume()
            assert same(Run(folder), *after)
    assert ends == {(2, False), (2, True), (3, False)}
    assert place > 25


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "SYNC", 1)
    adam, params = Adam(lr=0.1), arrays(0, sizes={"a": (200_000,)})
    grads = saved(tmp_path / "g", arrays(1, sizes={"a": (200_000,)}))
    run = Run.create(tmp_path / "run", adam, params)
    written: list[int] = []
    write = FileArray.write

    def counted(x: FileArray, start: int, stop: int, values: Any) -> None:
        if len(written) == 20:
            raise Killed
        written.append(start)
        write(x, start, stop, values)

    with monkeypatch.context() as patch:
        patch.setattr(FileArray, "write", counted)
        with pytest.raises(Killed):
            run.step(grads, ceiling=LOW)
    first = [*written]
    written.clear()
    monkeypatch.setattr(FileArray, "write", noted(written, lambda x, start, *rest: start))
    assert Run(tmp_path / "run").resume()
    assert min(written) == first[18]  # three arrays are written of each piece, and saved after each
    assert same(
        Run(tmp_path / "run"), *in_memory(adam, params, 1, lambda k: arrays(1, sizes={"a": (200_000,)}))
    )


CHILD = """
import sys
from adamcore.backends.files import Run, step
step.SYNC = 1 << 18
run = Run(sys.argv[1])
print("ready", flush=True)
run.resume()
while True:
    run.step(f"{sys.argv[2]}/{run.steps % 4}", ceiling=1 << 20)
"""


def kill_at_random(tmp_path: Path, times: int, seed: int) -> set[bool]:
    """Kill a process that steps a run, so many times, and look at what it leaves each time."""
    pause, sizes = random.Random(seed), {"a": (40_001,), "b": (3, 7), "c": (150_000,)}
    given = [arrays(k, sizes=sizes) for k in range(4)]
    for k in range(4):
        saved(tmp_path / "grads" / str(k), given[k])
    adam, params = Adam(lr=0.01, amsgrad="uncorrected"), arrays(9, sizes=sizes)
    Run.create(tmp_path / "run", adam, params)
    state, at, interrupted = adam.init(params), 0, set()
    for _ in range(times):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "run"), str(tmp_path / "grads")],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == b"ready\n"
        time.sleep(pause.random() * 0.3)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        run = Run(tmp_path / "run")
        while at < run.steps:
            params, state = adam.step(params, given[at % 4], state)
            at += 1
        assert at == run.steps
        assert same(run, params, state)
        interrupted.add(run.interrupted)
    return interrupted


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_kill(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 3, 0)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_kill_50_times(tmp_path: Path) -> None:
    assert kill_at_random(tmp_path, 50, 1) >= {True}


MEASURED = """
import sys
from pathlib import Path
from adamcore.backends.files import Run

def memory(name):
    [line] = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(name)]
    return int(line.split()[1]) * 1024

run, grads, ceiling = Run(sys.argv[1]), sys.argv[2], int(sys.argv[3])
Run(sys.argv[4]).step(grads + "/small")  # loads what is loaded once
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on
run.step(grads + "/large", ceiling=ceiling)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no peak of memory is known")
@pytest.mark.parametrize("p_storage", [pytest.param("plain", marks=pytest.mark.slow), "stochastic"])
def test_the_ceiling(tmp_path: Path, p_storage: Any) -> None:
    """The state takes several times the ceiling; the process grows by less than the ceiling."""
    pytest.importorskip("ml_dtypes")
    adam, ceiling = Adam(p_storage=p_storage, moment_dtype="float32"), 12 << 20
    dtype = "float32" if p_storage == "plain" else "bfloat16"
    count = 4_000_000 if p_storage == "plain" else 1_500_000
    for name, sizes in (("small", {"a": (100,)}), ("large", {"a": (count // 1000, 1000)})):
        Run.create(tmp_path / name, adam, arrays(0, dtype, sizes), file_format="npy")
        saved(tmp_path / "grads" / name, arrays(1, dtype, sizes))
    args = [tmp_path / "large", tmp_path / "grads", ceiling, tmp_path / "small"]
    done = subprocess.run([sys.executable, "-c", MEASURED, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ceiling / 4 < int(done.stdout) <= ceiling


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", Adam(lr=0.1), {"w": np.ones((2, 3)), "b": np.zeros(2)})


GRADS = {"w": np.ones((2, 3)), "b": np.ones(2)}


def test_what_a_run_shows(run: Run) -> None:
    assert (run.steps, run.clocks, run.interrupted) == (0, {"b": 0, "w": 0}, False)
    run.step(GRADS | {"b": None})
    assert (run.steps, run.clocks) == (1, {"b": 0, "w": 1})
    assert np.allclose(run.state.m["w"], 0.1)
    assert not run.params["w"].flags.writeable
    assert run.resume() is False


def test_a_leaf_without_gradients_is_copied_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(FileArray, "write", noted(written, lambda x, *rest: x.shape))
    for _ in range(3):
        run.step({"w": GRADS["w"], "b": None})
    assert written.count((2,)) == 3  # p, m and v, in the first step
    assert written.count((2, 3)) == 9
    adam, params = run.adam, {"w": np.ones((2, 3)), "b": np.zeros(2)}
    run.step(GRADS)
    given = [GRADS | {"b": None}] * 3 + [GRADS]
    assert same(run, *in_memory(adam, params, 4, given.__getitem__))


def test_two_cannot_step_one_run(run: Run) -> None:
    other = Run(run.folder)
    run.step(GRADS)
    with pytest.raises(CheckpointError, match="was stepped since"):
        other.step(GRADS)
    with locks.locked(run.folder), pytest.raises(CheckpointError, match="by another process"):
        run.step(GRADS)
    run.step(GRADS)
    assert Run(run.folder).steps == 2


def test_a_disk_without_room(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: np.array(x) for name, x in run.params.items()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(FileArray, "write", full)
        with pytest.raises(CheckpointError, match=r"No space left.*the state is that before it"):
            run.step(GRADS)
    assert run.interrupted
    assert all(same_bits(x, before[name]) for name, x in Run(run.folder).params.items())
    with pytest.raises(GradientError, match="came as arrays"):
        run.resume()
    assert run.resume(GRADS)
    assert run.steps == 1


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"grads": {"w": GRADS["w"]}}, GradientError, "lacks 'b'"),
        ({"grads": GRADS | {"c": GRADS["b"]}}, GradientError, "has 'c' besides"),
        ({"grads": GRADS | {"b": np.ones(3)}}, GradientError, r"\['b'\] is of shape \(3,\)"),
        ({"grads": GRADS | {"b": [1.0, 2.0]}}, GradientError, "expected an array"),
        ({"lr": -1.0}, HyperparameterError, "lr"),
        ({"lr": lambda t: 0.1}, HyperparameterError, "a function"),
        ({"grad_scale": float("nan")}, HyperparameterError, "grad_scale"),
        ({"ceiling": 1000}, HyperparameterError, "at least 1048576"),
        ({"grads": "nowhere"}, CheckpointError, "nowhere is not there"),
    ],
)
def test_wrong_steps_change_nothing(
    run: Run, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run.step(**({"grads": GRADS} | options))
    assert (run.steps, run.interrupted) == (0, False)


def test_wrong_runs(run: Run, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is there already"):
        Run.create(run.folder, Adam(), GRADS)
    with pytest.raises(CheckpointError, match="expected the folder of a run"):
        Run(tmp_path)
    with pytest.raises(CheckpointError, match="a schedule"):
        Run.create(tmp_path / "x", Adam(lr=lambda t: 0.1), GRADS)
    with pytest.raises(CheckpointError, match="expected one of safetensors, npy, zarr"):
        Run.create(tmp_path / "x", Adam(), GRADS, file_format="hdf5")
    for wrong in ({"w": [1.0]}, {"w": None}, {}, np.ones(3)):
        with pytest.raises(ParameterError):
            Run.create(tmp_path / "x", Adam(), wrong)
    with pytest.raises(ParameterError, match=r"integers|floating"):
        Run.create(tmp_path / "x", Adam(), {"w": np.ones(3, int)})
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_damage_is_named(run: Run) -> None:
    run.step(GRADS)
    os.truncate(run.folder / "1" / "m.safetensors", 100)
    with pytest.raises(CheckpointError, match="cut"):
        Run(run.folder)


def test_the_bar(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.step(GRADS, progress=True)
    assert "100%" in capsys.readouterr().err


def test_all_is_on_the_disk_before_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stops forgets what is not synchronized: nothing of that may be what the commit names."""
    run = Run.create(tmp_path / "run", Adam(), arrays(0, sizes=SMALL), file_format="npy")
    done: list[tuple[str, Path]] = []
    write, sync, commit = FileArray.write, atomic.sync, record.write_commit

    def written(x: FileArray, *rest: Any) -> None:
        done.append(("write", x.path))
        write(x, *rest)

    def synchronized(path: Path) -> None:
        done.append(("sync", path))
        sync(path)

    def committed(*given: Any) -> None:
        done.append(("commit", Path()))
        commit(*given)

    monkeypatch.setattr(FileArray, "write", written)
    monkeypatch.setattr(step, "sync", synchronized)
    monkeypatch.setattr(module, "write_commit", committed)
    run.step(arrays(1, sizes=SMALL), ceiling=LOW)
    assert done[-1][0] == "commit"
    last = {path: what for what, path in done[:-1]}
    assert len(last) == 9  # p, m and v of three parameters
    assert set(last.values()) == {"sync"}
