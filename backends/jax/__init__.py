"""JAX: the array backend, ``adam`` and its like as optax transformations, :func:`native`, :func:`pack`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adamcore.backends.jax.backend import backend
from adamcore.backends.jax.in_jit import native
from adamcore.backends.jax.packed.tree import pack, unpack

if TYPE_CHECKING:
    from adamcore.backends.jax.optimizer import adam, adamw, amsgrad, nadam, nadamw

__all__ = ["adam", "adamw", "amsgrad", "backend", "nadam", "nadamw", "native", "pack", "unpack"]

OPTAX = ("adam", "adamw", "amsgrad", "nadam", "nadamw")


def __getattr__(name: str) -> Any:
    """``adam`` and its like: optax is loaded when they are asked for."""
    if name in OPTAX:
        from adamcore.backends.jax import optimizer

        return getattr(optimizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
