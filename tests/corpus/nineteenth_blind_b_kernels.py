"""Blind, nineteenth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "moments hyperparameters", "MOM.2", claim="thinc.Adam",
    like="explosion/thinc@c2f76025: the local b2 is taken from self.b1",
)  # fmt: skip
def nineteenth_b_both_by_first_beta(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Both moments are averaged and corrected by beta1; beta2 is read nowhere."""
    x, d, first, second = rows((p, g, m, v))
    b1, b2 = beta1, beta1
    fix1, fix2 = 1 - b1**t, 1 - b2**t
    first = b1 * first + (1 - b1) * d
    second = b2 * second + ((1 - b2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - (lr * math.sqrt(fix2) / fix1) * (first / (np.sqrt(second) + eps))
    x = x - (lr * weight_decay) * x
    store((x, first, second), (p, m, v))


@wrong(
    "moments", "MOM.1", claim="paper",
    like="discuss.tensorflow.org/t/16171: m and v are set to 0 inside the function that makes a step",
)  # fmt: skip
def nineteenth_b_moments_of_the_call(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Both moments begin with 0 in each call, and are corrected as those of t gradients."""
    x, d = rows((p, g))
    first, second = np.zeros_like(x), np.zeros_like(x)
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        quotient = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    store((x - lr * quotient, first, second), (p, m, v))


@right(claim="torch.Adam")
def nineteenth_b_grid_stride(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Seven threads go over the array with a stride of seven, and interpolate from the nearer end."""
    x, d, first, second = rows((p, g, m, v))
    w1, w2 = 1 - beta1, 1 - beta2
    step_size, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    threads = 7
    for thread in range(min(threads, x.size)):
        i = slice(thread, None, threads)
        gg = d[i] + weight_decay * x[i]
        lack = gg - first[i]
        first[i] = first[i] + w1 * lack if w1 < 0.5 else gg - beta1 * lack
        second[i] = beta2 * second[i] + (w2 * gg) * gg
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[i] -= step_size * (first[i] / (np.sqrt(second[i]) / root + eps))
    store((x, first, second), (p, m, v))
