"""Arrays made flat and real, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

A = np.ndarray[Any, Any]
F = float


def shaped(a: A, dtype: Any, shape: tuple[int, ...]) -> A:
    """What :func:`reals` made flat and real, as it was."""
    return np.reshape(a.view(dtype), shape)


def reals(a: A) -> A:
    """A flat real view of an array, complex ones as pairs; row after row."""
    flat = np.ascontiguousarray(a).reshape(-1)
    return flat.view(flat.real.dtype)
