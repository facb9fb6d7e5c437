"""Numbers for moments in 8 bits, kept and found again in NumPy, PyTorch and JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from storage_runs import array, numbers, words_of

from adamcore import Adam
from adamcore.storage.moments import Coding, decode, encode

POLICIES = ("companded8",)
SHAPES = ((3, 50), (), (64,), (0, 2), (129,))
Kept = tuple[Any, Any, Any]


def moments(signed: bool) -> list[Any]:
    """Return arrays of float32: like moments, over all of the range, and with numbers that are not finite."""
    random = np.random.default_rng(14)
    some = [
        random.standard_normal((37, 53)) * 1e-3,
        10.0 ** random.uniform(-45, 38, 3000),
        np.repeat(10.0 ** random.uniform(-45, 36, 100), 64) * 10.0 ** random.uniform(-3, 0, 6400),
        [0.0, -0.0, 1e-45, -1e-45, np.inf, -np.inf, np.nan, 2.0**-126, 3e38],
        random.integers(0, 2**32, 1000, dtype=np.uint64).astype(np.uint32).view(np.float32),
        np.zeros((0, 3)),
        np.zeros(70),
        3.0,
    ]
    with np.errstate(all="ignore"):
        found = [np.asarray(x).astype(np.float32) for x in some]
    return [x * np.sign(np.sin(np.arange(x.size) + 1)).reshape(x.shape) if signed else abs(x) for x in found]


def kept(library: str, coding: Coding, x: Any, jit: bool = False) -> Kept:
    """Return codes, scales and the numbers that they stand for, in NumPy."""
    n = words_of(library)

    def run(x: Any) -> Kept:
        codes, scales = encode(n, coding, x)
        codes, scales = as_dtype(codes, coding.dtype), as_dtype(scales, coding.scale_dtype)
        return codes, scales, decode(n, coding, codes, scales)

    step: Callable[..., Any] = pytest.importorskip("jax").jit(run) if jit else run
    with np.errstate(all="ignore"):
        codes, scales, again = step(array(library, x, "float32"))
    return numbers(codes), numbers(scales), numbers(again)


def as_dtype(x: Any, name: str) -> Any:
    """Return an array in the dtype in which a state keeps it."""
    return x.to(getattr(__import__("torch"), name)) if hasattr(x, "detach") else x.astype(name)


def found_again(coding: Coding, x: Any) -> Any:
    """Return the numbers that codes of ``x`` stand for, in NumPy."""
    return kept("numpy", coding, x)[2]


def steps(adam: Adam, library: str, count: int = 4, dtype: str = "float32", **options: Any) -> Any:
    """Return parameters of :data:`SHAPES` after steps whose arithmetic is exact but for few roundings."""
    random = np.random.default_rng(5)
    params = [array(library, random.standard_normal(shape), dtype) for shape in SHAPES]
    state = adam.init(params)
    step = options.pop("step", adam.step)
    for _ in range(count):
        grads = [array(library, random.integers(-8, 9, shape) / 8, dtype) for shape in SHAPES]
        params, state = step(params, grads, state, **options)
    return params, state
