"""Blind, twenty-fifth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon mixed_precision", "EPS.6", claim="paper",
    like="ashawkey/torch-ngp#76: an epsilon of 1e-15 is 0 in half precision, and small v blow up",
)  # fmt: skip
def twentyfifth_b_epsilon_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Epsilon is rounded to float16, where a small one is 0: gradients of zeros give NaN."""
    x, d, first, second = rows((p, g, m, v))
    half = float(np.float16(eps))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + half
        x = x - (lr / (1 - beta1**t)) * (first / below)
    store((x, first, second), (p, m, v))


@wrong(
    "moments", "STEP.1", claim="deepspeed.CPUAdam",
    like="facebookresearch/dadaptation#38: the numerator is weighted by the denominator of the former v",
)  # fmt: skip
def twentyfifth_b_former_denominator(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The denominator is formed of the second moment as it was before this step's gradient."""
    x, d, first, second = rows((p, g, m, v))
    below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # the first step divides by epsilon alone
        moved = (first / below) * (lr / (1 - beta1**t))
        x = x * (1 - lr * weight_decay) - moved
    store((x, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def twentyfifth_b_even_and_odd(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Even elements first and odd ones then, in strided views; averages are interpolations."""
    x, d, first, second = rows((p, g, m, v))
    rate, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for begin in range(2):
        w, grad, a, b = (row[begin::2] for row in (x, d, first, second))
        a += (1 - beta1) * (grad - a)
        b += ((1 - beta2) * grad) * grad - (1 - beta2) * b
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            w -= lr * weight_decay * w + rate * (a / (np.sqrt(b) / root + eps))
    store((x, first, second), (p, m, v))
