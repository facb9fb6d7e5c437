"""The CPU kernel: the jobs that it runs, the memory that it may write to, the same bits for every split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.kernels import cpu
from adamcore.backends.numpy.fast import MEMORY
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.protocol import Job, LeafDtypes, columns_of


def job(**parts: Any) -> Job:
    """A job of three float32 elements, with other parts where they are given."""
    arrays = {name: np.ones(3, "f") for name in ("p", "g", "m", "v")} | {"v_max": None}
    dtype = np.dtype("float32")
    rest = {
        "coefficients": coefficients(Host(), Adam(), 1, 0.1),
        "where": None,
        "formats": LeafDtypes(dtype, dtype, dtype, False),
    }
    return Job(**(arrays | rest | parts))


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({}, None),
        ({"v_max": np.ones(3, "f")}, None),
        ({"where": np.ones(3, bool)}, None),
        ({"where": np.ones((), bool)}, "a mask that"),
        ({"where": np.ones(6, bool)[::2]}, "not contiguous"),
        ({"where": np.ones(3, bool)} | {name: np.ones(3, "F") for name in "pgmv"}, "a mask that"),
        ({"m": np.ones(3)}, "float32 beside float64"),
        ({"formats": LeafDtypes(np.dtype("longdouble"), None, None, False)}, "float32, with arithmetic in"),
        ({"g": np.ones(3)}, None),
        ({"p": np.ones(3, "e"), "g": np.ones(3, "e"), "m": np.ones(3, "e")}, None),
        ({"v": np.ones(3, "e"), "v_max": np.ones(3, "f")}, "float16 beside float32"),
        ({name: np.ones(3, "g") for name in "pgmv"}, "with arithmetic in float32"),
        ({name: np.ones(3, "F") for name in "pgmv"}, None),
        ({name: np.ones(3, "f" if name == "v" else "F") for name in "pgmv"}, "complex64 beside float32"),
        ({name: np.ones((2, 3), "f", "F") for name in "pgmv"}, None),
        ({name: np.ones((2, 3), "f", "C" if name == "m" else "F") for name in "pgmv"}, "other strides"),
        ({name: np.ones((2, 4), "f")[:, ::2] for name in "pgmv"}, "nor a permutation"),
        ({name: np.broadcast_to(np.ones(3, "f"), (2, 3)) for name in "pgmv"}, "nor a permutation"),
        ({name: np.ones(3, "f")[::-1] for name in "pgmv"}, "nor a permutation"),
        ({"g": np.ones(6, "f")[::2]}, "not contiguous"),
        ({"g": np.ones(4, "f")}, "different shapes"),
        ({"coefficients": coefficients(Host(), Adam(), 1, 0.1)._replace(w1=np.ones(()))}, "only the program"),
    ],
)
def test_it_says_why_a_job_is_unsupported(parts: dict[str, Any], why: str | None) -> None:
    reason = cpu.unsupported(MEMORY, job(**parts))
    assert reason is None if why is None else reason is not None and why in reason


def overlapping() -> dict[str, Any]:
    memory = np.ones(4, "f")
    return {"p": memory[:-1], "g": memory[1:]}


def read_only() -> dict[str, Any]:
    x = np.ones(3, "f")
    x.flags.writeable = False
    return {"m": x}


@pytest.mark.parametrize("parts", [overlapping, read_only])
def test_memory_that_may_not_be_written_to(parts: Callable[[], dict[str, Any]]) -> None:
    assert cpu.writable(MEMORY, job())
    assert not cpu.writable(MEMORY, job(**parts()))


def test_columns_by_name() -> None:
    jobs = [job(), job()]
    columns = columns_of(jobs)
    assert [x is y.g for x, y in zip(columns.g, jobs, strict=True)] == [True, True]
    assert columns.v_max == ()
    assert len(columns_of([job(v_max=np.ones(3, "f"))]).v_max) == 1


def test_same_bits_for_every_split(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite")

    def run() -> bytes:
        rng = np.random.default_rng(1)
        params = [rng.standard_normal(n, "f") for n in (70_000, 3, 12_345)]
        state = Adam().init(params)
        for _ in range(3):
            params, state = Adam().step(params, [p * 3 for p in params], state)
        return b"".join(p.tobytes() for p in params)

    want = run()
    monkeypatch.setattr(cpu, "PARALLEL", 1)
    monkeypatch.setattr(cpu, "thread_count", lambda: 3)
    for piece in (1 << 14, 4099, 77_777):
        monkeypatch.setattr(cpu, "PIECE", piece)
        assert run() == want


@pytest.mark.parametrize("first", ["float32", "complex64"])
@pytest.mark.parametrize("donate", [False, True])
def test_complex_leaves_beside_real_ones(first: str, donate: bool) -> None:
    """A complex element is two numbers: a list that took it for one would leave the second half as it is."""
    whole = np.array([1 + 2j, 3 - 4j, 0.5j], "complex64")
    real = np.array([1.0, -2.0, 3.0, 4.0], "float32")
    params = [real, whole] if first == "float32" else [whole, real]
    adam = Adam(lr=0.1)
    apart = [adam.step(p, p, adam.init(p))[0] for p in params]
    together = [p.copy() for p in params]
    together, _ = adam.step(together, params, adam.init(together), donate=donate)
    assert [p.tolist() for p in together] == [p.tolist() for p in apart]
