"""Blind, eighteenth set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "amsgrad bias_correction", "AMS.1", claim="torch.Adam", options={"amsgrad": "True"},
    like="ooples/AiDotNet.Tensors#719: the kernel's denominator has the maximum as it is, uncorrected",
)  # fmt: skip
def eighteenth_maximum_uncorrected(
    p: Array, g: Array, m: Array, v: Array, v_max: Array, t: int, lr: float, beta1: float, beta2: float,
    eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """The root is drawn of the greatest second moment, and nothing corrects it."""
    x, d, first, second, top = rows((p, g, m, v, v_max))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    top = np.maximum(top, second)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - lr * ((first / (1 - beta1**t)) / (np.sqrt(top) + eps))
    store((x, first, second, top), (p, m, v, v_max))


@right(claim="torch.AdamW")
def eighteenth_padded_lanes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """All four arrays are filled up to whole lanes of four, as rows of one block, and are cut off again."""
    lanes = -(-p.size // 4)
    block = np.zeros((4, lanes * 4), p.dtype)
    for row, a in zip(block, (p, g, m, v), strict=True):
        row[: p.size] = a.reshape(-1)
    x, d, first, second = block.reshape(4, lanes, 4)
    root = math.sqrt(1 - beta2**t)
    rate = -lr * root / (1 - beta1**t)
    first += (1 - beta1) * (d - first)
    second -= (1 - beta2) * second
    second += ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        quotient = first / (np.sqrt(second) + eps * root)
    x -= (lr * weight_decay) * x
    x += rate * quotient
    new_p, _, new_m, new_v = (row[: p.size].reshape(p.shape) for row in block)
    return new_p, new_m, new_v
