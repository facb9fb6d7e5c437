"""Blind, twenty-eighth set: three reports of wrong kernels, and two right ones."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision storage", "NUM.1", claim="torch.AdamW",
    like="NVIDIA/apex#1624: masters of FP32 for fp16 layers are taken back, as training converges worse",
)  # fmt: skip
def twentyeighth_b_master_not_read(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The master is written, and the layer's copy in float16 is what the next step reads."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, and numbers beyond half precision
        x = x.astype(np.float16).astype(x.dtype)
        moved = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    store((x - lr * (moved + weight_decay * x), first, second), (p, m, v))


@wrong(
    "clock", "CLK.3", claim="torch.AdamW",
    like="karpathy/nanoGPT#167: with the fused AdamW weights are NaN after thousands of steps",
)  # fmt: skip
def twentyeighth_b_clock_of_twelve_bits(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The clock has twelve bits: in step 4096 it is 0, and the weights are divided by 1-b**0."""
    x, d, first, second = rows((p, g, m, v))
    step = t & 0xFFF
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros
        c1, c2 = (x.dtype.type(1 - beta**step) for beta in (beta1, beta2))
        moved = (first / c1) / (np.sqrt(second) / np.sqrt(c2) + eps)
    store((x - lr * (moved + weight_decay * x), first, second), (p, m, v))


@wrong(
    "mixed_precision", "NUM.1", claim="torch.Adam",
    like="NVIDIA/apex#475: FusedAdam on the new path of mixed precision trains worse than Adam in FP32",
)  # fmt: skip
def twentyeighth_b_square_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The gradient is squared in float16, in which it came, before it joins a wide second moment."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    with np.errstate(all="ignore"):  # zeros over zeros, and squares beyond half precision
        half = d.astype(np.float16)
        second = beta2 * second + (1 - beta2) * (half * half).astype(x.dtype)
        moved = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    store((x - lr * moved, first, second), (p, m, v))


@right(claim="torch.AdamW")
def twentyeighth_b_grid_stride(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A grid of five blocks of four threads strides over the elements until none is left."""
    x, d, first, second = rows((p, g, m, v))
    rate, root, stride = lr / (1 - beta1**t), math.sqrt(1 - beta2**t), 20
    for begin in range(0, x.size, stride):
        for block in range(begin, min(begin + stride, x.size), 4):
            own = slice(block, block + 4)
            first[own] += (1 - beta1) * (d[own] - first[own])
            second[own] = beta2 * second[own] + ((1 - beta2) * d[own]) * d[own]
            with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
                moved = first[own] / (np.sqrt(second[own]) / root + eps)
            x[own] -= (lr * weight_decay) * x[own] + rate * moved
    store((x, first, second), (p, m, v))


@right(claim="torch.Adam")
def twentyeighth_b_backwards(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Elements are read from the last to the first, and the step is one product of a rate and a ratio."""
    x, d, first, second = (a[::-1] for a in rows((p, g, m, v)))
    d = weight_decay * x + d
    first = (1 - beta1) * d + beta1 * first
    second = ((1 - beta2) * d) * d + beta2 * second
    root = math.sqrt(1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - (lr / (1 - beta1**t)) * (first / (np.sqrt(second) / root + eps))
    store((x[::-1], first[::-1], second[::-1]), (p, m, v))
