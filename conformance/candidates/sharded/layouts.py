"""How arrays lie on several ranks: the dimension that is cut along each axis of the mesh of ranks.

A rank is a process of PyTorch, or a device of JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.types import FloatArray

Shape = Sequence[int]
Cuts = tuple[int | None, ...]
"""For each axis of the mesh the dimension of an array that is cut along it, or None."""


class RankError(RuntimeError):
    """A step failed on another rank, or left the ranks with different parameters."""


def by_rows(shape: Shape) -> Cuts:
    return (0,) if shape else (None,)


def by_columns(shape: Shape) -> Cuts:
    return (1,) if len(shape) > 1 else (0,) if len(shape) == 1 and shape[0] % 2 else (None,)


def by_both(shape: Shape) -> Cuts:
    return (0, 1) if len(shape) > 1 else (0, 0) if shape else (None, None)


def whole(shape: Shape) -> Cuts:
    return (None,)


CUTS: dict[str, Callable[[Shape], Cuts]] = {
    "fsdp": by_rows,
    "tp": by_columns,
    "2d": by_both,
    "ddp": whole,
    "zero": whole,
    "shard_map": by_rows,
}
"""For each layout, how an array of a shape is cut."""


def cuts_of(layout: str, shape: Shape, *, resumed: bool = False) -> Cuts:
    """Return how an array is cut, otherwise in a run that is resumed: its state has to be cut anew.

    >>> cuts_of("fsdp", (3, 5)), cuts_of("fsdp", (3, 5), resumed=True), cuts_of("2d", (3, 5), resumed=True)
    ((0,), (1,), (1, 0))
    """
    cuts = CUTS[layout](shape)
    if not resumed or layout in ("ddp", "zero", "shard_map"):
        return cuts
    if len(cuts) > 1:
        return cuts[::-1] if len(shape) > 1 else (None, *cuts[1:])
    return (1,) if len(shape) > 1 else (None,)


def mesh_shape(layout: str, ranks: int) -> tuple[int, ...]:
    """Return the axes of the mesh of so many ranks: two for "2d", as near to a square as they can be.

    >>> mesh_shape("fsdp", 8), mesh_shape("2d", 8), mesh_shape("2d", 3)
    ((8,), (2, 4), (1, 3))
    """
    if layout != "2d":
        return (ranks,)
    rows = max(n for n in range(1, math.isqrt(ranks) + 1) if ranks % n == 0)
    return rows, ranks // rows


def place_of(shape: Shape, cuts: Cuts, mesh: Sequence[int], rank: int) -> tuple[slice, ...]:
    """Return what a rank has of an array; as in PyTorch, the last parts may be smaller, or empty.

    >>> place_of((5, 4), (0,), (2,), 1), place_of((5, 4), (0, 1), (2, 2), 1)
    ((slice(3, 5, None), slice(0, 4, None)), (slice(0, 3, None), slice(2, 4, None)))
    """
    ranges = [(0, n) for n in shape]
    for dim, count, at in zip(cuts, mesh, np.unravel_index(rank, tuple(mesh)), strict=True):
        if dim is not None:
            start, stop = ranges[dim]
            size = -(-(stop - start) // count)
            ranges[dim] = min(start + int(at) * size, stop), min(start + (int(at) + 1) * size, stop)
    return tuple(slice(*each) for each in ranges)


def assemble(parts: Sequence[FloatArray], shape: Shape, cuts: Cuts, mesh: Sequence[int]) -> FloatArray:
    """Return an array of its parts on all ranks.

    Raises:
        RankError: a part has another shape than it had, or two ranks have other bits of the same elements.
    """
    found = np.empty(tuple(shape), parts[0].dtype)
    seen: dict[str, int] = {}
    for rank, part in enumerate(parts):
        place = place_of(shape, cuts, mesh, rank)
        wanted = tuple(each.stop - each.start for each in place)
        if part.shape != wanted:
            raise RankError(f"the part on rank {rank} has shape {part.shape}, expected {wanted}")
        first = seen.setdefault(str(place), rank)
        if not same_bits(part, parts[first]):
            raise RankError(f"other bits on rank {rank} than on rank {first}")
        found[place] = part
    return found
