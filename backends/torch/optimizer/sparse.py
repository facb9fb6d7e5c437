"""Sparse gradients: as dense ones, or only the rows that they list (``sparse="lazy"``)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

Rows = tuple[torch.Tensor, ...]  #: an index tensor for each sparse dimension


def densified(g: torch.Tensor) -> torch.Tensor:
    """Return a gradient of any layout as a strided one; duplicate entries are added up."""
    return g if g.layout is torch.strided else g.to_dense()


def listed(g: torch.Tensor) -> tuple[Rows, torch.Tensor]:
    """Return the rows that a sparse gradient lists, each once, and the sums of its values there."""
    g = (g if g.is_sparse else g.to_sparse_coo()).coalesce()
    return tuple(g.indices()), g.values()


def gather(rows: Rows, tensors: Sequence[torch.Tensor | None]) -> list[torch.Tensor | None]:
    """Return a copy of those rows of each tensor."""
    return [None if x is None else x.detach()[rows] for x in tensors]


def scatter(rows: Rows, tensors: Sequence[torch.Tensor | None], new: Sequence[torch.Tensor | None]) -> None:
    """Write new rows into the tensors."""
    for x, values in zip(tensors, new, strict=True):
        if x is not None and values is not None:
            x.detach().index_put_(rows, values)


def unscaled(g: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Write ``g / scale`` into ``g``, as the fused kernels do; return it, in float32 at least."""
    values = (
        g if g.layout is torch.strided else g.values() if g.layout is not torch.sparse_coo else g._values()
    )
    scale = scale.detach().to(values.device)
    if values.dtype in (torch.float16, torch.bfloat16) and g.layout is torch.strided:
        wide = values.float() / scale
        values.copy_(wide)
        return wide
    values.div_(scale)
    return g
