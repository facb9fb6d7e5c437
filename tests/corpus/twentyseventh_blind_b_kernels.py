"""Blind, twenty-seventh set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "decay", "DEC.1", claim="torch.Adam",
    like="flagos-ai/FlagGems#3810: the fused Adam adds the decay to the update, not to the gradient",
)  # fmt: skip
def twentyseventh_b_decay_in_update(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Adam's weight decay is added to the update behind the moments, as AdamW's is."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        change = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    if weight_decay > 0:
        change = change + weight_decay * x
    store((x - lr * change, first, second), (p, m, v))


@wrong(
    "mixed_precision", "NUM.1", claim="paper",
    like="libfann/fann#159: sqrtf is called for a second moment of the double build",
)  # fmt: skip
def twentyseventh_b_sqrtf(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """The root is that of single precision, also where all else is double."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, and doubles beyond single precision
        root = np.sqrt((second / (1 - beta2**t)).astype(np.float32)).astype(x.dtype)
        x = x - lr * ((first / (1 - beta1**t)) / (root + eps))
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def twentyseventh_b_lanes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Whole lanes of eight go through a table, and the tail behind them through the same lines by itself."""
    full = p.size // 8 * 8
    flat = rows((p, g, m, v))
    rate, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for part in (slice(0, full), slice(full, p.size)):
        x, d, first, second = (a[part] for a in flat)
        x -= (lr * weight_decay) * x
        first += (1 - beta1) * (d - first)
        second *= beta2
        second += d * ((1 - beta2) * d)
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x -= rate * (first / (np.sqrt(second) / root + eps))
    store((flat[0], flat[2], flat[3]), (p, m, v))
