"""Blind, fifteenth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction", "BC.1", claim="onnxruntime.AdamW",
    like="microsoft/onnxruntime#3301: Adam has no bias correction, which is to be there by default",
)  # fmt: skip
def fifteenth_moments_as_they_are(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The step is of the moments as they are kept: neither is corrected."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    x = x - lr * weight_decay * x - lr * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@wrong(
    "bias_correction", "BC.1", claim="paper",
    like="ooples/AiDotNet#1266: the first step is some hundred times lr long, and all swings from then on",
)  # fmt: skip
def fifteenth_first_step_explodes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Both moments have the correction of the second: at first the step is a hundred times too long."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    corrections = [1 - beta2**t for _ in range(2)]
    root = np.sqrt(second) / math.sqrt(corrections[1]) + eps
    x = x - lr / corrections[0] * (first / root)
    store((x, first, second), (p, m, v))


@right(claim="ggml.AdamW")
def fifteenth_four_at_a_time(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Four elements stand beside each other in rows of a padded table, whose columns are stepped in turn."""
    lanes = 4
    table = [
        np.pad(row, (0, -row.size % lanes), constant_values=1).reshape(-1, lanes)
        for row in rows((p, g, m, v))
    ]
    keep, alpha, inverse = 1 - lr * weight_decay, lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    for lane in range(lanes):
        x, d, first, second = (column[:, lane] for column in table)
        first *= beta1
        first += (1 - beta1) * d
        second *= beta2
        second += ((1 - beta2) * d) * d
        x *= keep
        x -= alpha * (first / (np.sqrt(second) * inverse + eps))
    store([whole.reshape(-1)[: p.size] for whole in (table[0], table[2], table[3])], (p, m, v))
