"""Blind, thirty-seventh set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon hyperparameters", "EPS.2", claim="tf1.Adam",
    like="AdeDZY/K-NRM#10: with Adam's own epsilon the model does not train, and with 1e-4 it does",
)  # fmt: skip
def thirtyseventh_epsilon_of_the_library(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """The epsilon that is given is read nowhere: beside the root stands the library's 1e-8."""
    epsilon = 1e-8
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    store((x - rate * (first / (np.sqrt(second) + epsilon)), first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtyseventh_two_passes(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """AdamW in two passes: blocks of 96 of both moments from the last one on, then all parameters at once."""
    size = 96
    x, d, first, second = rows((p, g, m, v))
    w1, w2 = 1 - beta1, 1 - beta2
    for begin in reversed(range(0, x.size, size)):
        own = slice(begin, begin + size)
        first[own] += w1 * (d[own] - first[own])
        second[own] = beta2 * second[own] + (w2 * d[own]) * d[own]
    unroot = 1 / math.sqrt(1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        ratio = first / (np.sqrt(second) * unroot + eps)
        x -= lr * weight_decay * x + (lr / (1 - beta1**t)) * ratio
    store((x, first, second), (p, m, v))
