"""Blind, thirty-first set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon hyperparameters", "EPS.6", claim="torch.Adam",
    like="pytorch/pytorch#1767: close to where it converges, accuracy falls to 0 and perplexity is NaN",
)  # fmt: skip
def thirtyfirst_b_epsilon_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon is rounded to a half, where 1e-8 is 0: small gradients are divided by a root of 0."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    small = float(np.float16(eps))
    with np.errstate(all="ignore"):  # zeros over zeros
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + small
        x = x - (lr / (1 - beta1**t)) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtyfirst_b_lanes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Whole lanes of four as a table of four columns, and then what is left of the last lane."""
    x, d, first, second = rows((p, g, m, v))
    whole = x.size - x.size % 4
    kept, rate = 1 - lr * weight_decay, lr / (1 - beta1**t)
    root = math.sqrt(1 - beta2**t)
    for part in (slice(0, whole), slice(whole, None)):
        shape = (-1, 4) if part.stop == whole else (-1,)
        xs, ds, ms, vs = (row[part].reshape(shape) for row in (x, d, first, second))
        ms += (1 - beta1) * (ds - ms)
        vs *= beta2
        vs += ds * ((1 - beta2) * ds)
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            xs *= kept
            xs -= rate * (ms / (np.sqrt(vs) / root + eps))
    store((x, first, second), (p, m, v))
