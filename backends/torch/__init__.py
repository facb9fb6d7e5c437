"""PyTorch: the array backend, ``Adam`` and ``AdamW`` as ``torch.optim.Optimizer``, and :func:`compiled`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adamcore.backends.torch.backend import backend
from adamcore.backends.torch.compiler import compiled

if TYPE_CHECKING:
    from adamcore.backends.torch.optimizer import Adam, AdamW

__all__ = ["Adam", "AdamW", "backend", "compiled"]


def __getattr__(name: str) -> Any:
    """``Adam`` and ``AdamW``: :mod:`torch.optim` is loaded when they are asked for."""
    if name in ("Adam", "AdamW"):
        from adamcore.backends.torch import optimizer

        return getattr(optimizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
