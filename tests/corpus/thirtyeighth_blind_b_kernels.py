"""Blind, thirty-eighth set, second half: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "moments loss_scale", "MOM.1", claim="torch.AdamW",
    like="paiml/aprender#2123: the update has the sum of four micro-batches' gradients, and not their mean",
)  # fmt: skip
def thirtyeighth_b_sum_of_micro_batches(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Four micro-batches' gradients are added up, and nothing divides their sum by four."""
    accumulation_steps = 4
    x, d, first, second = rows((p, g, m, v))
    total = np.zeros_like(d)
    for _ in range(accumulation_steps):
        total += d
    first += (1 - beta1) * (total - first)
    second += ((1 - beta2) * total) * total - (1 - beta2) * second
    with np.errstate(all="ignore"):
        ratio = first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    x -= lr * weight_decay * x
    x -= lr / (1 - beta1**t) * ratio
    store((x, first, second), (p, m, v))


@right(claim="paper.eps-hat")
def thirtyeighth_b_buffers_of_one_launch(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Epsilon hat with one scratch row, into which each operation writes what it gives."""
    x, d, first, second = rows((p, g, m, v))
    scratch = np.empty_like(d)
    np.subtract(d, first, out=scratch)
    np.multiply(scratch, 1 - beta1, out=scratch)
    np.add(first, scratch, out=first)
    np.multiply(d, 1 - beta2, out=scratch)
    np.multiply(scratch, d, out=scratch)
    np.multiply(second, beta2, out=second)
    np.add(second, scratch, out=second)
    np.sqrt(second, out=scratch)
    np.add(scratch, eps, out=scratch)
    with np.errstate(all="ignore"):
        np.divide(first, scratch, out=scratch)
    np.multiply(scratch, lr * math.sqrt(1 - beta2**t) / (1 - beta1**t), out=scratch)
    np.subtract(x, scratch, out=x)
    store((x, first, second), (p, m, v))
