"""Blind, thirty-fourth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from fourth_blind_frame import brained
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon", "EPS.1", claim="paper",
    like="cszn/DnCNN#102: corrections are in the step size, and epsilon is not multiplied by their root",
)  # fmt: skip
def thirtyfourth_epsilon_not_scaled(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Both corrections are folded into the rate, and epsilon stands beside the uncorrected root as it is."""
    x, d, first, second = rows((p, g, m, v))
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - rate * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@wrong(
    "storage mixed_precision", "MOM.4", claim="paper",
    like="InfiniTensor/InfiniTrain#210: m and v have the dtype of a bf16 model, and lose small changes",
)  # fmt: skip
def thirtyfourth_moments_of_models_dtype(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Both moments are rounded to bfloat16, the dtype of a model of which p is the master copy."""
    x, d, first, second = rows((p, g, m, v))
    first = brained(beta1 * first + (1 - beta1) * d)
    second = brained(beta2 * second + ((1 - beta2) * d) * d)
    with np.errstate(all="ignore"):
        x = x - lr / (1 - beta1**t) * (first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps))
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtyfourth_masked_programs(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """AdamW by programs of 16 elements each, which load zeros beyond the end and do not store there."""
    block = 16
    x, d, first, second = rows((p, g, m, v))
    size, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for program in range(-(-x.size // block)):
        offsets = program * block + np.arange(block)
        mask = offsets < x.size
        safe = np.where(mask, offsets, 0)
        a, b, c, e = (np.where(mask, row[safe], row.dtype.type(0)) for row in (x, d, first, second))
        c = c * beta1 + b * (1 - beta1)
        e = e * beta2 + (b * (1 - beta2)) * b
        with np.errstate(all="ignore"):
            a = a * (1 - lr * weight_decay) - size * (c / (np.sqrt(e) / root + eps))
        for row, new in ((x, a), (first, c), (second, e)):
            row[offsets[mask]] = new[mask]
    store((x, first, second), (p, m, v))
