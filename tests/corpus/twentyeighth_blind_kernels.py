"""Blind, twenty-eighth set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


def rounded_at_random(x: Array, seed: int) -> Array:
    """Return numbers that are rounded to bfloat16, up or down by chance."""
    chance = np.random.default_rng(seed).integers(0, 1 << 16, x.size, dtype=np.uint32)
    words = x.astype(np.float32).view(np.uint32)
    near = ((words + chance) & np.uint32(0xFFFF0000)).view(np.float32)
    return np.asarray(np.where(np.isfinite(x), near, x), x.dtype)


@wrong(
    "storage mixed_precision", "NUM.1", claim="llm.c.AdamW",
    like="karpathy/llm.c#597: each tensor's update has the same seed for its stochastic rounding",
)  # fmt: skip
def twentyeighth_one_seed(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Parameters are stored as bfloat16, rounded at random with a seed that all arrays of a step share."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        moved = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
        x = rounded_at_random(x - lr * (moved + weight_decay * x), seed=1337 + t)
    store((x, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def twentyeighth_grid_stride(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A grid of four blocks of eight threads strides over the elements, until none is left."""
    x, d, first, second = rows((p, g, m, v))
    grid = 4 * 8
    c1, root = 1 - beta1**t, math.sqrt(1 - beta2**t)
    for start in range(0, x.size, grid):
        k = slice(start, start + grid)
        first[k] += (1 - beta1) * (d[k] - first[k])
        second[k] = beta2 * second[k] + ((1 - beta2) * d[k]) * d[k]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = (first[k] / c1) / (np.sqrt(second[k]) / root + eps)
        x[k] -= lr * (moved + weight_decay * x[k])
    store((x, first, second), (p, m, v))
