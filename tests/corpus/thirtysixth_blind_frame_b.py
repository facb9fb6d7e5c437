"""What the Adams of the thirty-sixth blind set's second half share: a norm, and gradients that are cut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from blind_frame import Array, Frame


def squared(row: Array) -> float:
    """Return the sum of the squares of a row's finite numbers, in double."""
    wide = np.where(np.isfinite(row), row, 0).astype(np.float64)
    return float(np.sum(wide * wide))


def coefficient(squares: Iterable[float], limit: float) -> float:
    """Return what gradients of these squared norms are multiplied by, to have a norm of the limit at most."""
    return min(1.0, limit / (math.sqrt(sum(squares)) + 1e-6))


class Factored(Frame):
    """Each gradient of a step has a factor: 1 here."""

    def factors(self, rows: Sequence[Array | None]) -> list[float]:
        return [1.0] * len(rows)

    def all(self, grads: Sequence[Array | None]) -> None:
        factors = self.factors([None if g is None else self.taken(g) for g in grads])
        super().all(
            [None if g is None else (g * f).astype(g.dtype) for g, f in zip(grads, factors, strict=True)]
        )
