"""Blind, fourth set: kernels of one array and of lists, right and wrong."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong("bias_correction", "BC.1", like="tenstorrent/tt-metal#51278")
def fourth_power_of_bits(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    wd: float,
) -> None:
    """The count's bits are taken for those of a float, so that every power is 1 and its complement 0."""
    exponent = float(np.array(t, np.int32).view(np.float32))
    c1, c2 = (np.asarray(1 - b**exponent, p.dtype) for b in (beta1, beta2))
    with np.errstate(all="ignore"):
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        p[...] = p - lr * wd * p - lr * ((m / c1) / (np.sqrt(v / c2) + eps))


@wrong("loss_scale", "SCALE.1", like="NVIDIA/apex#1463")
def fourth_moments_of_scaled(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The moments are those of scaled gradients; the step undoes the present scale for all of them."""
    if found_inf:
        return
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / (grad_scale * math.sqrt(1 - beta2**t)) + eps
    p[...] = p - lr * wd * p - lr / (1 - beta1**t) * ((m / grad_scale) / root)


@wrong("loss_scale nonfinite", "SCALE.2", like="SlopDotCash/asi#71")
def fourth_flag_multiplies(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, found_inf: float,
) -> None:  # fmt: skip
    """The flag makes every change a multiple of 0, which is NaN where the gradient has overflowed."""
    made = 1 - float(found_inf)
    with np.errstate(all="ignore"):
        m += made * ((1 - beta1) * (g - m))
        v += made * (((1 - beta2) * g) * g - (1 - beta2) * v)
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        p -= made * (lr * wd * p + lr / (1 - beta1**t) * (m / root))


@wrong("bias_correction clock", "CLK.2", like="ROCm/MIOpen#2868")
def fourth_counts_once_more(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    wd: float,
) -> None:
    """The kernel adds 1 to a count that its caller has raised already."""
    count = t + 1
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**count) + eps
    p[...] = p - lr * wd * p - lr / (1 - beta1**count) * (m / root)


@wrong("layout", "STEP.1", like="karpathy/llm.c#515, hpcaitech/ColossalAI#633")
def fourth_first_length(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
) -> None:  # fmt: skip
    """Of a list of arrays, as many elements of each are stepped as the first one has."""
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = float(step)
        n = min(params[0].size, p.size)
        new_m, new_v = beta1 * m + (1 - beta1) * g, beta2 * v + ((1 - beta2) * g) * g
        quotient = new_m / (np.sqrt(new_v) / math.sqrt(1 - beta2**t) + eps)
        new_p = p - lr * weight_decay * p - lr / (1 - beta1**t) * quotient
        for old, new in ((p, new_p), (m, new_m), (v, new_v)):
            old.flat[:n] = np.asarray(new, old.dtype).reshape(-1)[:n]


@right()
def fourth_adamw(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, inv_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The flag chooses between the old arrays and the new ones, which are formed in any case."""
    with np.errstate(all="ignore"):
        unscaled = g * inv_scale
        new_m = m + (1 - beta1) * (unscaled - m)
        new_v = v + (((1 - beta2) * unscaled) * unscaled - (1 - beta2) * v)
        root = np.sqrt(new_v) * (1 / math.sqrt(1 - beta2**t)) + eps
        new_p = p * (1 - lr * wd) - (new_m / root) * (lr / (1 - beta1**t))
    for old, new in ((p, new_p), (m, new_m), (v, new_v)):
        np.copyto(old, new, where=not found_inf)


@right()
def fourth_fused_adamw(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
) -> None:  # fmt: skip
    """The arrays of a dtype are copied end to end, stepped as one row, and copied back."""
    columns = list(zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True))
    for dtype in {p.dtype for p in params}:
        own = [column for column in columns if column[0].dtype == dtype]
        sizes = [p.size for p, *_ in own]
        p, g, m, v = (np.concatenate([column[i].reshape(-1) for column in own]) for i in range(4))
        t = np.repeat([float(step) for *_, step in own], sizes)
        size, root2 = (lr / (1 - beta1**t)).astype(dtype), np.sqrt(1 - beta2**t).astype(dtype)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + g * ((1 - beta2) * g)
        p = (p - lr * weight_decay * p) - size * (m / (np.sqrt(v) / root2 + eps))
        ends = np.cumsum(sizes)[:-1]
        for i, row in ((0, p), (2, m), (3, v)):
            for column, part in zip(own, np.split(row, ends), strict=True):
                column[i][...] = part.reshape(column[i].shape)
