"""Large steps in PyTorch's own threads, without OpenMP, and after a fork: the bits of the definition."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from adamcore import Adam
from adamcore.backends.kernels.threads import PARALLEL

SIZE = PARALLEL + 12_345


@pytest.fixture
def many() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def stepped(steps: int = 3) -> bytes:
    import torch

    p = torch.linspace(-1, 1, SIZE)
    adam = Adam(weight_decay=0.1, decay="decoupled")
    state = adam.init(p)
    for _ in range(steps):
        p, state = adam.step(p, p * 3, state, donate=True)
    return p.numpy().tobytes()


def definition(steps: int = 3) -> bytes:
    import numpy as np

    torch = pytest.importorskip("torch")
    p = torch.linspace(-1, 1, SIZE).numpy().copy()
    adam = Adam(weight_decay=0.1, decay="decoupled")
    state = adam.init(p)
    for _ in range(steps):
        p, state = adam.step(p, p * np.float32(3), state)
    return p.tobytes()


def test_torchs_team_gives_the_same_bits(many: None) -> None:
    pytest.importorskip("llvmlite")
    from adamcore.backends.torch import openmp

    assert stepped() == definition()
    if sys.platform == "linux":
        assert openmp.team() is not None


def test_without_openmp_the_bits_are_the_same(many: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite")
    from adamcore.backends.kernels.threads import run_pieces as real
    from adamcore.backends.torch import openmp

    shared = []

    def run_pieces(*args: object) -> None:
        shared.append(args)
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(openmp, "team", lambda: None)
    monkeypatch.setattr(openmp, "run_pieces", run_pieces)
    assert stepped() == definition()
    assert len(shared) == 3


FORK = """
import os, time, torch
from adamcore import Adam

torch.set_num_threads(3)
adam, ones = Adam(), torch.ones({size})
p, q = torch.linspace(-1, 1, {size}), torch.linspace(-1, 1, {size})
state, other = adam.init(p), adam.init(q)
p, state = adam.step(p, ones, state, donate=True)
want = p.numpy().tobytes()
if child := os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
q, other = adam.step(q, ones, other, donate=True)
os._exit(0 if q.numpy().tobytes() == want else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_steps_on() -> None:
    """OpenMP's threads don't survive a fork: a team without them would wait for ever, as PyTorch's do."""
    pytest.importorskip("llvmlite")
    pytest.importorskip("torch")
    program = [sys.executable, "-W", "ignore", "-c", FORK.format(size=SIZE)]
    with subprocess.Popen(program, start_new_session=True) as running:
        try:
            assert running.wait(timeout=60) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)  # both of them
