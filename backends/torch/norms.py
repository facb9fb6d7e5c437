"""Norms of gradients, with which they are clipped."""

from __future__ import annotations

from typing import Any

import torch

from adamcore.backends.torch import shards

SAFE = 1e-140, 1e140  #: a norm in between has squares that float64 holds


def norm(g: torch.Tensor, where: torch.Tensor | None, wide: torch.dtype) -> torch.Tensor:
    """Return the Euclidean norm of a gradient as a 0-d tensor.

    Elements under False do not count, nor do NaN and infinities.

    Args:
        g: real or complex; of a sharded one all parts count, on every process in the same order.
        where: booleans, broadcastable to ``g``; None is all True.
        wide: the real dtype of the sum.
    """
    x = g.detach()
    if x.is_complex():
        x = torch.view_as_real(x.resolve_conj())
        where = None if where is None or where.ndim == 0 else where.unsqueeze(-1)
    if not x.numel():
        return whole(torch.zeros((), dtype=wide, device=x.device))
    if where is None and not torch.compiler.is_compiling() and x.is_cpu and not shards.is_sharded(x):
        quick = torch.linalg.vector_norm(x, dtype=wide)
        known = type(quick) is torch.Tensor and not torch._C._functorch.is_functorch_wrapped_tensor(quick)
        if known and SAFE[0] < quick.item() < SAFE[1]:
            return quick
    size = x.to(wide).abs()
    counts = torch.isfinite(size) if where is None else torch.isfinite(size) & where
    size = torch.where(counts, size, 0.0)
    largest = whole(size.amax())
    divisor = torch.where(largest > 0, largest, 1.0)
    return divisor * whole(torch.linalg.vector_norm(size / divisor))


def whole(x: Any) -> torch.Tensor:
    """Return a tensor with its parts on other processes, if it has any."""
    found: torch.Tensor = x.full_tensor() if shards.is_sharded(x) else x
    return found
