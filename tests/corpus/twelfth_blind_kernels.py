"""Blind, twelfth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import equivalent, right, wrong


@wrong("epsilon", "EPS.1", claim="torch.AdamW", like="karpathy/nanochat#304: eps lacks the correction bias2")
def twelfth_epsilon_before_correction(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon joins the root of the uncorrected second moment, and the correction stands in the step size."""
    p[...] = p * (1 - lr * weight_decay)
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    size = lr * (math.sqrt(1 - beta2**t) / (1 - beta1**t))
    p[...] = p - size * (m / (np.sqrt(v) + eps))


@wrong(
    "decay", "DEC.1", claim="mxnet.Adam",
    like="apache/mxnet#5099: g itself is used for the state, without wd * weight",
)  # fmt: skip
def twelfth_penalty_beside_moments(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float,
) -> None:  # fmt: skip
    """The moments learn from the gradient alone, and the corrected rate multiplies step and decay."""
    lr = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    p[...] = (1 - lr * wd) * p - lr * (m / (np.sqrt(v) + eps))


@equivalent("a learning rate of float32 is a matter of a note (LR.1/all-bits)", claim="paddle.AdamW")
def twelfth_rate_of_single(
    param: Array, grad: Array, moment1: Array, moment2: Array, lr: float, beta1: float, beta2: float,
    epsilon: float, weight_decay: float, beta1_power: float, beta2_power: float,
) -> None:  # fmt: skip
    """The learning rate is rounded to float32, for parameters of every dtype."""
    lr = float(np.float32(lr))
    moment1[...] = beta1 * moment1 + (1 - beta1) * grad
    moment2[...] = beta2 * moment2 + ((1 - beta2) * grad) * grad
    root = np.sqrt(moment2) / math.sqrt(1 - beta2_power) + epsilon
    param[...] = param * (1 - lr * weight_decay) - lr / (1 - beta1_power) * (moment1 / root)


@right(claim="bitsandbytes.Adam")
def twelfth_tiles_of_a_warp(
    p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Arrays are filled up with zeros to whole tiles of 32, stepped as rows of tiles, and cut again."""
    n = p.size
    tiles = [np.zeros((-(-n // 32), 32), p.dtype) for _ in range(4)]
    for tile, a in zip(tiles, (p, g, m, v), strict=True):
        tile.reshape(-1)[:n] = a.reshape(-1)
    x, d, first, second = tiles
    c1, root = 1 - beta1**step, math.sqrt(1 - beta2**step)
    first[...] = beta1 * first + (1 - beta1) * d
    second[...] = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(invalid="ignore"):  # zeros over zeros, where epsilon is 0
        x[...] = x * (1 - lr * weight_decay) - (lr * root / c1) * (first / (np.sqrt(second) + eps * root))
    for tile, a in zip((x, first, second), (p, m, v), strict=True):
        a[...] = tile.reshape(-1)[:n].reshape(a.shape)
