"""Blind, twenty-third set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store

CHUNK = 48  #: elements of a rank's slice


@wrong(
    "epsilon", "EPS.1", claim="llm.c.AdamW",
    like="karpathy/nanochat#353: epsilon is added before the second moment is corrected, not behind",
)  # fmt: skip
def twentythird_eps_before_correction(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon joins the root of the uncorrected second moment; the correction is in the step's size."""
    x, d, first, second = rows((p, g, m, v))
    bias1, bias2 = 1 - beta1**t, 1 - beta2**t
    x *= 1 - lr * weight_decay
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x -= (first / (np.sqrt(second) + eps)) * (lr * (math.sqrt(bias2) / bias1))
    store((x, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def twentythird_eps_behind_correction(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Slices of 48 elements, each by itself, with epsilon beside the corrected root."""
    x, d, first, second = rows((p, g, m, v))
    bias1, root = 1 - beta1**t, math.sqrt(1 - beta2**t)
    for begin in range(0, x.size, CHUNK):
        own = slice(begin, begin + CHUNK)
        a, b, grad = first[own], second[own], d[own]
        a *= beta1
        a += (1 - beta1) * grad
        b *= beta2
        b += ((1 - beta2) * grad) * grad
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = (a / (np.sqrt(b) / root + eps)) * (lr / bias1)
        x[own] -= moved + (lr * weight_decay) * x[own]
    store((x, first, second), (p, m, v))
