"""Blind, third set: kernels, whose loss scale is right or not."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong("loss_scale moments", "SCALE.1")
def third_square_unscaled_once(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """Second moment: the square of a scaled gradient is divided by the scale once, and not by its square."""
    if found_inf:
        return
    m[...] = beta1 * m + (1 - beta1) * (g / grad_scale)
    v[...] = beta2 * v + ((1 - beta2) * g) * (g / grad_scale)
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr * wd * p - lr / (1 - beta1**t) * (m / root)


@right()
def third_adamw(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The scale is divided out of the weights of both averages instead of the gradient."""
    if found_inf:
        return
    m *= beta1
    m += g * ((1 - beta1) / grad_scale)
    v *= beta2
    v += (g * ((1 - beta2) / grad_scale)) * (g / grad_scale)
    p *= 1 - lr * wd
    p -= (m / (np.sqrt(v) / math.sqrt(1 - beta2**t) + eps)) * (lr / (1 - beta1**t))
