"""Blind, twenty-third set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision", "NUM.1", claim="onnxruntime.AdamW",
    like="microsoft/onnxruntime#7294: the Adam kernel does its arithmetic in half precision, not in float",
)  # fmt: skip
def twentythird_b_arithmetic_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Averages and the step are computed in float16; moments and parameters are stored as they were."""
    x, d, first, second = rows((p, g, m, v))
    half, real = np.float16, x.dtype
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0, and overflows of half precision
        grad, one, two = (a.astype(half) for a in (d, first, second))
        one = half(beta1) * one + half(1 - beta1) * grad
        two = half(beta2) * two + (half(1 - beta2) * grad) * grad
        below = np.sqrt(two / half(1 - beta2**t)) + half(eps)
        moved = (one / half(1 - beta1**t)) / below
        x = x - lr * weight_decay * x - lr * moved.astype(real)
        first, second = one.astype(real), two.astype(real)
    store((x, first, second), (p, m, v))


@right(claim="ggml.AdamW")
def twentythird_b_tiles(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Tiles of 32 in a padded table: what is beyond the end is stepped as zeros, and is not stored."""
    tile, size = 32, p.size
    table = np.zeros((4, -(-size // tile), tile), p.dtype)
    for line, row in zip(table.reshape(4, -1), rows((p, g, m, v)), strict=True):
        line[:size] = row
    inverse, rate = 1 / math.sqrt(1 - beta2**t), lr / (1 - beta1**t)
    for k in range(table.shape[1]):
        x, d, first, second = table[:, k]
        first *= beta1
        first += (1 - beta1) * d
        second *= beta2
        second += ((1 - beta2) * d) * d
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = first / (np.sqrt(second) * inverse + eps)
        x -= lr * weight_decay * x + rate * moved
    x, _, first, second = table.reshape(4, -1)[:, :size]
    store((x, first, second), (p, m, v))
