"""What the tests of the torch optimizer share: parameters, gradients, runs, and what they leave."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from replay import Record
from torch.nn import Parameter

VERSION = tuple(map(int, torch.__version__.split(".")[:2]))  #: of PyTorch
#: PyTorch 2.7's own SequentialLR calls what PyTorch deprecates.
SEQUENTIAL_LR = pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")


def parameters(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[Parameter]:
    torch.manual_seed(len(shapes))
    return [Parameter(torch.randn(shape, dtype=dtype)) for shape in shapes]


def values(params: list[Any]) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in params]


def gradients(params: list[Any], t: int) -> list[torch.Tensor]:
    """The same for the same t; of all sizes."""
    generator = torch.Generator().manual_seed(t)
    scale = 10.0 ** (t % 5 - 2)
    return [scale * torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in params]


def advance(optimizer: Any, params: list[Any], steps: range, record: Record | None = None) -> None:
    """Step on those gradients, and write down what happened."""
    for t in steps:
        grads = gradients(params, t)
        for p, g in zip(params, grads, strict=True):
            p.grad = g.clone()
        optimizer.step()
        if record is not None:
            record.add([g.numpy() for g in grads], values(params))


def bits(x: Any) -> Any:
    """What a state dict holds, comparable."""
    if isinstance(x, torch.Tensor):
        return str(x.dtype), tuple(x.shape), x.tolist()
    if isinstance(x, dict):
        return {k: bits(v) for k, v in x.items()}
    return [bits(v) for v in x] if isinstance(x, list | tuple) else x


def through_a_file(state_dict: Any) -> Any:
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
