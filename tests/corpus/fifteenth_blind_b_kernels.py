"""Blind, fifteenth set: a right kernel."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right
from thirteenth_blind_kernels import rows, store


@right(claim="apex.FusedAdam")
def fifteenth_b_registers_of_four(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Apex' functor: chunks of 64, four elements in registers, 0 beyond the end, the decay in update."""
    x, d, first, second = rows((p, g, m, v))
    c1, c2 = 1 - beta1**t, math.sqrt(1 - beta2**t)
    for begin in range(0, x.size, 64):
        end = min(begin + 64, x.size)
        for start in range(begin, end, 4):
            live = slice(start, min(start + 4, end))
            lanes = live.stop - live.start
            r_p, r_g, r_m, r_v = np.zeros((4, 4), x.dtype)
            for register, memory in ((r_p, x), (r_g, d), (r_m, first), (r_v, second)):
                register[:lanes] = memory[live]
            r_m[:] = beta1 * r_m + (1 - beta1) * r_g
            r_v[:] = beta2 * r_v + ((1 - beta2) * r_g) * r_g
            with np.errstate(all="ignore"):  # zeros over zeros in lanes beyond the end, where epsilon is 0
                update = (r_m / c1) / (np.sqrt(r_v) / c2 + eps) + weight_decay * r_p
            r_p[:] = r_p - lr * update
            for register, memory in ((r_p, x), (r_m, first), (r_v, second)):
                memory[live] = register[:lanes]
    store((x, first, second), (p, m, v))
