"""Blind, twenty-ninth set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "loss_scale", "SCALE.1", claim="torch.AdamW",
    like="deepspeedai/DeepSpeed#2695: a step uses the scale that is updated already, not its gradients' own",
)  # fmt: skip
def twentyninth_updated_scale(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, scale: float,
) -> None:  # fmt: skip
    """In every fourth step the scale doubles, and gradients of the former one are divided by the new one."""
    scale_window = 4
    if scale != 1 and t % scale_window == 0:
        scale *= 2
    x, d, first, second = rows((p, g, m, v))
    d = d / scale
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        moved = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    store((x - lr * weight_decay * x - lr * moved, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def twentyninth_lanes_and_tail(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Whole vectors of eight lanes are stepped as a matrix, and what is left over one after another."""
    x, d, first, second = rows((p, g, m, v))
    c1, root, keep = 1 - beta1**t, math.sqrt(1 - beta2**t), 1 - lr * weight_decay
    whole = x.size - x.size % 8
    parts = [(slice(0, whole), (-1, 8))] if whole else []
    for part, shape in parts + [(slice(i, i + 1), (1,)) for i in range(whole, x.size)]:
        lanes = [a[part].reshape(shape) for a in (x, d, first, second)]
        a = beta1 * lanes[2] + (1 - beta1) * lanes[1]
        b = beta2 * lanes[3] + ((1 - beta2) * lanes[1]) * lanes[1]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            step = (a / (np.sqrt(b) / root + eps)) * (lr / c1)
        for row, new in ((x, keep * lanes[0] - step), (first, a), (second, b)):
            row[part] = new.reshape(-1)
    store((x, first, second), (p, m, v))
