"""Norms of gradients, with which they are clipped."""

from __future__ import annotations

from typing import Any

import torch

from adamcore.backends.torch import shards

SAFE = 1e-140, 1e140  #: a norm in between has squares that float64 holds
SAFE_SINGLE = 1e-10, 1e18  #: the same for float32, of what matters beside such a norm
ROW = 1024  #: squares that are added up in float32 at most


def norm(g: torch.Tensor, where: torch.Tensor | None, wide: torch.dtype) -> torch.Tensor:
    """Return the Euclidean norm of a gradient as a 0-d tensor.

    Elements under False do not count, nor do NaN and infinities.

    Args:
        g: real or complex; of a sharded one all parts count, on every process in the same order.
        where: booleans, broadcastable to ``g``; None is all True.
        wide: the real dtype of the sum.
    """
    whole = g
    if shards.is_sharded(g):
        g, where = parts_here(g, where)
    x = g.detach()
    if x.is_complex():
        x = torch.view_as_real(x.resolve_conj())
        where = None if where is None or where.ndim == 0 else where.unsqueeze(-1)
    if whole is g and where is None and x.is_cpu and not torch.compiler.is_compiling():
        single = x.dtype is torch.float32 and x.is_contiguous() and x.numel() > ROW
        quick: torch.Tensor = by_rows(x.view(-1), wide) if single else torch.linalg.vector_norm(x, dtype=wide)
        known = type(quick) is torch.Tensor and not torch._C._functorch.is_functorch_wrapped_tensor(quick)
        least, most = SAFE_SINGLE if single else SAFE
        if known and least < quick.item() < most:
            return quick
    size = x.to(wide).abs()
    counts = torch.isfinite(size) if where is None else torch.isfinite(size) & where
    size = torch.where(counts, size, 0.0)
    largest = size.amax() if size.numel() else torch.zeros((), dtype=wide, device=size.device)
    largest = over_parts(whole, largest, "max")
    divisor = torch.where(largest > 0, largest, 1.0)
    return divisor * over_parts(whole, (size / divisor).square().sum(), "sum").sqrt()


def by_rows(x: torch.Tensor, wide: torch.dtype) -> torch.Tensor:
    """Return the norm of a float32 vector from norms of :data:`ROW` numbers, faster than in float64."""
    whole = x.numel() // ROW * ROW
    norms = [
        torch.linalg.vector_norm(x[:whole].view(-1, ROW), dim=1),
        torch.linalg.vector_norm(x[whole:]).view(1),
    ]
    found: torch.Tensor = torch.linalg.vector_norm(torch.cat(norms), dtype=wide)
    return found


def parts_here(g: Any, where: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the part of a sharded gradient that is here, and that of its mask."""
    from torch.distributed.tensor import Replicate

    added_up = [Replicate() if placement.is_partial() else placement for placement in g.placements]
    if added_up != list(g.placements):
        g = g.redistribute(g.device_mesh, added_up)
    if where is not None and where.ndim:
        where = shards.placed_as(g, shards.distributed_like(g, where.broadcast_to(g.shape)), "a mask")
    here: torch.Tensor = shards.local(g)
    return here, shards.local(where)


def over_parts(g: Any, value: torch.Tensor, how: str) -> torch.Tensor:
    """Return the sum or the largest of a 0-d tensor over the processes that have parts of ``g``."""
    if not shards.is_sharded(g) or g.device_mesh.get_coordinate() is None:
        return value
    from torch.distributed.tensor import DTensor, Partial, Replicate

    whole = (Replicate, Partial)  # a gradient that was to be added up is replicated by now
    placements = [Replicate() if isinstance(p, whole) else Partial(how) for p in g.placements]
    found: torch.Tensor = DTensor.from_local(value, g.device_mesh, placements).full_tensor()
    return found
