"""Blind, thirty-seventh set, second half: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "moments epsilon", "MOM.1", claim="apex.FusedAdam",
    like="NVIDIA/Megatron-LM#673: gradients are averaged over dp and cp, and no loss has a cp_size",
)  # fmt: skip
def thirtyseventh_b_averaged_over_cp(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The loss is an average already, and gradients are averaged over two context ranks: they are halves."""
    cp_size = 2
    x, d, first, second = rows((p, g, m, v))
    grad = d / cp_size
    first = beta1 * first + (1 - beta1) * grad
    second = beta2 * second + ((1 - beta2) * grad) * grad
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        update = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
        x = x - lr * (update + weight_decay * x)
    store((x, first, second), (p, m, v))


@right(claim="apex.FusedAdam")
def thirtyseventh_b_reduced_by_halves(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Two ranks have half a row each, in chunks of 16 numbers, which they step in place in one buffer."""
    x, d, first, second = rows((p, g, m, v))
    c1, root, chunk = 1 - beta1**t, math.sqrt(1 - beta2**t), 16
    half = (x.size + 1) // 2
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        for begin, end in ((0, half), (half, x.size)):
            for i in range(begin, end, chunk):
                part = slice(i, min(i + chunk, end))
                first[part] = beta1 * first[part] + (1 - beta1) * d[part]
                second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
                update = first[part] / (np.sqrt(second[part]) / root + eps) / c1
                x[part] = x[part] - lr * (update + weight_decay * x[part])
    store((x, first, second), (p, m, v))
