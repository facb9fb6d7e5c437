"""A backend of arrays that are never looked into: with it the core checks and plans a step of files.

The plan is that of the same tree in memory: which leaves take part, their clocks, their coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adamcore.backends.files.arrays import SOURCES, Cast, Zeros
from adamcore.backends.numpy.backend import NumPyBackend
from adamcore.backends.numpy.words import NumPyWords
from adamcore.jobs import Columns, Job, Result
from adamcore.storage.bits import TableWords
from adamcore.types import Array


class StandInWords(NumPyWords):
    """Says that bits can be read; the pieces of an array are read by NumPy's own."""

    def zero_scales(self, like: Array, size: int, dtype: Any) -> Array:
        return Zeros((-(-math.prod(like.shape) // size),), dtype)


WORDS = StandInWords()


class StandInBackend(NumPyBackend):
    """The arrays of :mod:`adamcore.backends.files.arrays`; clocks are Python's numbers."""

    name = "files"
    fast = None

    def owns(self, leaf: object) -> bool:
        return isinstance(leaf, SOURCES)

    def refuse(self, leaf: Array) -> str | None:
        if leaf.dtype.isnative:
            return None
        return f"of dtype {leaf.dtype}, whose bytes are in another order; give x.astype({leaf.dtype.name!r})"

    def uniform(self, columns: Columns) -> bool:
        return False

    def zeros(self, like: Array, dtype: Any) -> Array:
        return Zeros(like.shape, dtype)

    def cast(self, x: Array, dtype: Any) -> Array:
        return x if x.dtype == dtype else Cast(x, dtype)

    def full(self, value: float, dtype: Any, like: Array) -> Any:
        return int(value) if np.dtype(dtype).kind == "i" else float(value)

    def bits_of_floats(self) -> TableWords | None:
        return WORDS

    def apply(self, adam: Any, jobs: Sequence[Job], donate: bool) -> Sequence[Result]:
        raise NotImplementedError  # adamcore.backends.files.blocks makes it, piece by piece


BACKEND = StandInBackend()
