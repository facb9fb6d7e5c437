"""Blind, twenty-fifth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision moments", "NUM.1", claim="torch.Adam",
    like="pytorch/pytorch#90752: with mixed precision the fused Adam trains otherwise than the other one",
)  # fmt: skip
def twentyfifth_square_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Gradients are read as float16, and squared in it: a square of what is small is 0."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    with np.errstate(all="ignore"):  # what overflows, and zeros over zeros, where epsilon is 0
        half = d.astype(np.float16)
        square = (half * half).astype(x.dtype)
        first = beta1 * first + (1 - beta1) * half.astype(x.dtype)
        second = beta2 * second + (1 - beta2) * square
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - lr / (1 - beta1**t) * (first / below)
    store((x, first, second), (p, m, v))


@wrong(
    "loss_scale", "SCALE.1", claim="torch.Adam",
    like="pytorch/pytorch#88258: fused Adam with autocast and GradScaler has a far worse loss than with one",
)  # fmt: skip
def twentyfifth_unscaled_twice(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """Gradients are divided by the loss scale as the scaler does it, and once more by the kernel."""
    if found_inf:
        return
    x, d, first, second = rows((p, g, m, v))
    unscaled = d / grad_scale
    d = unscaled / grad_scale + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - lr / (1 - beta1**t) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="transformers4.AdamW")
def twentyfifth_decay_in_second_pass(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """One pass averages and steps strides of three, and another one lets what is stepped decay."""
    x, d, first, second = rows((p, g, m, v))
    size = lr * (math.sqrt(1 - beta2**t) / (1 - beta1**t))
    for offset in range(3):
        own = slice(offset, None, 3)
        first[own] += (1 - beta1) * (d[own] - first[own])
        second[own] = second[own] * beta2 + d[own] * ((1 - beta2) * d[own])
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[own] -= size * (first[own] / (np.sqrt(second[own]) + eps))
    x *= 1 - lr * weight_decay
    store((x, first, second), (p, m, v))
