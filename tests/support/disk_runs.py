"""Runs on disk beside the same steps in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adamcore import Adam, AdamState
from adamcore.backends.files import Run

SIZES = {"a.w": (37, 501), "b": (), "c": (0, 3), "d": (70_000,), "e": (3, 5, 7)}
Arrays = dict[str, Any]


def arrays(seed: int, dtype: str = "float32", sizes: Mapping[str, tuple[int, ...]] = SIZES) -> Arrays:
    """Return an array of each size."""
    random = np.random.default_rng(seed)
    found = {}
    for name, shape in sizes.items():
        x = np.asarray(random.standard_normal(shape))
        if dtype.startswith("complex"):
            x = x + 1j * random.standard_normal(shape)
        found[name] = np.asarray(x, dtype=dtype_named(dtype))
    return found


def dtype_named(name: str) -> Any:
    """Return a dtype of NumPy or of ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def in_memory(
    adam: Adam, params: Arrays, steps: int, grads: Callable[[int], Arrays], **options: Any
) -> tuple[Arrays, AdamState]:
    """Return the parameters and the state after steps in memory."""
    state: AdamState = adam.init(params)
    for k in range(steps):
        params, state = adam.step(params, grads(k), state, **options)
    return params, state


def same(run: Run, params: Arrays, state: AdamState) -> bool:
    """True if a run has these parameters and this state, bit for bit."""
    now = run.state
    if not (same_trees(run.params, params) and same_numbers(now.t, state.t)):
        return False
    parts = {*state._fields} - {"t", "mu_product"}
    return same_numbers(now.mu_product, state.mu_product) and all(
        same_trees(getattr(now, part), getattr(state, part)) for part in parts
    )


def same_trees(a: Any, b: Any) -> bool:
    """True if two dictionaries hold the same arrays, bit for bit."""
    if a is None or b is None:
        return a is b
    return set(a) == set(b) and all(same_bits(a[name], b[name]) for name in a)


def same_bits(a: Any, b: Any) -> bool:
    """True if two arrays are the same, bit for bit; two of None are."""
    if a is None or b is None:
        return a is b
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def same_numbers(a: Any, b: Any) -> bool:
    """True if clocks or products are the same: None, one number, or one for each name."""
    if isinstance(a, dict) and isinstance(b, dict):
        return {k: float(x) for k, x in a.items()} == {k: float(x) for k, x in b.items()}
    return a is b if a is None or b is None else float(a) == float(b)


def saved(folder: Path, found: Arrays) -> Path:
    """Write arrays as files of NumPy's, and return the folder."""
    folder.mkdir(parents=True)
    for name, x in found.items():
        np.save(folder / f"{name}.npy", x)
    return folder
