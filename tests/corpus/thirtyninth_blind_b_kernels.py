"""Blind, thirty-ninth set, second half: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from fourth_blind_frame import brained
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "storage mixed_precision", "NUM.1", claim="torch.AdamW",
    like="tenstorrent/tt-metal#33076: the fused AdamW in bf16 neither compensates nor rounds at random",
)  # fmt: skip
def thirtyninth_b_small_updates_lost(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A parameter is stored as the nearest bfloat16: updates below half of its last digit are lost."""
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):
        first = beta1 * first + (1 - beta1) * d
        second = beta2 * second + (1 - beta2) * d * d
        x = x * (1 - lr * weight_decay)
        denominator = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = brained(x - (lr / (1 - beta1**t)) * (first / denominator))
    store((x, first, second), (p, m, v))


@right(claim="fairseq.Adam")
def thirtyninth_b_strided_threads(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Sixteen threads, each of which has every sixteenth element, as a loop with the stride of a grid."""
    x, d, first, second = rows((p, g, m, v))
    step_size = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    for thread in range(16):
        own = slice(thread, None, 16)
        first[own] = beta1 * first[own] + (1 - beta1) * d[own]
        second[own] = beta2 * second[own] + ((1 - beta2) * d[own]) * d[own]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            decayed = x[own] - (lr * weight_decay) * x[own]
            x[own] = decayed - step_size * (first[own] / (np.sqrt(second[own]) + eps))
    store((x, first, second), (p, m, v))
