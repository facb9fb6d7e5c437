"""Blind, seventeenth set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction clock", "BC.1", claim="paddle.Adam",
    like="PaddlePaddle/Paddle#70847: the kernel of the XPU multiplies the powers of the betas on by itself",
)  # fmt: skip
def seventeenth_b_powers_in_kernel(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, beta1_power: float, beta2_power: float,
) -> None:  # fmt: skip
    """The powers are those of the step, and are multiplied by the betas once more before they correct."""
    x, d, first, second = rows((p, g, m, v))
    power1, power2 = beta1_power * beta1, beta2_power * beta2
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):
        below = np.sqrt(second) + eps * math.sqrt(1 - power2)
        x = x - (lr * math.sqrt(1 - power2) / (1 - power1)) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def seventeenth_b_lerp_in_tiles(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Tiles of 96 from the last one on: moments are interpolated from the gradient's side, rate outermost."""
    x, d, first, second = rows((p, g, m, v))
    c1, root2 = 1 - beta1**t, math.sqrt(1 - beta2**t)
    tile = 96
    for begin in reversed(range(0, x.size, tile)):
        i = slice(begin, begin + tile)
        pp, gg = x[i], d[i]
        mm = gg * (1 - beta1) + first[i] * beta1
        vv = (gg * (1 - beta2)) * gg + second[i] * beta2
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            update = (mm / c1) / (np.sqrt(vv) / root2 + eps) + weight_decay * pp
        x[i], first[i], second[i] = pp - lr * update, mm, vv
    store((x, first, second), (p, m, v))
