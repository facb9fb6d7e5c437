"""Blind, twenty-fourth set: three reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction", "BC.1", claim="torch-1.2.Adam",
    like="BVLC/caffe#4224: Adam has not the two estimates of moments whose bias is corrected",
)  # fmt: skip
def twentyfourth_no_estimates(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Both moments are used as they are, and the step's size is the rate, without a factor."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - lr * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@wrong(
    "decay loss_scale", "SCALE.1", claim="torch.Adam",
    like="chainer/chainer#7597: a hook adds the decay to a gradient that has its loss scale still",
)  # fmt: skip
def twentyfourth_decay_before_unscaling(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The penalty joins the scaled gradient, and both are divided by the loss scale."""
    if found_inf:
        return
    x, d, first, second = rows((p, g, m, v))
    d = (d + weight_decay * x) / grad_scale
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        x = x - lr / (1 - beta1**t) * (first / below)
    store((x, first, second), (p, m, v))


@wrong(
    "epsilon hyperparameters", "EPS.1", claim="torch.Adam",
    like="rushter/MLAlgorithms#56: in the test of a new Adamax all becomes NaN",
)  # fmt: skip
def twentyfourth_nothing_added(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Nothing is added to the root: where all gradients were 0 the step is NaN."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):
        x = x - lr / (1 - beta1**t) * (first / (np.sqrt(second) / math.sqrt(1 - beta2**t)))
    store((x, first, second), (p, m, v))


@right(claim="torch.Adam")
def twentyfourth_unscaled_first(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The gradient is unscaled, then the hook adds the penalty; arrays are stepped in strides of three."""
    if found_inf:
        return
    x, d, first, second = rows((p, g, m, v))
    bias1, root = 1 - beta1**t, math.sqrt(1 - beta2**t)
    for begin in range(3):
        every = slice(begin, None, 3)
        grad = d[every] / grad_scale
        grad += weight_decay * x[every]
        first[every] = beta1 * first[every] + (1 - beta1) * grad
        second[every] = beta2 * second[every] + grad * ((1 - beta2) * grad)
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = first[every] / (np.sqrt(second[every]) + eps * root)
        x[every] -= (lr * root / bias1) * moved
    store((x, first, second), (p, m, v))
