"""Blind, thirty-second set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "decay", "DEC.2", claim="bitsandbytes.Adam",
    like="pytorch/ao#1044: Adam8bit has L2, where bitsandbytes' optimizer of this name decouples the decay",
)  # fmt: skip
def thirtysecond_b_penalty_of_namesake(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The decay joins the gradient, and the moments see it."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - (lr / (1 - beta1**t)) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtysecond_b_halves(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Rows are halved until they have sixteen elements or fewer, and each piece is stepped in place."""
    x, d, first, second = rows((p, g, m, v))
    kept, rate, root = 1 - lr * weight_decay, lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    waiting = [(0, x.size)]
    while waiting:
        begin, end = waiting.pop()
        if end - begin > 16:
            middle = (begin + end) // 2
            waiting += [(begin, middle), (middle, end)]
            continue
        own = slice(begin, end)
        first[own] += (1 - beta1) * (d[own] - first[own])
        second[own] *= beta2
        second[own] += ((1 - beta2) * d[own]) * d[own]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[own] = x[own] * kept - rate * (first[own] / (np.sqrt(second[own]) / root + eps))
    store((x, first, second), (p, m, v))
