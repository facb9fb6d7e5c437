"""Blind, nineteenth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "clipping hyperparameters", "STEP.1", claim="BertAdam",
    like="jw1912/bullet#399: the kernel's range is 0 to 0 where no clipping of weights is asked for",
)  # fmt: skip
def nineteenth_range_of_zero(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Behind the step each weight is cut to a range, whose ends are both 0: all of them are 0."""
    low = high = 0.0
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - lr * weight_decay * x - lr * (first / (np.sqrt(second) + eps))
    store((np.clip(x, low, high), first, second), (p, m, v))


@wrong(
    "epsilon loss_scale", "SCALE.1", claim="torch.AdamW",
    like="OpenBMB/BMTrain@92cd2cb: epsilon has no scale, and stands beside a root that has one",
)  # fmt: skip
def nineteenth_epsilon_has_no_scale(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, scale: float,
) -> None:  # fmt: skip
    """Moment and root are those of scaled gradients, and epsilon beside them is as it was given."""
    x, d, first, second = rows((p, g, m, v))
    d = d / scale
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    above = (first * scale) / (1 - beta1**t)
    below = np.sqrt(second) * (scale / math.sqrt(1 - beta2**t)) + eps
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - lr * weight_decay * x - lr * (above / below)
    store((x, first, second), (p, m, v))


Tile = tuple[slice, list[Array]]


@right(claim="pyro.ClippedAdam")
def nineteenth_next_tile_is_loaded(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Tiles of 40 elements go through a pipeline: the next one is loaded before the present one is stored."""
    flat = [a.reshape(-1) for a in (p, g, m, v)]
    size, total = 40, p.size
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)

    def load(at: int) -> Tile:
        part = slice(at, min(at + size, total))
        return part, [a[part].copy() for a in flat]

    waiting = load(0)
    for at in range(0, total, size):
        part, (x, d, first, second) = waiting
        waiting = load(at + size)
        d += weight_decay * x
        first += (1 - beta1) * (d - first)
        second *= beta2
        second += d * ((1 - beta2) * d)
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x -= rate * (first / (np.sqrt(second) + eps))
        for a, new in ((p, x), (m, first), (v, second)):
            a.flat[part] = new
