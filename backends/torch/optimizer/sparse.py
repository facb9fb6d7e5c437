"""Sparse gradients: as dense ones, or only the rows that they list (``sparse="lazy"``)."""

from __future__ import annotations

import torch

NARROW = torch.float16, torch.bfloat16


def densified(g: torch.Tensor) -> torch.Tensor:
    """Return a gradient of any layout as a strided one; duplicate entries are added up."""
    return g if g.layout is torch.strided else wide(g).to_dense()


def listed(g: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Return what a sparse gradient lists, each place once, and the sums of its values there.

    A place is told by an index tensor for each sparse dimension.
    """
    g = (wide(g) if g.is_sparse else g.to_sparse_coo()).coalesce()
    return tuple(g.indices()), g.values()


def values(g: torch.Tensor) -> torch.Tensor:
    """Return the entries of a gradient of any layout; duplicate entries are added up."""
    if g.layout is torch.strided:
        return g
    return listed(g)[1] if g.is_sparse else g.values()


def wide(g: torch.Tensor) -> torch.Tensor:
    """Return a sparse gradient in the dtype in which duplicate entries are added up (SPARSE.1)."""
    return g.float() if g.is_sparse and g.dtype in NARROW and not g.is_coalesced() else g


def unscaled(g: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Write ``g / scale`` into ``g``, as the fused kernels do; return it, in float32 at least."""
    single = g.float() if g.dtype in NARROW else g
    x = entries(single).div_(scale.detach().to(g.device))
    if single is not g:
        entries(g).copy_(x)
    return single


def entries(g: torch.Tensor) -> torch.Tensor:
    """Return the numbers that a gradient of any layout consists of, as it lists them."""
    return g if g.layout is torch.strided else g._values() if g.is_sparse else g.values()
