"""The steps that are timed on a CUDA device: each waits for its end and knows the memory that it takes."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numpy")

from adamcore.conformance.bench import contenders, coverage, measure, steps, steps_cuda  # noqa: E402


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tensors stay on the CPU; what is asked of the device is written down."""
    asked: list[str] = []

    def tensors(shapes: Any, device: str) -> Any:
        assert device == "cuda"
        return steps.tensors(shapes)

    monkeypatch.setattr(steps_cuda, "tensors", tensors)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: asked.append("wait"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 1000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 1028)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: asked.append("reset"))
    return asked


def test_steps_are_waited_for(on_cpu: list[str]) -> None:
    shapes = ((5,), (3, 2))
    for make in (steps_cuda.torch_optim(foreach=True), steps_cuda.donated(), steps_cuda.optimizer()):
        step: Any = make(shapes)
        on_cpu.clear()
        step()
        step()
        assert on_cpu == ["wait", "wait"]
        assert measure.extra_memory(step) == 28


def test_the_floor_moves_what_a_step_moves(monkeypatch: pytest.MonkeyPatch, on_cpu: list[str]) -> None:
    made: list[Any] = []
    ones = torch.ones

    def on_the_cpu(n: int, dtype: Any, device: str) -> Any:
        made.append(ones(n, dtype=dtype))
        return made[-1]

    monkeypatch.setattr(torch, "ones", on_the_cpu)
    steps_cuda.memory_traffic(((5,), (3, 2)))()
    assert made[0].nbytes * 2 == 28 * 11  # read once, written once


@pytest.mark.gpu
def test_a_run_on_the_device() -> None:
    from adamcore.conformance.bench.situations import SITUATIONS
    from adamcore.conformance.bench.workloads import WORKLOADS

    those = list(contenders.installed("torch:cuda"))
    rows = measure.run_workload("1M", WORKLOADS["1M"], list(SITUATIONS.values()), those, 1.0)
    assert {row.name for row in rows} >= {"memory traffic", "adamcore", "adamcore, graph"}
    assert all(row.seconds > 0 for row in rows)
    found = coverage.unsupported_examples()["torch:cuda"]
    assert {"complex64", "transposed", "every second", "a mask"} == found.keys()
