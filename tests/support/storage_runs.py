"""Parameters of 16 bits in NumPy, PyTorch and JAX, and steps of them under every policy of storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from adamcore import Adam

LIBRARIES = ("numpy", "torch", "jax")
RESTS = ("master", "split", "split8", "kahan")  #: the policies that keep a part of p in the state
CASES = [
    (policy, dtype)
    for policy in (*RESTS, "stochastic")
    for dtype in ("bfloat16", "float16")
    if (policy, dtype) != ("split8", "float16")
]

SPECIAL = [
    *(0x00000000, 0x00000001, 0x00007FFF, 0x00008000, 0x00800000, 0x3F800000, 0x3F808000, 0x3F818000),
    *(0x3F807FFF, 0x3F808001, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000),
    *(0x7FFFFFFF, 0x33000000, 0x33000001, 0x2F000000, 0x32FFFFFF, 0x387FFFFF, 0x38800000, 0x38801000),
    *(0x3880FFFF, 0x477FEFFF, 0x477FF000, 0x477FFFFF, 0x47800000),
]


def samples(count: int = 5_000) -> Any:
    """Float32 numbers: every special word with both signs, words at random, and the range of float16."""
    random = np.random.default_rng(14)
    special = np.array(SPECIAL, np.uint32)
    words = random.integers(0, 2**32, count, dtype=np.uint64).astype(np.uint32)
    halves = (random.standard_normal(count) * 10.0 ** random.uniform(-9, 5, count)).astype(np.float32)
    return np.concatenate([np.concatenate([special, special | 0x80000000, words]).view(np.float32), halves])


def array(library: str, values: Any, dtype: str) -> Any:
    """Return an array of a library; bfloat16 is that of ml_dtypes in NumPy."""
    wide = np.asarray(values, np.float32)
    if library == "torch":
        torch = pytest.importorskip("torch")
        return torch.tensor(wide).to(getattr(torch, dtype))
    if library == "jax":
        return pytest.importorskip("jax").numpy.asarray(wide, dtype=dtype)
    pytest.importorskip("ml_dtypes")
    return wide.astype(np.dtype(dtype))


def numbers(x: Any) -> Any:
    """Return an array of any library in NumPy: integers as they are, other dtypes in float32."""
    if hasattr(x, "detach"):
        x = x.detach().float() if x.is_floating_point() else x.detach()
    x = np.asarray(x)
    return x if x.dtype.kind in "iu" else x.astype(np.float32)


def words_of(library: str) -> Any:
    """Return a library's operations on bits."""
    pytest.importorskip(library)
    module = __import__(f"adamcore.backends.{library}.words", fromlist=["WORDS"])
    return module.WORDS


def steps(
    adam: Adam,
    library: str,
    dtype: str,
    count: int,
    *,
    step: Callable[..., Any] | None = None,
    **options: Any,
) -> tuple[list[Any], Any]:
    """Return three parameters after steps, the second of float32, and the state."""
    params = [
        array(library, np.linspace(0.5, 2.0, 21).reshape(3, 7), dtype),
        array(library, np.ones((2, 3)), "float32"),
        array(library, 1.0, dtype),
    ]
    state = adam.init(params)
    for k in range(count):
        grads = [
            array(library, g, str(d)) for g, d in zip(gradients(k), (dtype, "float32", dtype), strict=True)
        ]
        params, state = (step or adam.step)(params, grads, state, **options)
    return params, state


def gradients(k: int) -> Sequence[Any]:
    """Return gradients of those three parameters; each is a number of either dtype of 16 bits."""
    some = np.arange(21.0).reshape(3, 7) % 5 / 4 - 0.25
    return some, np.full((2, 3), 0.5), (0.25 if k % 3 else -0.125)


def same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """True if two lists of arrays of any libraries have the same bits."""
    return all(numbers(x).tobytes() == numbers(y).tobytes() for x, y in zip(a, b, strict=True))


def equal(a: Any, b: Any) -> bool:
    """True if numbers have the same bits, or are both NaN."""
    return bool(np.all((a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))))
