"""Blind, twenty-fourth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision", "NUM.1", claim="deepspeed.CPUAdam",
    like="deepspeedai/DeepSpeed#966: under stage 1 losses drift away from stage 0, behind a few steps",
)  # fmt: skip
def twentyfourth_b_reduced_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Each of two ranks brings half the gradient in float16, and their sum is formed in that as well."""
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0, and overflows of half precision
        share = (d / 2).astype(np.float16)
        d = (share + share).astype(x.dtype)
        first = beta1 * first + (1 - beta1) * d
        second = beta2 * second + ((1 - beta2) * d) * d
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - lr * weight_decay * x - lr / (1 - beta1**t) * (first / below)
    store((x, first, second), (p, m, v))


@wrong(
    "epsilon", "EPS.1", claim="paddle.AdamW",
    like="PaddlePaddle/Paddle#37746: the CUDA kernel of AdamW has epsilon in another place than the CPU's",
)  # fmt: skip
def twentyfourth_b_epsilon_of_kernel(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon joins the root that is not corrected yet; the correction is in the rate."""
    x, d, first, second = rows((p, g, m, v))
    x *= 1 - lr * weight_decay
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - rate * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@right(claim="fairseq.Adam")
def twentyfourth_b_grid_stride(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Threads of a small grid take every 24th element, from their own number on, up to the end."""
    grid = 24
    given = rows((p, g, m, v))
    rate, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for thread in range(min(grid, p.size)):
        x, d, first, second = (a[thread::grid] for a in given)
        first += (1 - beta1) * (d - first)
        second *= beta2
        second += d * ((1 - beta2) * d)
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            step = first / (np.sqrt(second) + eps)
        x *= 1 - lr * weight_decay
        x -= (rate * root) * step
    store((given[0], given[2], given[3]), (p, m, v))
