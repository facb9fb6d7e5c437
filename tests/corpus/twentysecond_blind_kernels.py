"""Blind, twenty-second set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store

PACK, MOMENTS_PACK = 8, 4  #: elements of a pack of parameters in 16 bits, and of moments in 32


@wrong(
    "layout", "STEP.1", claim="llm.c.AdamW",
    like="karpathy/llm.c#303: one loop is over packs of parameters and of moments, which have fewer lanes",
)  # fmt: skip
def twentysecond_lanes_of_moments(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Threads go on by packs of eight, and in each a loop has the four lanes of the moments' pack."""
    x, d, first, second = rows((p, g, m, v))
    c1, root = 1 - beta1**t, math.sqrt(1 - beta2**t)
    for begin in range(0, x.size, PACK):
        lanes = slice(begin, begin + MOMENTS_PACK)
        first[lanes] = beta1 * first[lanes] + (1 - beta1) * d[lanes]
        second[lanes] = beta2 * second[lanes] + ((1 - beta2) * d[lanes]) * d[lanes]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = (first[lanes] / c1) / (np.sqrt(second[lanes]) / root + eps)
            x[lanes] -= lr * (moved + weight_decay * x[lanes])
    store((x, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def twentysecond_two_packs_of_moments(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A pack of eight parameters has two packs of moments; what is no whole pack goes one by one."""
    x, d, first, second = rows((p, g, m, v))
    c1, c2 = 1 - beta1**t, 1 - beta2**t

    def lanes_of(begin: int, end: int) -> None:
        lanes = slice(begin, end)
        grad, kept = d[lanes], 1 - lr * weight_decay
        first[lanes] = first[lanes] * beta1 + grad * (1 - beta1)
        second[lanes] = second[lanes] * beta2 + grad * (grad * (1 - beta2))
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = first[lanes] / (np.sqrt(second[lanes]) * (1 / math.sqrt(c2)) + eps)
            x[lanes] = x[lanes] * kept - moved * (lr / c1)

    whole = x.size - x.size % PACK
    for pack in range(0, whole, PACK):
        for begin in range(pack, pack + PACK, MOMENTS_PACK):
            lanes_of(begin, begin + MOMENTS_PACK)
    for i in range(whole, x.size):
        lanes_of(i, i + 1)
    store((x, first, second), (p, m, v))
