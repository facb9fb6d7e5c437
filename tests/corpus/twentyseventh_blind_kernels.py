"""Blind, twenty-seventh set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction moments", "BC.3", claim="llm.c.AdamW",
    like="freelw/recognizing_handwritten_digits#21: the GPU's Adam has an error in the logic of its step",
)  # fmt: skip
def twentyseventh_corrected_is_kept(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The second moment is corrected in the register from which it is stored: the kept one is corrected."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    second /= 1 - beta2**t
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        moved = (first / (1 - beta1**t)) / (np.sqrt(second) + eps)
    x -= lr * (moved + weight_decay * x)
    store((x, first, second), (p, m, v))


@right(claim="llm.c.AdamW")
def twentyseventh_strided_threads(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Seven threads, each of which steps every seventh element, with what it needs in registers."""
    x, d, first, second = rows((p, g, m, v))
    rate, root = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for thread in range(7):
        own = slice(thread, None, 7)
        grad, old = d[own], x[own].copy()
        a = first[own] + (1 - beta1) * (grad - first[own])
        b = beta2 * second[own] + ((1 - beta2) * grad) * grad
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            step = rate * (a / (np.sqrt(b) / root + eps))
        x[own] = old - (lr * weight_decay) * old - step
        first[own], second[own] = a, b
    store((x, first, second), (p, m, v))
