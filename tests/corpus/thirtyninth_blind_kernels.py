"""Blind, thirty-ninth set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from fourth_blind_frame import brained
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision", "NUM.1", claim="torch.AdamW",
    like="pytorch/pytorch#177964: the fused update is computed in the 16 bits of bf16, and not in fp32",
)  # fmt: skip
def thirtyninth_update_in_bfloat(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Denominator, quotient and step are rounded to bfloat16 before the parameter is changed."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = brained(np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
        quotient = brained(first / below)
        x = x * (1 - lr * weight_decay) - brained((lr / (1 - beta1**t)) * quotient)
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtyninth_blocks_of_five(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """AdamW by blocks of five elements, with a shorter one at the end; the decay joins the quotient."""
    size = 5
    x, d, first, second = rows((p, g, m, v))
    root, rate = math.sqrt(1 - beta2**t), lr / (1 - beta1**t)
    for begin in range(0, x.size, size):
        own = slice(begin, min(begin + size, x.size))
        first[own] = first[own] + (1 - beta1) * (d[own] - first[own])
        second[own] = second[own] * beta2 + d[own] * ((1 - beta2) * d[own])
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            ratio = first[own] / (np.sqrt(second[own]) / root + eps)
            x[own] = x[own] - (rate * ratio + (lr * weight_decay) * x[own])
    store((x, first, second), (p, m, v))
