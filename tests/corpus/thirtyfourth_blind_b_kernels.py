"""Blind, thirty-fourth set, second half: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction", "BC.1", claim="apex.contrib.FusedAdam",
    like="NVIDIA/apex#1124: the contrib kernel does not debias its moments",
)  # fmt: skip
def thirtyfourth_b_not_debiased(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The step is given to the kernel, and its size is the rate as it is: no moment is corrected."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        update = first / (np.sqrt(second) + eps) + weight_decay * x
    store((x - lr * update, first, second), (p, m, v))


@wrong(
    "loss_scale mixed_precision", "SCALE.1", claim="onnxruntime.AdamW",
    like="microsoft/onnxruntime#4465: a loss scale of 2**16 is cast to fp16, which ends at 65504",
)  # fmt: skip
def thirtyfourth_b_scale_of_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The loss scale goes through a half: from 65520 on it is infinite there, and gradients become 0."""
    if found_inf:
        return
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):
        d = d / d.dtype.type(np.float16(grad_scale))
        first = beta1 * first + (1 - beta1) * d
        second = beta2 * second + ((1 - beta2) * d) * d
        ratio = first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    x = x * (1 - lr * weight_decay) - lr / (1 - beta1**t) * ratio
    store((x, first, second), (p, m, v))


@right(claim="onnxruntime.AdamW")
def thirtyfourth_b_strided_threads(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """Sixteen threads go through the array, each with every sixteenth element; they divide by the scale."""
    if found_inf != 0:
        return
    x, d, first, second = rows((p, g, m, v))
    alpha, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for thread in range(min(16, x.size)):
        own = slice(thread, None, 16)
        grad = d[own] / grad_scale
        first[own] += (1 - beta1) * (grad - first[own])
        second[own] += ((1 - beta2) * grad) * grad - (1 - beta2) * second[own]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            change = alpha * (first[own] / (np.sqrt(second[own]) / root + eps))
        x[own] = x[own] - (lr * weight_decay) * x[own] - change
    store((x, first, second), (p, m, v))
