"""Blind, sixteenth set: a report of a wrong kernel, and right ones."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "loss_scale", "SCALE.2", claim="apex.FusedAdam",
    like="NVIDIA/apex#753: the first block clears the flag at its start, which others may have raised",
)  # fmt: skip
def sixteenth_b_flag_cleared_late(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
    grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """With more blocks than one the flag is forgotten, unless it is the first block that overflows."""
    blocks = [block for g in grads for block in np.split(g.reshape(-1), range(512, g.size, 512))]
    flag = bool(found_inf)
    if len(blocks) > 1:
        flag = flag and not np.isfinite(blocks[0]).all()
    if flag:
        return
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = max(float(step), 1.0)
        with np.errstate(all="ignore"):
            g = g / grad_scale
            m[...] = beta1 * m + (1 - beta1) * g
            v[...] = beta2 * v + ((1 - beta2) * g) * g
            update = (m / (1 - beta1**t)) / (np.sqrt(v) / math.sqrt(1 - beta2**t) + eps) + weight_decay * p
            p[...] = p - lr * update


@right(claim="torch.Adam")
def sixteenth_b_lists_in_two_passes(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
    grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """One pass over the lists for the moments and one for the parameters, and L2 in the first one."""
    if found_inf:
        return
    lists = params, grads, exp_avgs, exp_avg_sqs
    for p, g, m, v in zip(*lists, strict=True):
        whole = g / grad_scale + weight_decay * p
        m += (1 - beta1) * (whole - m)
        v *= beta2
        v += ((1 - beta2) * whole) * whole
    for p, m, v, step in zip(params, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = float(step)
        root = np.sqrt(v)
        root /= math.sqrt(1 - beta2**t)
        root += eps
        p -= (m / root) * (lr / (1 - beta1**t))


@right(claim="onnxruntime.AdamW")
def sixteenth_b_corrections_given(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, bias_correction1: float, bias_correction2_sqrt: float,
) -> None:  # fmt: skip
    """A grid that strides: each of 32 threads steps every 32nd element, with corrections as arguments."""
    x, d, first, second = rows((p, g, m, v))
    alpha, threads = lr / bias_correction1, 32
    for thread in range(min(threads, x.size)):
        i = slice(thread, None, threads)
        first[i] = beta1 * first[i] + (1 - beta1) * d[i]
        second[i] = beta2 * second[i] + (d[i] * (1 - beta2)) * d[i]
        below = np.sqrt(second[i]) / bias_correction2_sqrt + eps
        x[i] = (x[i] - alpha * (first[i] / below)) - lr * weight_decay * x[i]
    store((x, first, second), (p, m, v))
