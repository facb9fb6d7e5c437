"""Recorded runs of small training loops, right and wrong, for the tests of the audit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from adamcore.conformance.audit import Recorder
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.report.report import Entry

SHAPES = {"weight": (4, 3), "bias": (4,)}


def tensors(scale: float = 1.0, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        n: (scale * torch.randn(shape, generator=generator)).to(dtype).requires_grad_()
        for n, shape in SHAPES.items()
    }


def run_torch(
    path: Path,
    make: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
    *,
    steps: int = 12,
    spoil: Callable[[int, dict[str, torch.Tensor]], None] | None = None,
    dtype: torch.dtype = torch.float32,
    absent: tuple[int, ...] = (),
    **options: Any,
) -> Path:
    """Record a run; ``spoil`` does something to the parameters within the step."""
    params = tensors(dtype=dtype)
    options = {"lr": 0.0625, "betas": (0.75, 0.875), "eps": 1e-3, "weight_decay": 0.25} | options
    optimizer = make(list(params.values()), **options)
    count = 0

    def late(*_: Any) -> None:
        if spoil is not None:
            with torch.no_grad():
                spoil(count, params)

    optimizer.register_step_post_hook(late)
    recorder = Recorder.torch(optimizer, params)
    generator = torch.Generator().manual_seed(2)
    for count in range(1, steps + 1):
        for n, p in params.items():
            p.grad = torch.randn(p.shape, generator=generator).to(dtype)
            if n == "bias" and count in absent:
                p.grad = None
        optimizer.step()
    recorder.save(path)
    return path


def only(path: Path, dialect: str | None = None) -> Entry:
    [entry] = audit(path, dialect).entries
    return entry
