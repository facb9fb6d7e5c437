"""Rows of PyTorch's tensors: gradients of which only some are given."""

from __future__ import annotations

import torch

from adamcore.backends.torch import nvrtc, shards
from adamcore.errors import BackendError

Places = torch.Tensor | tuple[torch.Tensor, ...]  #: indices of rows, or of what the first axes single out


class TorchRows:
    """See :class:`adamcore.protocol.RowFunctions`."""

    def reach(self, indices: torch.Tensor) -> tuple[int, int] | None:
        if not indices.numel() or torch.compiler.is_compiling() or not nvrtc.on_host(indices):
            return None
        least, most = indices.aminmax()
        return int(least), int(most)

    def sums(
        self, indices: torch.Tensor, values: torch.Tensor, count: int, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows, places = torch.unique(indices, return_inverse=True)
        sums = torch.zeros((len(rows), *values.shape[1:]), dtype=dtype, device=values.device)
        return rows.long(), sums.index_add_(0, places, values.detach().to(dtype))

    def take(self, x: torch.Tensor, rows: Places) -> torch.Tensor:
        refuse_sharded(x)
        return x.detach()[rows]

    def put(self, x: torch.Tensor, rows: Places, new: torch.Tensor, donate: bool) -> torch.Tensor:
        refuse_sharded(x)
        if donate:
            x.detach().index_put_(each_axis(rows), new.to(x.dtype))
            return x
        return x.detach().index_put(each_axis(rows), new.to(x.dtype)).requires_grad_(x.requires_grad)

    def listed(self, rows: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        shape = (like.shape[0], *(1,) * (like.ndim - 1))
        return torch.zeros(shape, dtype=torch.bool, device=like.device).index_fill_(0, rows, True)


class RecordedRows(TorchRows):
    """Rows in a step that autograd records."""

    def take(self, x: torch.Tensor, rows: Places) -> torch.Tensor:
        return x[rows]

    def put(self, x: torch.Tensor, rows: Places, new: torch.Tensor, donate: bool) -> torch.Tensor:
        return x.index_put(each_axis(rows), new.to(x.dtype))


def each_axis(rows: Places) -> tuple[torch.Tensor, ...]:
    """Return the indices of each of the first axes."""
    return rows if isinstance(rows, tuple) else (rows,)


def refuse_sharded(x: torch.Tensor) -> None:
    """Raise BackendError for a sharded tensor."""
    if shards.is_sharded(x):
        raise BackendError(
            f"Rows of a DTensor of shape {tuple(x.shape)}: expected a plain tensor, as each process has rows "
            "of its own; give the dense gradient"
        )


ROWS, RECORDED_ROWS = TorchRows(), RecordedRows()
