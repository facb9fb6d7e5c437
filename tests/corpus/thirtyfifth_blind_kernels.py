"""Blind, thirty-fifth set: a report of a wrong step as a kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "moments epsilon", "MOM.1", claim="torch.AdamW",
    like="llm-random/llm-random#529: losses have been divided by the accumulated steps, and are once more",
)  # fmt: skip
def thirtyfifth_divided_once_more(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The gradient, a mean over four accumulated steps already, is divided by their number once more."""
    gradient_accumulation_steps = 4
    x, d, first, second = rows((p, g, m, v))
    d = d / gradient_accumulation_steps
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x * (1 - lr * weight_decay) - (lr / (1 - beta1**t)) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtyfifth_blocks_from_behind(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """AdamW in blocks of 48 elements, from the last and partial one to the first, in scratch that stays."""
    block, total = 48, p.size
    x, d, first, second = rows((p, g, m, v))
    scratch, below = (np.empty(min(block, total), x.dtype) for _ in range(2))
    size, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for begin in reversed(range(0, total, block)):
        own = slice(begin, begin + block)
        s, r = (a[: x[own].size] for a in (scratch, below))
        np.subtract(d[own], first[own], out=s)
        s *= 1 - beta1
        first[own] += s
        np.multiply(d[own], 1 - beta2, out=s)
        s *= d[own]
        second[own] *= beta2
        second[own] += s
        np.sqrt(second[own], out=r)
        r /= root
        r += eps
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            np.divide(first[own], r, out=s)
        s *= size
        x[own] -= lr * weight_decay * x[own]
        x[own] -= s
    store((x, first, second), (p, m, v))
