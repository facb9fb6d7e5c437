"""Blind, eighteenth set: a right kernel."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right


@right(claim="deepspeed.CPUAdam")
def eighteenth_b_lanes_and_tail(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Whole vectors of eight lanes are stepped in one loop, and what is left behind them in another."""
    step_size, root = -lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    lanes = 8
    flats = [a.reshape(-1).copy() for a in (p, g, m, v)]
    whole = flats[0].size // lanes * lanes
    vectors = [[a[at : at + lanes] for a in flats] for at in range(0, whole, lanes)]
    for x, d, first, second in [*vectors, [a[whole:] for a in flats]]:
        first *= beta1
        first += d * (1 - beta1)
        second *= beta2
        second += (d * (1 - beta2)) * d
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            quotient = first / (np.sqrt(second) * root + eps)
        x += x * (-lr * weight_decay)
        x += quotient * step_size
    for a, new in zip((p, m, v), (flats[0], flats[2], flats[3]), strict=True):
        a[...] = new.reshape(a.shape)
