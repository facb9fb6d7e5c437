"""Blind, eleventh set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong(
    "decay decay_order", "DEC.5", claim="llm.c.AdamW",
    like="stanford-cs336/assignment1-basics#54: weight decay takes parameters that are updated already",
)  # fmt: skip
def eleventh_decays_what_has_moved(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, bias_correction1: float, bias_correction2: float,
) -> None:  # fmt: skip
    """The parameter decays when it has moved."""
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    p[...] = p - lr * ((m / bias_correction1) / (np.sqrt(v) / math.sqrt(bias_correction2) + eps))
    p[...] = p - lr * weight_decay * p


@wrong(
    "coefficients hyperparameters", "NUM.4", claim="torch.AdamW",
    like="DeepLink-org/DIOPI#1359: the numbers of fused_adamw are floats, and not doubles",
)  # fmt: skip
def eleventh_numbers_of_single(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
) -> None:  # fmt: skip
    """Learning rate, betas, decay and epsilon are rounded to float32 before anything is formed of them."""
    numbers = (lr, beta1, beta2, weight_decay, eps)
    lr, beta1, beta2, weight_decay, eps = (float(np.float32(x)) for x in numbers)
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = float(step)
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        p[...] = p * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (m / root)


@wrong(
    "loss_scale", "SCALE.1", claim="bitsandbytes.AdamW",
    like="OpenBMB/BMTrain#136: the second moment is divided by the scale under the root",
)  # fmt: skip
def eleventh_scale_under_root(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, scale: float,
) -> None:  # fmt: skip
    """The loss scale divides the gradient, and the second moment once more where its root is drawn."""
    g = g / scale
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt((1 - beta2**t) * scale) + eps
    p[...] = p - lr / (1 - beta1**t) * (m / root) - lr * weight_decay * p


@right(claim="paddle.AdamW")
def eleventh_columns_of_a_table(
    param: Array, grad: Array, moment1: Array, moment2: Array, lr: float, beta1: float, beta2: float,
    epsilon: float, weight_decay: float, beta1_power: float, beta2_power: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Pure: parameter, gradient and moments are rows of one table, of which new rows are returned."""
    table = np.stack([a.reshape(-1) for a in (param, moment1, moment2, grad)])
    keep = np.array([1 - lr * weight_decay, beta1, beta2], table.dtype)[:, None]
    row = table[3]
    new = keep * table[:3]
    new[1] += (1 - beta1) * row
    new[2] += ((1 - beta2) * row) * row
    root = math.sqrt(1 - beta2_power)
    new[0] -= (lr * root / (1 - beta1_power)) * (new[1] / (np.sqrt(new[2]) + epsilon * root))
    return new[0].reshape(param.shape), new[1].reshape(param.shape), new[2].reshape(param.shape)
