"""Blind, twenty-sixth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon", "EPS.1", claim="apex.FusedAdam",
    like="NVIDIA/apex#1503: agents that learn with PyTorch's Adams do not with the fused one",
)  # fmt: skip
def twentysixth_epsilon_mode_inside(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon is added to the corrected second moment, under the root."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        denom = np.sqrt(second / (1 - beta2**t) + eps)
        update = (first / denom) / (1 - beta1**t) + weight_decay * x
    store((x - lr * update, first, second), (p, m, v))


@wrong(
    "loss_scale", "SCALE.2", claim="torch.Adam",
    like="pytorch/pytorch#186360: on MPS the fused Adam ignores grad_scale and found_inf",
)  # fmt: skip
def twentysixth_scale_and_flag_ignored(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """Neither the scale nor the flag is read: gradients go in as they are, those of an overflow too."""
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0, and what has overflowed
        d = d + weight_decay * x
        first = beta1 * first + (1 - beta1) * d
        second = beta2 * second + ((1 - beta2) * d) * d
        denom = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - (lr / (1 - beta1**t)) * (first / denom)
    store((x, first, second), (p, m, v))


@right(claim="torch.Adam")
def twentysixth_threads_stride(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """Seven threads, each of which steps every seventh element; an overflow is looked at before all."""
    if found_inf:
        return
    threads = 7
    x, d, first, second = rows((p, g, m, v))
    step_size, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for thread in range(min(threads, x.size)):
        own = slice(thread, None, threads)
        grad = d[own] / grad_scale + weight_decay * x[own]
        first[own] += (1 - beta1) * (grad - first[own])
        second[own] = beta2 * second[own] + ((1 - beta2) * grad) * grad
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[own] -= step_size * (first[own] / (np.sqrt(second[own]) / root + eps))
    store((x, first, second), (p, m, v))
