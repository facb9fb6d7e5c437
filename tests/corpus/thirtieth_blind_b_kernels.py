"""Blind, thirtieth set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction", "BC.3", claim="paper",
    like="Oneflow-Inc/oneflow#1779: the update of Adam is wrong",
)  # fmt: skip
def thirtieth_b_corrected_is_stored(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Both moments are divided by their corrections where they are stored."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    first = first / (1 - beta1**t)
    second = second / (1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - lr * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@right(claim="torch.Adam")
def thirtieth_b_grid_stride(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A grid of 32 threads, of which each takes every 32nd element, from its own number on."""
    x, d, first, second = rows((p, g, m, v))
    rate, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for thread in range(min(32, x.size)):
        i = slice(thread, None, 32)
        seen = d[i] + weight_decay * x[i]
        first[i] += (1 - beta1) * (seen - first[i])
        second[i] = beta2 * second[i] + seen * ((1 - beta2) * seen)
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[i] -= rate * (first[i] / (np.sqrt(second[i]) / root + eps))
    store((x, first, second), (p, m, v))
