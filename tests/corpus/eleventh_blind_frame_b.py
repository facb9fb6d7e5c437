"""The frames of the second half of the eleventh blind set, and what lies in memory behind an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, flat
from fifth_blind_frame import CorrectedRate
from fourth_blind_frame import FOUR, Hat


class HatUndecayed(Hat):
    """Algorithm 1 in the order of its last section, with epsilon hat, and without decay."""

    dialect = "paper.eps-hat"
    hyper = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


class Contributed(CorrectedRate):
    """Apex' first fused Adam, with epsilon beside the uncorrected root."""

    dialect = "apex.contrib.FusedAdam"


def present(grads: Sequence[Array | None]) -> list[Array]:
    """Return the gradients that are there."""
    return [g for g in grads if g is not None]


def live(s: Slot, row: Array) -> Array:
    """Return a row in the shape of its parameter, in the memory that it has."""
    return row.view(s.dtype).reshape(s.shape)


def adopted(a: Any) -> Array:
    """Return an array as a row, in the memory that it has where that can be."""
    return flat(np.asarray(a))


def behind(g: Array) -> Array:
    """Return as many numbers as an array has, as they follow each other in memory from its first on.

    Where the memory ends the numbers of the array itself follow.
    """
    root = g
    while isinstance(root.base, np.ndarray):
        root = root.base
    if root.dtype != g.dtype or not root.flags.forc or g.size == 0:
        return flat(g)
    first = (g.__array_interface__["data"][0] - root.__array_interface__["data"][0]) // g.itemsize
    line = root.ravel(order="K")[first : first + g.size]
    return flat(np.concatenate([line, np.ascontiguousarray(g).reshape(-1)[line.size :]]))
