"""Blind, twenty-second set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon", "EPS.1", claim="paper",
    like="nntrainer/nntrainer#376: epsilon's place differs from the one of what Adam is validated against",
)  # fmt: skip
def twentysecond_b_epsilon_in_front(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Epsilon joins the root in front of the second correction, which is in the rate."""
    x, d, first, second = rows((p, g, m, v))
    alpha = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - alpha * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@right(claim="transformers4.AdamW")
def twentysecond_b_strips_backwards(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Strips of 100 elements, the last one first; a strip's parameters decay when it has been stepped."""
    given = rows((p, g, m, v))
    alpha, kept = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t), 1 - lr * weight_decay
    for end in range(p.size, 0, -100):
        x, d, first, second = (a[max(end - 100, 0) : end] for a in given)
        first += (1 - beta1) * (d - first)
        second *= beta2
        second += ((1 - beta2) * d) * d
        below = np.sqrt(second)
        below += eps
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x -= alpha * (first / below)
        x *= kept
    store((given[0], given[2], given[3]), (p, m, v))
