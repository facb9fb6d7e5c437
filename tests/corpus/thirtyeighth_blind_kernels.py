"""Blind, thirty-eighth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from fourth_blind_frame import brained
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "storage mixed_precision", "NUM.1", claim="torch.AdamW",
    like="pytorch/pytorch#178034: fused Adam of bf16 parameters without masters loses what is small",
)  # fmt: skip
def thirtyeighth_no_master(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Parameters are stored as numbers of bfloat16, without a wider copy: small changes are rounded away."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first / below)
        x = brained(x)
    store((x, first, second), (p, m, v))


@wrong(
    "bias_correction", "BC.1", claim="torch.Adam",
    like="Oneflow-Inc/oneflow#6673: the pass that fuses the update drops both bias corrections",
)  # fmt: skip
def thirtyeighth_fused_without_corrections(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The corrections are optional inputs, which the fused update is not given: both are 1."""
    bias_correction1 = bias_correction2 = 1.0
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(bias_correction2) + eps
        x = x - lr / bias_correction1 * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="fairseq.Adam")
def thirtyeighth_two_passes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """One pass over tiles of 56 makes both moments, a second one, from the last tile on, the parameters."""
    x, d, first, second = rows((p, g, m, v))
    tiles = [slice(k, k + 56) for k in range(0, x.size, 56)]
    for tile in tiles:
        first[tile] += (1 - beta1) * (d[tile] - first[tile])
        second[tile] *= beta2
        second[tile] += d[tile] * ((1 - beta2) * d[tile])
    size = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    for tile in reversed(tiles):
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            up = first[tile] / (np.sqrt(second[tile]) + eps)
        x[tile] = (1 - lr * weight_decay) * x[tile] - size * up
    store((x, first, second), (p, m, v))
