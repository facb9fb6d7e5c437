"""Blind, thirtieth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "moments", "MOM.1", claim="torch.Adam",
    like="mead-ml/mead-baseline#793: gradients are averaged over the ranks where their sum is wanted",
)  # fmt: skip
def thirtieth_mean_of_ranks(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The gradient, which is a sum over four ranks, is divided by how many they are."""
    world_size = 4
    x, d, first, second = rows((p, g, m, v))
    d = d / world_size + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - (lr / (1 - beta1**t)) * (first / below)
    store((x, first, second), (p, m, v))


@wrong(
    "epsilon hyperparameters", "EPS.1", claim="torch.AdamW",
    like="ostris/ai-toolkit#703: Adams are made with an epsilon of 1e-6, which is not the 1e-8 they need",
)  # fmt: skip
def thirtieth_epsilon_of_toolkit(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon is 1e-6, whatever is given."""
    eps = 1e-6
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
    x = x * (1 - lr * weight_decay) - (lr / (1 - beta1**t)) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def thirtieth_blocks_from_the_end(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Blocks of 32 elements from the end on, the short one first, with arrays without axes for scalars."""
    block = 32
    x, d, first, second = rows((p, g, m, v))
    one = np.asarray(1.0, np.float64)
    c1, c2 = (one - np.power(np.asarray(beta, np.float64), t) for beta in (beta1, beta2))
    size, root, kept = (float(a) for a in (lr / c1, np.sqrt(c2), one - lr * weight_decay))
    for begin in reversed(range(0, x.size, block)):
        own = slice(begin, begin + block)
        first[own] += (1 - beta1) * (d[own] - first[own])
        second[own] = beta2 * second[own] + ((1 - beta2) * d[own]) * d[own]
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[own] = kept * x[own] - size * (first[own] / (np.sqrt(second[own]) / root + eps))
    store((x, first, second), (p, m, v))
