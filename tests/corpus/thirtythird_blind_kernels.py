"""Blind, thirty-third set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon mixed_precision", "EPS.6", claim="torch.AdamW",
    like="guojiajeremy/Dinomaly#8: an AdamW gives NaN with an epsilon of 1e-8, and not with 1e-6",
)  # fmt: skip
def thirtythird_epsilon_is_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon is a number in half precision, in which 1e-8 is 0: zeros are divided by zeros."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + float(np.float16(eps))
        x = x * (1 - lr * weight_decay) - (lr / (1 - beta1**t)) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="torch.Adam")
def thirtythird_columns_of_lanes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Adam with L2 by lanes: lane k steps every eighth element from the k-th on, by powers of logarithms."""
    lanes = 8
    x, d, first, second = rows((p, g, m, v))
    c1, c2 = (-math.expm1(t * math.log(beta)) if beta else 1.0 for beta in (beta1, beta2))
    for lane in range(lanes):
        own = slice(lane, None, lanes)
        penalized = d[own] + weight_decay * x[own]
        first[own] += (1 - beta1) * (penalized - first[own])
        second[own] = beta2 * second[own] + ((1 - beta2) * penalized) * penalized
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[own] -= (lr / c1) * (first[own] / (np.sqrt(second[own]) / math.sqrt(c2) + eps))
    store((x, first, second), (p, m, v))
