"""Blind, twenty-first set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction", "BC.1", claim="paper",
    like="nerfstudio-project/gsplat#770: selective Adam does not correct its moments",
)  # fmt: skip
def twentyfirst_b_selective_uncorrected(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Neither moment is corrected."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        step = -lr * (first / (np.sqrt(second) + eps))
    store((x + step, first, second), (p, m, v))


@wrong(
    "decay", "DEC.2", claim="deepspeed.CPUAdam",
    like="deepspeedai/DeepSpeed#482: Adam on the CPU has L2 in the gradient, the fused one is decoupled",
)  # fmt: skip
def twentyfirst_b_penalty_on_host(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The decay is a penalty that joins the gradient, and goes through the moments."""
    x, d, first, second = rows((p, g, m, v))
    if weight_decay > 0:
        d = x * weight_decay + d
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        quotient = first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    store((x - (lr / (1 - beta1**t)) * quotient, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def twentyfirst_b_gathered_by_sign(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Elements are gathered into those of negative gradient and the others, and scattered back."""
    x, d, first, second = rows((p, g, m, v))
    fix1, fix2 = 1 / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
    negative = d < 0
    for where in (np.flatnonzero(negative), np.flatnonzero(~negative)):
        mm = first[where] * beta1 + d[where] * (1 - beta1)
        vv = second[where] * beta2 + d[where] * (1 - beta2) * d[where]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            step = (mm * fix1) / (np.sqrt(vv) * fix2 + eps) + weight_decay * x[where]
        first[where], second[where] = mm, vv
        x[where] -= lr * step
    store((x, first, second), (p, m, v))
