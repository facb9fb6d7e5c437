"""Arrays of 16 bits, of each library that has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

NARROW = [
    (library, dtype) for library in ("numpy", "torch", "jax") for dtype in ("float16", "bfloat16", "float32")
]


def narrow_array(library: str, values: Any, dtype: str) -> Any:
    """Return the values as an array of a library, rounded to the dtype."""
    pytest.importorskip(library)
    if library == "torch":
        import torch

        return torch.tensor(np.asarray(values, dtype=np.float64)).to(getattr(torch, dtype))
    if library == "jax":
        import jax.numpy as jnp

        return jnp.asarray(np.asarray(values, dtype=np.float32)).astype(dtype)
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    return np.asarray(values, dtype=np.float64).astype(dtype)


def as_float64(x: Any) -> np.ndarray:
    """Return an array of any library in float64."""
    if type(x).__module__.startswith("torch"):
        return np.asarray(x.detach().double().numpy())
    return np.asarray(x).astype(np.float64)
