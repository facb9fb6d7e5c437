"""Blind, twentieth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from fourth_blind_frame import brained
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision storage", "NUM.1", claim="transformer_engine.FusedAdam",
    like="NVIDIA/TransformerEngine#1888: m and v, which are fp32, are cast to bf16 and back in a step",
)  # fmt: skip
def twentieth_b_moments_through_bfloat(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """New moments are numbers of bfloat16 before the update is formed of them and they are stored."""
    x, d, first, second = rows((p, g, m, v))
    first = brained(beta1 * first + (1 - beta1) * d)
    second = brained(beta2 * second + ((1 - beta2) * d) * d)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        quotient = (first / (1 - beta1**t)) / (np.sqrt(second / (1 - beta2**t)) + eps)
    store((x - lr * (quotient + weight_decay * x), first, second), (p, m, v))


@wrong(
    "mixed_precision moments", "NUM.1", claim="deepspeed.CPUAdam",
    like="Tencent/PatrickStar#34: Adam on the CPU is wrong with gradients of fp16",
)  # fmt: skip
def twentieth_b_half_gradient(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Gradients are of float16, and so is their square: small ones are 0 in v, and large ones infinite."""
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):  # what float16 cannot hold, and zeros over zeros where epsilon is 0
        half = d.astype(np.float16)
        square = half * half
        first = beta1 * first + (1 - beta1) * half.astype(x.dtype)
        second = beta2 * second + (1 - beta2) * square.astype(x.dtype)
        quotient = first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    x = x - lr * weight_decay * x - lr / (1 - beta1**t) * quotient
    store((x, first, second), (p, m, v))


@wrong(
    "moments", "MOM.1", claim="llm.c.AdamW",
    like="karpathy/llm.c#548: gradients are not set to zero before the first backward pass of the loop",
)  # fmt: skip
def twentieth_b_first_deposited_twice(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The gradient of the first step is in the moments twice."""
    x, d, first, second = rows((p, g, m, v))
    if t == 1:
        d = d + d
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        quotient = (first / (1 - beta1**t)) / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    store((x - lr * (quotient + weight_decay * x), first, second), (p, m, v))


@right(claim="paddle.AdamW")
def twentieth_b_padded_tiles(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Rows are filled up with zeros to tiles of 4 times 8, which are stepped from the last to the first."""
    arrays = rows((p, g, m, v))
    size = arrays[0].size
    x, d, first, second = (np.pad(a, (0, -size % 32)).reshape(-1, 4, 8) for a in arrays)
    c1, root = -math.expm1(t * math.log(beta1)) if beta1 else 1.0, math.sqrt(1 - beta2**t)
    for i in reversed(range(len(x))):
        first[i] *= beta1
        first[i] += d[i] * (1 - beta1)
        second[i] *= beta2
        second[i] += d[i] * (1 - beta2) * d[i]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[i] -= x[i] * (lr * weight_decay) + (first[i] / (np.sqrt(second[i]) / root + eps)) * (lr / c1)
    store([a.reshape(-1)[:size] for a in (x, first, second)], (p, m, v))
