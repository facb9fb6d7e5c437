"""Blind, thirty-sixth set, second half: two reports of wrong kernels, and two right ones."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "moments epsilon", "MOM.1", claim="torch.AdamW",
    like="yongliang-wu/DFT#27: backward() is called before the loss is divided by the micro-batches' number",
)  # fmt: skip
def thirtysixth_b_sum_of_micro_batches(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Gradients of four micro-batches are added up and never divided by four: moments are of their sum."""
    x, d, first, second = rows((p, g, m, v))
    total = np.zeros_like(d)
    for _ in range(4):
        total += d
    first = beta1 * first + (1 - beta1) * total
    second = beta2 * second + ((1 - beta2) * total) * total
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        ratio = first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
    x = x * (1 - lr * weight_decay) - lr / (1 - beta1**t) * ratio
    store((x, first, second), (p, m, v))


@wrong(
    "epsilon", "EPS.1", claim="torch.Adam",
    like="onnx/onnx#3803: epsilon is added to the root of the uncorrected moment",
)  # fmt: skip
def thirtysixth_b_operator(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Both corrections are in the rate, so that epsilon is added to the root of the uncorrected moment."""
    x, d, first, second = rows((p, g, m, v))
    regularized = weight_decay * x + d
    first = beta1 * first + (1 - beta1) * regularized
    second = beta2 * second + ((1 - beta2) * regularized) * regularized
    adjusted = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - adjusted * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@right(claim="paper.eps-hat")
def thirtysixth_b_rate_adjusted(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """The same operator under its own name, of blocks of five numbers, the last block first."""
    x, d, first, second = rows((p, g, m, v))
    adjusted, block = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t), 5
    for start in reversed(range(0, x.size, block)):
        i = slice(start, start + block)
        first[i] += (1 - beta1) * (d[i] - first[i])
        second[i] += ((1 - beta2) * d[i]) * d[i] - (1 - beta2) * second[i]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[i] -= adjusted * (first[i] / (np.sqrt(second[i]) + eps))
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtysixth_b_two_passes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A pass for both moments, each written in place, and then a pass for root, decay and step."""
    x, d, first, second = rows((p, g, m, v))
    np.multiply(first, beta1, out=first)
    np.add(first, d * (1 - beta1), out=first)
    np.multiply(second, beta2, out=second)
    np.add(second, (d * (1 - beta2)) * d, out=second)
    below = np.sqrt(second)
    below *= 1 / math.sqrt(1 - beta2**t)
    below += eps
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        ratio = first / below
    x *= 1 - lr * weight_decay
    x -= ratio * (lr / (1 - beta1**t))
    store((x, first, second), (p, m, v))
