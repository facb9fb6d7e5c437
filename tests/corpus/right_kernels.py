"""Right kernels, each called in another way."""

from __future__ import annotations

import math

import numpy as np
from flat import A, F
from register import right


@right()
def in_place(p: A, g: A, m: A, v: A, t: int, lr: F, b1: F, b2: F, eps: F, wd: F) -> None:
    """It writes to p, m and v, and is told the number of the update."""
    m += (1 - b1) * (g - m)
    v += (1 - b2) * g * g - (1 - b2) * v
    p -= lr * wd * p + lr / (1 - b1**t) * (m / (np.sqrt(v) / math.sqrt(1 - b2**t) + eps))


@right()
def returns_new(
    param: A,
    grad: A,
    exp_avg: A,
    exp_avg_sq: A,
    step: int,
    lr: F,
    betas: tuple[F, F],
    eps: F,
    weight_decay: F,
) -> tuple[A, A, A, int]:
    """It returns new arrays and its clock, which begins at 0."""
    b1, b2 = betas
    step = step + 1
    m = b1 * exp_avg + (1 - b1) * grad
    v = b2 * exp_avg_sq + (1 - b2) * grad * grad
    root = np.sqrt(v) / math.sqrt(1 - b2**step)
    return param - lr * weight_decay * param - lr * (m / (1 - b1**step)) / (root + eps), m, v, step


@right()
def corrections_given(
    p: A, g: A, m: A, v: A, bias_correction1: F, bias_correction2_sqrt: F, lr: F, beta1: F, beta2: F, eps: F,
    weight_decay: F, grad_scale: F, found_inf: F, n: int,
) -> None:  # fmt: skip
    """It is given the bias corrections, a scale and a flag, and takes no clock."""
    assert n == p.size
    if found_inf != 0:
        return
    g = g * (1 / grad_scale)
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + (1 - beta2) * g * g
    p *= 1 - lr * weight_decay
    p -= lr * (m / bias_correction1) / (np.sqrt(v) / bias_correction2_sqrt + eps)


@right(claim="torch.Adam", options={"amsgrad": "True", "maximize": "True"})
def of_lists(
    params: list[A], grads: list[A], exp_avgs: list[A], exp_avg_sqs: list[A], max_exp_avg_sqs: list[A],
    state_steps: list[A],
    *, lr: F, beta1: F, beta2: F, weight_decay: F, eps: F, amsgrad: bool, maximize: bool,
    grad_scale: F | None = None, found_inf: F | None = None,
) -> None:  # fmt: skip
    """It has the arguments of torch's fused kernels, and leaves the unscaled gradient."""
    if found_inf:
        return
    state = zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True)
    for i, (p, g, m, v, t) in enumerate(state):
        if grad_scale is not None:
            g /= grad_scale
        d = (-g if maximize else g) + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * d
        v[...] = beta2 * v + (1 - beta2) * d * d
        top = np.maximum(max_exp_avg_sqs[i], v, out=max_exp_avg_sqs[i]) if amsgrad else v
        root = np.sqrt(top) / math.sqrt(1 - beta2 ** float(t))
        p -= lr * (m / (1 - beta1 ** float(t))) / (root + eps)
