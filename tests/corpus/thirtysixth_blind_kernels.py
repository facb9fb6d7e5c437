"""Blind, thirty-sixth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "mixed_precision storage", "NUM.1", claim="deepspeed.CPUAdam",
    like="deepspeedai/DeepSpeed#4771: CPU Adam has weights of fp16 in part only, and wrongly",
)  # fmt: skip
def thirtysixth_weights_of_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Weights are loaded and stored as halves, without a master copy: a small step is lost."""
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0; and what no half can hold
        x = x.astype(np.float16).astype(d.dtype)
        first = beta1 * first + (1 - beta1) * d
        second = beta2 * second + ((1 - beta2) * d) * d
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first / below)
        x = x.astype(np.float16).astype(d.dtype)
    store((x, first, second), (p, m, v))


@wrong(
    "decay", "DEC.1", claim="torch.Adam",
    like="itsubaki/autograd#18: the hook of weight decay is wrong",
)  # fmt: skip
def thirtysixth_decay_of_gradient(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The hook adds a share of the gradient to the gradient, and not a share of the parameter."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * d
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - lr / (1 - beta1**t) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="deepspeed.CPUAdam")
def thirtysixth_vectors_then_rest(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """DeepSpeed's CPU Adam: vectors of sixteen in a matrix, and number by number what is left."""
    x, d, first, second = rows((p, g, m, v))
    width, step_size = 16, -lr / (1 - beta1**t)
    bias2, decay = 1 / math.sqrt(1 - beta2**t), -lr * weight_decay

    def stepped(x: Array, d: Array, m: Array, v: Array) -> tuple[Array, Array, Array]:
        m = m * beta1 + d * (1 - beta1)
        v = v * beta2 + (d * (1 - beta2)) * d
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            quotient = m / (np.sqrt(v) * bias2 + eps)
        return (x + decay * x) + step_size * quotient, m, v

    whole = x.size // width * width
    made = stepped(*(a[:whole].reshape(-1, width) for a in (x, d, first, second)))
    for a, new in zip((x, first, second), made, strict=True):
        a[:whole] = new.reshape(-1)
    for k in range(whole, x.size):
        one = slice(k, k + 1)
        x[one], first[one], second[one] = stepped(x[one], d[one], first[one], second[one])
    store((x, first, second), (p, m, v))
