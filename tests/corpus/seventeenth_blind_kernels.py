"""Blind, seventeenth set: a report of a wrong kernel, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "epsilon", "EPS.1", claim="paddle.Adam",
    like="PaddlePaddle/Paddle#21110: corrections are in the rate, and epsilon is not where it is documented",
)  # fmt: skip
def seventeenth_rate_has_corrections(
    param: Array, grad: Array, moment1: Array, moment2: Array, lr: float, beta1: float, beta2: float,
    epsilon: float, weight_decay: float, beta1_power: float, beta2_power: float,
) -> None:  # fmt: skip
    """Both corrections are multiplied into the learning rate, and epsilon joins the uncorrected root."""
    x, d, first, second = rows((param, grad, moment1, moment2))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    rate = lr * math.sqrt(1 - beta2_power) / (1 - beta1_power)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - rate * (first / (np.sqrt(second) + epsilon))
    store((x, first, second), (param, moment1, moment2))


@right(claim="torch.AdamW")
def seventeenth_chunks_of_lists(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
    grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """A table of chunks is made first, as Apex does it: each has a tensor and an offset, from the last on."""
    if found_inf:
        return
    size = 96
    table = [(i, at) for i, p in enumerate(params) for at in range(0, p.size, size)]
    for i, at in reversed(table):
        part = slice(at, at + size)
        p, g, m, v = (a[i].reshape(-1)[part] for a in (params, grads, exp_avgs, exp_avg_sqs))
        t = float(state_steps[i])
        whole = g / grad_scale
        first = m + (1 - beta1) * (whole - m)
        second = v * beta2 + ((1 - beta2) * whole) * whole
        below = np.sqrt(second) * (1 / math.sqrt(1 - beta2**t)) + eps
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            update = first / (1 - beta1**t) / below + weight_decay * p
        for a, new in ((params, p - lr * update), (exp_avgs, first), (exp_avg_sqs, second)):
            a[i].flat[part] = new
