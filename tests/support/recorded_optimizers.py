"""Small optimizers of PyTorch that are recorded while things happen to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from adamcore.conformance.audit import Recorder
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.report.report import Report

HYPER: dict[str, Any] = {"lr": 0.0625, "betas": (0.75, 0.875), "eps": 1e-3, "weight_decay": 0.25}
GRADIENTS = torch.Generator()


def parameter(*shape: int, dtype: torch.dtype = torch.float32) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(shape, generator=GRADIENTS).to(dtype))


def give_gradients(*params: torch.Tensor) -> None:
    for p in params:
        p.grad = torch.randn(p.shape, generator=GRADIENTS).to(p.dtype)


def judged(recorder: Recorder, path: Path, dialect: str | None = None) -> Report:
    recorder.save(path)
    return audit(path, dialect)


def verdicts(report: Report) -> list[str]:
    return [entry.verdict for entry in report.entries]


def run(optimizer: torch.optim.Optimizer, steps: int, before: Callable[[int], None] | None = None) -> None:
    """Step with new gradients, after ``before`` has done what it does."""
    for k in range(1, steps + 1):
        if before is not None:
            before(k)
        give_gradients(*(p for group in optimizer.param_groups for p in group["params"]))
        optimizer.step()
