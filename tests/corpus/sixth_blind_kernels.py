"""Blind, sixth set: kernels of one array and of lists, right and wrong."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong(
    "maximize", "MAX.1", claim="paper",
    like="pjreddie/darknet src/blas_kernels.cu: adam_kernel, whose caller negates the gradients",
)  # fmt: skip
def sixth_darknet_adam(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """The step is added, as it is where the gradients come negated."""
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p + lr / (1 - beta1**t) * (m / root)


@wrong("layout", "NUM.5", claim="torch.AdamW", like="a loop over the grid whose stride is that of a block")
def sixth_overlapping_grid(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, n: int,
) -> None:  # fmt: skip
    """A block of 64 goes on with the next one, which has a program of its own: that is stepped twice."""
    rows = [np.array(a, copy=True).reshape(-1) for a in (p, g, m, v)]
    size, root2 = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for program in range(-(-n // 64)):
        for start in range(program * 64, min(n, program * 64 + 128), 64):
            x, y, first, second = (row[start : start + 64] for row in rows)
            first[...] = beta1 * first + (1 - beta1) * y
            second[...] = beta2 * second + ((1 - beta2) * y) * y
            x[...] = x - lr * wd * x - size * (first / (np.sqrt(second) / root2 + eps))
    for old, row in ((p, rows[0]), (m, rows[2]), (v, rows[3])):
        old[...] = row.reshape(old.shape)


@wrong(
    "loss_scale layout",
    "SCALE.1",
    claim="torch.AdamW",
    like="Tencent/PatrickStar#65, in the loop for the rest",
)
def sixth_rest_not_unscaled(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, grad_scale: float, found_inf: float, n: int,
) -> None:  # fmt: skip
    """Whole vectors of eight are divided by the loss scale; the loop for the rest forgets it."""
    if found_inf:
        return
    scales = np.where(np.arange(n) < n // 8 * 8, grad_scale, 1).astype(p.dtype).reshape(p.shape)
    g = g / scales
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr * wd * p - lr / (1 - beta1**t) * (m / root)


@wrong(
    "bias_correction clock", "BC.1", claim="paper",
    like="PaddlePaddle/Paddle#4909: powers that the caller and the kernel both multiply on",
)  # fmt: skip
def sixth_power_of_next(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    beta1_power: float, beta2_power: float,
) -> None:  # fmt: skip
    """The powers come for this step, and are multiplied by the betas once more."""
    c1, c2 = 1 - beta1_power * beta1, 1 - beta2_power * beta2
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    p[...] = p - lr / c1 * (m / (np.sqrt(v) / math.sqrt(c2) + eps))


@right(claim="torch.AdamW")
def sixth_list_from_the_end(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
    inv_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The list is stepped from its end; the scale's reciprocal is multiplied in, moments are interpolated."""
    if found_inf:
        return
    for p, g, m, v, step in reversed(
        list(zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True))
    ):
        t, w1, w2 = float(step), 1 - beta1, 1 - beta2
        g = g * inv_scale
        m += w1 * (g - m)
        v += (w2 * g) * g - w2 * v
        p *= 1 - lr * weight_decay
        p -= (m / (np.sqrt(v) * (1 / math.sqrt(1 - beta2**t)) + eps)) * (lr / (1 - beta1**t))


@right(claim="paper")
def sixth_powers_given(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    beta1_power: float, beta2_power: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The powers are given; numerator and denominator are made in one table of two rows."""
    table = np.empty((2, *p.shape), p.dtype)
    above, below = table[0, ...], table[1, ...]
    np.add(beta1 * m, (1 - beta1) * g, out=above)
    np.add(beta2 * v, ((1 - beta2) * g) * g, out=below)
    root = np.sqrt(below) / math.sqrt(1 - beta2_power) + eps
    return p - (lr / (1 - beta1_power)) * (above / root), above, below


@right(claim="fairseq.Adam")
def sixth_folded_hat(
    param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array, step: int, lr: float, beta1: float,
    beta2: float, eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """Epsilon hat, all corrections in one rate; a copy of the gradient is turned into its square."""
    exp_avg[...] = beta1 * exp_avg + (1 - beta1) * grad
    square = (1 - beta2) * grad
    square *= grad
    exp_avg_sq[...] = beta2 * exp_avg_sq + square
    rate = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    param[...] = param - (lr * weight_decay) * param - rate * (exp_avg / (np.sqrt(exp_avg_sq) + eps))
