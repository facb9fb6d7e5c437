"""Blind, thirty-first set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from fourth_blind_frame import brained
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "storage mixed_precision", "NUM.1", claim="torch.AdamW",
    like="tenstorrent/tt-metal#15518: parameters in bf16 stay, since steps round away without compensation",
)  # fmt: skip
def thirtyfirst_steps_round_away(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The new parameter is stored in bfloat16, and what it loses there is not kept: small steps are lost."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = brained(x - lr * weight_decay * x - (lr / (1 - beta1**t)) * (first / below))
    store((x, first, second), (p, m, v))


@wrong(
    "storage mixed_precision", "MOM.4", claim="flashoptim.FlashAdamW",
    like="databricks/flashoptim#2: with quantize=False states of float32 are stored in the parameter's bf16",
)  # fmt: skip
def thirtyfirst_states_are_cast(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Moments are cast to bfloat16 before they are stored; the step has them as they are."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x * (1 - lr * weight_decay) - (lr / (1 - beta1**t)) * (first / below)
        first, second = brained(first), brained(second)
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtyfirst_lanes_and_tail(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Whole lanes of 16 are a matrix that is stepped at once; those that are left follow one by one."""
    width = 16
    arrays = rows((p, g, m, v))
    lanes = arrays[0].size // width * width
    root, size = 1 / math.sqrt(1 - beta2**t), -lr / (1 - beta1**t)

    def stepped(x: Array, d: Array, first: Array, second: Array) -> None:
        first *= beta1
        first += (1 - beta1) * d
        second *= beta2
        second += ((1 - beta2) * d) * d
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            ratio = first / (np.sqrt(second) * root + eps)
        x *= 1 - lr * weight_decay
        x += size * ratio

    stepped(*(a[:lanes].reshape(-1, width) for a in arrays))
    for i in range(lanes, arrays[0].size):
        stepped(*(a[i : i + 1] for a in arrays))
    store((arrays[0], arrays[2], arrays[3]), (p, m, v))
