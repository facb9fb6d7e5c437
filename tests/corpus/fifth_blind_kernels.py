"""Blind, fifth set: kernels of one array and of lists, right and wrong."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong("decay", "DEC.1", like="flagos-ai/FlagGems#4988", claim="torch.Adam")
def fifth_fused_adam_decoupled(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
) -> None:  # fmt: skip
    """The kernel of Adam decays the parameter itself, as that of AdamW does."""
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = float(step)
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        p[...] = p - lr * weight_decay * p - lr / (1 - beta1**t) * (m / root)


@wrong(
    "loss_scale", "SCALE.2", like="a flag that is read by the first block of a launch", claim="torch.AdamW"
)
def fifth_first_heeds_flag(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
    grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """Of a list of arrays the first alone is left out where the flag says so."""
    rows = zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True)
    for i, (p, g, m, v, step) in enumerate(rows):
        if found_inf and i == 0:
            continue
        t = max(float(step), 1.0)
        with np.errstate(all="ignore"):
            g = g / grad_scale
            m[...] = beta1 * m + (1 - beta1) * g
            v[...] = beta2 * v + ((1 - beta2) * g) * g
            root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
            p[...] = p - lr * weight_decay * p - lr / (1 - beta1**t) * (m / root)


@wrong(
    "bias_correction", "BC.2", like="a launcher that hands over the root of a correction whose root is drawn"
)
def fifth_root_of_root(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, wd: float,
    bias_correction1: float, bias_correction2_sqrt: float,
) -> None:  # fmt: skip
    """The root of the second correction is handed over, and the kernel draws the root of it."""
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(bias_correction2_sqrt) + eps
    p[...] = p - lr * wd * p - lr / bias_correction1 * (m / root)


@wrong("clock bias_correction", "CLK.1", claim="torch.Adam", like="NVIDIA/apex csrc/multi_tensor_adam.cu")
def fifth_step_of_first(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
) -> None:  # fmt: skip
    """All arrays of a list are corrected by the count of the first."""
    for p, g, m, v in zip(params, grads, exp_avgs, exp_avg_sqs, strict=True):
        t = float(state_steps[0])
        g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        p[...] = p - lr / (1 - beta1**t) * (m / root)


@right()
def fifth_pure_adamw(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float, wd: float,
    bias_correction1: float, bias_correction2: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """A pure function: new arrays are returned, and both corrections are cleared out of the fraction."""
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + g * ((1 - beta2) * g)
    root2 = math.sqrt(bias_correction2)
    step = (lr * root2 / bias_correction1) * (m / (np.sqrt(v) + eps * root2))
    return p - lr * wd * p - step, m, v


@right()
def fifth_tiled_adamw(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, n: int,
) -> None:  # fmt: skip
    """A grid of programs, each of which loads a tile of 16 under a mask and stores it under the same."""
    rows = [np.array(a, copy=True).reshape(-1) for a in (p, g, m, v)]
    size, root2 = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    for program in range(-(-n // 16)):
        offsets = program * 16 + np.arange(16)
        mask = offsets < n
        x, y, first, second = (np.where(mask, row[np.where(mask, offsets, 0)], 0) for row in rows)
        first = beta1 * first + (1 - beta1) * y
        second = beta2 * second + ((1 - beta2) * y) * y
        x = (
            x
            - lr * wd * x
            - size * (first / (np.sqrt(second) / root2 + np.where(mask, eps, 1).astype(x.dtype)))
        )
        for row, new in ((rows[0], x), (rows[2], first), (rows[3], second)):
            row[offsets[mask]] = new[mask]
    for old, row in ((p, rows[0]), (m, rows[2]), (v, rows[3])):
        old[...] = row.reshape(old.shape)
