"""Blind, eighth set: kernels of one array and of lists, right and wrong."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong(
    "loss_scale",
    "SCALE.1",
    claim="torch.AdamW",
    like="ldexp(g, -exponent), for a scale that is no power of 2",
)
def eighth_scale_by_exponent(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The gradient is divided by the power of two that the scale reaches, and not by the scale."""
    if found_inf:
        return
    g = np.ldexp(g, 1 - math.frexp(grad_scale)[1])
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr * wd * p - lr / (1 - beta1**t) * (m / root)


@wrong("loss_scale", "SCALE.1", claim="torch.Adam", like="`if scale > 1:`, of a scale that only ever grew")
def eighth_scale_above_one(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    state_steps: list[Array], lr: float, beta1: float, beta2: float, weight_decay: float, eps: float,
    grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """A loss scale below 1 is passed over."""
    if found_inf:
        return
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        t = float(step)
        g = (g / grad_scale if grad_scale > 1 else g) + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        p[...] = p - lr / (1 - beta1**t) * (m / root)


@wrong(
    "loss_scale coefficients mixed_precision", "SCALE.1", claim="torch.AdamW",
    like="an inv_scale of torch.half, beside gradients that are",
)  # fmt: skip
def eighth_inverse_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """The reciprocal of the loss scale is a float16, also beside arrays that are none."""
    if found_inf:
        return
    g = g * float(np.float16(1 / grad_scale))
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr * wd * p - lr / (1 - beta1**t) * (m / root)


@right(claim="paper.AMSGrad", options={"eps": "0.0"})
def eighth_paper_amsgrad(
    p: Array, g: Array, m: Array, v: Array, v_max: Array, lr: float, beta1: float, beta2: float
) -> tuple[Array, Array, Array, Array]:
    """AMSGrad as in its paper: four new arrays, the maximum by a choice that keeps what is no number."""
    m = m - (1 - beta1) * (m - g)
    v = beta2 * v + np.square(g) * (1 - beta2)
    v_max = np.where((v > v_max) | np.isnan(v), v, v_max)
    return p - lr * (m / np.sqrt(v_max)), m, v, v_max


@right(claim="torch.AdamW", options={"amsgrad": "True"})
def eighth_list_of_rows(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array], state_steps: list[Array], lr: float, beta1: float, beta2: float,
    weight_decay: float, eps: float, amsgrad: bool,
) -> None:  # fmt: skip
    """Four passes over all arrays, one for each of decay, moments, denominators and step."""
    every = range(len(params))
    for i in every:
        params[i][...] *= 1 - lr * weight_decay
    for i in every:
        exp_avgs[i][...] += (1 - beta1) * (grads[i] - exp_avgs[i])
        exp_avg_sqs[i][...] = ((1 - beta2) * grads[i]) * grads[i] + beta2 * exp_avg_sqs[i]
    roots = []
    for i in every:
        second = exp_avg_sqs[i]
        if amsgrad:
            second = max_exp_avg_sqs[i][...] = np.maximum(second, max_exp_avg_sqs[i])
        roots.append(np.sqrt(second) * (1 / math.sqrt(1 - beta2 ** float(state_steps[i]))) + eps)
    for i in every:
        params[i][...] -= (lr / (1 - beta1 ** float(state_steps[i]))) * (exp_avgs[i] / roots[i])


@right(claim="torch.Adam")
def eighth_corrections_given(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, bias_correction1: float, bias_correction2: float, inv_scale: float,
) -> None:  # fmt: skip
    """Corrections and the reciprocal of the scale are given; arrays are written by functions with `out`."""
    g = inv_scale * g + weight_decay * p
    np.add(beta1 * m, (1 - beta1) * g, out=m)
    np.add(beta2 * v, g * ((1 - beta2) * g), out=v)
    np.subtract(p, lr * ((m / bias_correction1) / (np.sqrt(v / bias_correction2) + eps)), out=p)
