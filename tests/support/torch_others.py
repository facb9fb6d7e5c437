"""Tensors that differ, each in one respect, from a contiguous one of shape (3, 2) in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Own(torch.Tensor):
    pass


OTHERS: dict[str, Callable[[], Any]] = {
    "dtype": lambda: torch.ones(3, 2, dtype=torch.float64),
    "shape": lambda: torch.ones(2, 3),
    "order": lambda: torch.ones(2, 3).T,
    "gaps": lambda: torch.ones(3, 4)[:, ::2],
    "device": lambda: torch.ones(3, 2, device="meta"),
    "layout": lambda: torch.ones(3, 2).to_sparse(),
    "blocked": lambda: torch.ones(3, 2).to_mkldnn(),
    "negation": lambda: torch._neg_view(torch.ones(3, 2)),
    "subclass": lambda: torch.ones(3, 2).as_subclass(Own),
    "number": lambda: 5,
    "nothing": lambda: None,
}
