"""Blind, ninth set, first half: kernels of one array and of lists, wrong as reported, and right."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong("decay", "DEC.1", claim="torch.Adam", like="flagos-ai/FlagGems#4988: `_fused_adam` has AdamW's decay")
def ninth_fused_adam_decoupled(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array], state_steps: list[Array], lr: float, beta1: float, beta2: float,
    weight_decay: float, eps: float,
) -> None:  # fmt: skip
    """The decay is decoupled, where an L2 penalty is claimed."""
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = float(step)
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        update = m / (np.sqrt(v) / math.sqrt(1 - beta2**t) + eps) / (1 - beta1**t)
        p[...] = p - lr * (update + weight_decay * p)


@wrong(
    "loss_scale", "SCALE.2", claim="torch.AdamW",
    like="pytorch/pytorch#95847: found_inf does not reach the kernel where grad_scale is None",
)  # fmt: skip
def ninth_flag_without_scale(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float | None = None, found_inf: float | None = None,
) -> None:  # fmt: skip
    """The flag to skip a step is looked at only where a loss scale is given too."""
    if grad_scale is not None:
        if found_inf:
            return
        g = g / grad_scale
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr * weight_decay * p - lr / (1 - beta1**t) * (m / root)


@wrong(
    "decay moments", "STEP.1", claim="paddle.AdamW",
    like="PaddlePaddle/PaddleCustomDevice#1202: parameters with no decay are not optimized",
)  # fmt: skip
def ninth_without_decay_nothing(
    param: Array, grad: Array, moment1: Array, moment2: Array, lr: float, beta1: float, beta2: float,
    epsilon: float, weight_decay: float, beta1_power: float, beta2_power: float,
) -> None:  # fmt: skip
    """A parameter without weight decay is left as it is, with its moments."""
    if weight_decay == 0:
        return
    moment1[...] = beta1 * moment1 + (1 - beta1) * grad
    moment2[...] = beta2 * moment2 + ((1 - beta2) * grad) * grad
    root = np.sqrt(moment2) / math.sqrt(1 - beta2_power) + epsilon
    param[...] = (1 - lr * weight_decay) * param - lr / (1 - beta1_power) * (moment1 / root)


@wrong(
    "layout", "STEP.1", claim="deepspeed.CPUAdam",
    like="hpcaitech/ColossalAI#633: `params_c.size(0)` elements, where numel() is meant",
)  # fmt: skip
def ninth_first_axis_of_elements(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Of an array, as many elements are stepped as its first axis is long."""
    n = p.shape[0] if p.ndim else 1
    p, g, m, v = (a.reshape(-1)[:n] for a in (p, g, m, v))
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr * weight_decay * p - lr / (1 - beta1**t) * (m / root)


def brained(x: float) -> float:
    """Return a number of which bfloat16's digits are kept, and the others cut off."""
    word = np.float32(x).view(np.uint32) & np.uint32(0xFFFF0000)
    return float(word.view(np.float32))


@wrong(
    "coefficients hyperparameters", "NUM.4", claim="torch.AdamW",
    like="tenstorrent/tt-metal#55935: scalars of a bfloat16 buffer turn 0.999 into 0.99609",
)  # fmt: skip
def ninth_betas_cut_off(
    param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array, step: int, lr: float, beta1: float,
    beta2: float, eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """The betas are cut off to bfloat16, in the moments and in their corrections."""
    b1, b2 = brained(beta1), brained(beta2)
    exp_avg[...] = b1 * exp_avg + (1 - b1) * grad
    exp_avg_sq[...] = b2 * exp_avg_sq + ((1 - b2) * grad) * grad
    root = np.sqrt(exp_avg_sq) / math.sqrt(1 - b2**step) + eps
    param[...] = param - lr * weight_decay * param - lr / (1 - b1**step) * (exp_avg / root)


@wrong(
    "loss_scale layout", "SCALE.1", claim="torch.AdamW",
    like="Tencent/PatrickStar#65: Step_4 hands its remainder to Step without loss_scale",
)  # fmt: skip
def ninth_remainder_keeps_scale(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, grad_scale: float,
) -> None:  # fmt: skip
    """The elements after the last whole vector of 8 keep the loss scale in their gradients."""
    g = g.reshape(-1).copy()
    g[: g.size // 8 * 8] /= grad_scale
    g = g.reshape(p.shape)
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr * weight_decay * p - lr / (1 - beta1**t) * (m / root)


@right(claim="torch.AdamW")
def ninth_blocks_under_mask(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, bias_correction1: float, bias_correction2_sqrt: float, n: int,
) -> None:  # fmt: skip
    """Programs of 128 elements, the last one under a mask, each with one reciprocal of its denominators."""
    rows = [a.reshape(-1) for a in (p, g, m, v)]
    for pid in range(-(-n // 128)):
        offsets = pid * 128 + np.arange(128)
        offsets = offsets[offsets < n]
        x, d, first, second = (row[offsets] for row in rows)
        first = first + (1 - beta1) * (d - first)
        second = beta2 * second + ((1 - beta2) * d) * d
        inverse = 1 / (np.sqrt(second) / bias_correction2_sqrt + eps)
        x = x * (1 - lr * weight_decay) - (lr / bias_correction1) * (first * inverse)
        for row, new in zip((rows[0], rows[2], rows[3]), (x, first, second), strict=True):
            row[offsets] = new


@right(claim="torch.Adam")
def ninth_fused_adam(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array], state_steps: list[Array], lr: float, beta1: float, beta2: float,
    weight_decay: float, eps: float, maximize: bool, grad_scale: float | None = None,
    found_inf: float | None = None,
) -> None:  # fmt: skip
    """The loss scale, the sign and the penalty, in this order; the unscaled gradient is written back."""
    if found_inf:
        return
    lists = zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True)
    for p, g, m, v, step in lists:
        t = float(step)
        if grad_scale is not None:
            g[...] = g / grad_scale
        d = (-g if maximize else g) + weight_decay * p
        m[...] = m + (1 - beta1) * (d - m)
        v[...] = beta2 * v + ((1 - beta2) * d) * d
        step_size = lr / (1 - beta1**t)
        p -= step_size * (m / (np.sqrt(v) / math.sqrt(1 - beta2**t) + eps))


@right(claim="apex.FusedAdam")
def ninth_capturable(
    p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, inv_scale: float, noop_flag: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The reciprocal of the loss scale, corrected moments, and decay and step multiplied by lr together."""
    if noop_flag:
        return p, m, v
    d = g * inv_scale
    m = beta1 * m + (1 - beta1) * d
    v = beta2 * v + (1 - beta2) * d * d
    unbiased, spread = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * (unbiased / (np.sqrt(spread) + eps) + weight_decay * p), m, v
