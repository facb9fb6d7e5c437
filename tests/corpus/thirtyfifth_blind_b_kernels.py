"""Blind, thirty-fifth set, second half: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon", "EPS.2", claim="paper.eps-hat",
    like="nntrainer/nntrainer#406: the calculation of ADAM is mended after a comparison with Keras",
)  # fmt: skip
def thirtyfifth_b_epsilon_in_root(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """The epsilon is added to the second moment, and the root is of their sum."""
    x, d, wm, wv = rows((p, g, m, v))
    wm = beta1 * wm + (1 - beta1) * d
    wv = beta2 * wv + ((1 - beta2) * d) * d
    ll = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - ll * (wm / np.sqrt(wv + eps))
    store((x, wm, wv), (p, m, v))


@right(claim="torch.AdamW")
def thirtyfifth_b_strided_lanes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Each of sixteen threads goes through the array by strides of sixteen, and keeps what it has read."""
    threads = 16
    x, d, first, second = rows((p, g, m, v))
    size, root, kept = lr / (1 - beta1**t), math.sqrt(1 - beta2**t), 1 - lr * weight_decay
    for thread in range(min(threads, x.size)):
        lane = slice(thread, None, threads)
        mine = first[lane] + (1 - beta1) * (d[lane] - first[lane]) if beta1 >= 0.5 else None
        first[lane] = beta1 * first[lane] + (1 - beta1) * d[lane] if mine is None else mine
        second[lane] = beta2 * second[lane] + ((1 - beta2) * d[lane]) * d[lane]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[lane] = kept * x[lane] - size * (first[lane] / (np.sqrt(second[lane]) / root + eps))
    store((x, first, second), (p, m, v))
