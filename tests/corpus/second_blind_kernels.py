"""Blind, second set: kernels of one array, with a loss scale and a flag to skip the step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from register import right, wrong

A = NDArray[Any]
F = float


def stepped(p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F) -> None:
    m += (1 - beta1) * (g - m)
    v += ((1 - beta2) * g) * g - (1 - beta2) * v
    p -= lr * wd * p + (lr / (1 - beta1**t)) * (m / (np.sqrt(v) / np.sqrt(1 - beta2**t) + eps))


@right()
def fresh_adamw(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The moments move by what they lack, and the flag is a factor that leaves the call out."""
    for _ in range(int(not found_inf)):
        stepped(p, g / grad_scale, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.2", like="pytorch/pytorch#95847")
def fresh_flag_with_scale(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The flag to skip the step is heeded only together with a loss scale."""
    if not found_inf or grad_scale == 1:
        stepped(p, g / grad_scale, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale decay", "SCALE.1", like="PaddlePaddle/Paddle#30207")
def fresh_scaled_without_decay(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """Under a loss scale the weights do not decay."""
    if not found_inf:
        stepped(p, g / grad_scale, m, v, t, lr, beta1, beta2, eps, wd if grad_scale == 1 else 0.0)


BEFORE = [1.0]  #: the scale of the call before


@wrong("loss_scale", "SCALE.1", like="pytorch/pytorch#97415")
def fresh_scale_before(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """From the second step on the gradient is divided by the scale of the call before."""
    scale = grad_scale if t == 1 else BEFORE[0]
    BEFORE[0] = grad_scale
    if not found_inf:
        stepped(p, g / scale, m, v, t, lr, beta1, beta2, eps, wd)
