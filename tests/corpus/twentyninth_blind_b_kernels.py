"""Blind, twenty-ninth set: a right kernel."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right
from thirteenth_blind_kernels import rows, store


@right(claim="torch.Adam")
def twentyninth_b_penalty_in_place(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Adam with L2 that works in place on copies, with one row of scratch, and stores them at the end."""
    x, d, first, second = rows((p, g, m, v))
    d += weight_decay * x
    first += (1 - beta1) * (d - first)
    second *= beta2
    second += ((1 - beta2) * d) * d
    scratch = np.sqrt(second)
    scratch /= math.sqrt(1 - beta2**t)
    scratch += eps
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        np.divide(first, scratch, out=scratch)
    scratch *= lr / (1 - beta1**t)
    x -= scratch
    store((x, first, second), (p, m, v))
