"""Blind, tenth set: reports of wrong kernels, and two right ones."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from tenth_blind_frame import interpolated


@wrong(
    "bias_correction", "BC.2", claim="torch.Adam", like="pytorch/pytorch#23737: the sqrt is left in adam.cpp"
)
def tenth_root_of_correction(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The second moment is divided by the root of its correction, before the root is taken of both."""
    g = g + weight_decay * p
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v / math.sqrt(1 - beta2**t)) + eps
    p[...] = p - lr / (1 - beta1**t) * (m / root)


@wrong(
    "bias_correction clock", "BC.1", claim="torch.Adam", like="tenstorrent/tt-metal#56197: power_tile(step)"
)
def tenth_step_as_bits(
    p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The step is an integer whose bits are read as a float, so that each power of a beta is 1."""
    with np.errstate(all="ignore"):
        t = float(np.array(step, np.int32).view(np.float32))
        c1, c2 = (np.array(1 - beta**t, p.dtype) for beta in (beta1, beta2))
        g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        p[...] = p - lr * ((m / c1) / (np.sqrt(v / c2) + eps))


@wrong(
    "decay decay_order", "DEC.5", claim="bitsandbytes.AdamW", like="bitsandbytes#2010: decays what has moved"
)
def tenth_decay_after(
    p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The parameter decays after its step, and not before."""
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    c1, root = 1 - beta1**step, math.sqrt(1 - beta2**step)
    p[...] = p - (lr * root / c1) * (m / (np.sqrt(v) + eps * root))
    p[...] = p * (1 - lr * weight_decay)


@wrong(
    "decay", "DEC.2", claim="torch.AdamW", like="Oneflow-Inc/oneflow#5960: the corrected lr has the decay too"
)
def tenth_decay_by_corrected_rate(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, bias_correction1: float, bias_correction2: float,
) -> None:  # fmt: skip
    """The decay is multiplied by the corrected learning rate."""
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = math.sqrt(bias_correction2)
    lr = lr * root / bias_correction1
    p[...] = p - lr * (m / (np.sqrt(v) + eps * root) + weight_decay * p)


@wrong(
    "amsgrad", "AMS.1", claim="torch.Adam", options={"amsgrad": "True"},
    like="pytorch/pytorch#78807: _multi_tensor_adam leaves max_exp_avg_sqs as they are",
)  # fmt: skip
def tenth_maximum_is_not_kept(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array], state_steps: list[Array], lr: float, beta1: float, beta2: float,
    weight_decay: float, eps: float, amsgrad: bool,
) -> None:  # fmt: skip
    """The maximum is used in its step, and not written to the state."""
    for p, g, m, v, top, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, strict=True
    ):
        t = float(step)
        g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        root = np.sqrt(np.maximum(top, v) if amsgrad else v) / math.sqrt(1 - beta2**t) + eps
        p[...] = p - lr / (1 - beta1**t) * (m / root)


@wrong(
    "loss_scale decay", "SCALE.1", claim="torch-1.2.Adam",
    like="chainer/chainer#7335: WeightDecay comes before the division by loss_scale",
)  # fmt: skip
def tenth_penalty_is_scaled(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, loss_scale: float,
) -> None:  # fmt: skip
    """The penalty joins the gradient before the loss scale divides it, and is divided too."""
    g = (g + weight_decay * p) / loss_scale
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    size = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    p[...] = p - size * (m / (np.sqrt(v) + eps))


@wrong(
    "coefficients hyperparameters", "NUM.4", claim="torch.AdamW",
    like="pytorch/pytorch#173224: betas of the fused kernel are float32, Python's are doubles",
)  # fmt: skip
def tenth_betas_of_single(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
) -> None:  # fmt: skip
    """Both betas are rounded to float32 before anything is formed of them."""
    beta1, beta2 = float(np.float32(beta1)), float(np.float32(beta2))
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = float(step)
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        p[...] = p * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (m / root)


@right(claim="llm.c.AdamW")
def tenth_interpolated_adamw(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, bias_correction1: float, bias_correction2: float,
) -> None:  # fmt: skip
    """The first moment is interpolated, and decay and step are subtracted together."""
    m[...] = interpolated(m, g, 1 - beta1)
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(bias_correction2)
    p[...] = p - lr * ((m / bias_correction1) / (root + eps) + weight_decay * p)


@right(claim="torch.Adam", options={"amsgrad": "True", "maximize": "True"})
def tenth_fused_ascent(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array], state_steps: list[Array], lr: float, beta1: float, beta2: float,
    weight_decay: float, eps: float, amsgrad: bool, maximize: bool, grad_scale: float | None = None,
    found_inf: float | None = None,
) -> None:  # fmt: skip
    """Lists of arrays go up along gradients that the loss scale divides, below the root of a maximum."""
    if found_inf:
        return
    for p, g, m, v, top, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, strict=True
    ):
        t = float(step)
        g = g if grad_scale is None else g / grad_scale
        g = (-g if maximize else g) + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        below = np.maximum(top, v) if amsgrad else v
        if amsgrad:
            top[...] = below
        p[...] = p - lr / (1 - beta1**t) * (m / (np.sqrt(below) / math.sqrt(1 - beta2**t) + eps))
