"""Blind, thirty-third set, second half: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision", "NUM.1", claim="paper.eps-hat",
    like="chainer/chainer#7780: the fused kernel's intermediates are halves, and overflow",
)  # fmt: skip
def thirtythird_b_half_intermediates(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """The square of the gradient is formed in half precision: it is infinite from 256 on."""
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):
        half = d.astype(np.float16)
        first += (1 - beta1) * (d - first)
        second += (1 - beta2) * ((half * half).astype(d.dtype) - second)
        alpha_t = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        x -= alpha_t * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtythird_b_tiles_with_tail(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Tiles of eight numbers, the last of which is filled up with zeros, and cut off when it is stored."""
    tile, size = 8, p.size
    x, d, first, second = (
        np.concatenate([row, np.zeros(-size % tile, row.dtype)]).reshape(-1, tile)
        for row in rows((p, g, m, v))
    )
    step_size, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for i in range(len(x)):
        first[i] = beta1 * first[i] + (1 - beta1) * d[i]
        second[i] = beta2 * second[i] + (d[i] * (1 - beta2)) * d[i]
        x[i] *= 1 - lr * weight_decay
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[i] -= step_size * (first[i] / (np.sqrt(second[i]) / root + eps))
    store([row.reshape(-1)[:size] for row in (x, first, second)], (p, m, v))
