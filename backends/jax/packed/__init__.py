"""States whose arrays are packed into a vector each, for trees of many small arrays: :func:`pack`."""

from adamcore.backends.jax.packed.tree import Packed, pack, unpack

__all__ = ["Packed", "pack", "unpack"]
