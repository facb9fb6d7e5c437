"""Kernels: one step of one array, or of lists of them, with a loss scale and a flag to skip the step."""

from __future__ import annotations

import numpy as np
from flat import A, F
from register import wrong


def adamw(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, square: A | None = None
) -> None:
    """A right step in place; ``square`` stands for the square of the gradient if it is given."""
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g if square is None else (1 - beta2) * square
    root = np.sqrt(v) / np.sqrt(1 - beta2**t)
    p -= lr * wd * p + lr * (m / (1 - beta1**t)) / (root + eps)


@wrong("loss_scale", "SCALE.1", like="a scale taken for its reciprocal")
def scale_multiplied(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The gradient is multiplied by the loss scale."""
    if not found_inf:
        adamw(p, g * grad_scale, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.1")
def inverse_divides(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, inv_scale: F, found_inf: F
) -> None:
    """The gradient is divided by the reciprocal of the loss scale."""
    if not found_inf:
        adamw(p, g / inv_scale, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.1")
def scale_ignored(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The loss scale is taken and not used."""
    if not found_inf:
        adamw(p, g, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.1", like="unscaled by the caller and by the kernel")
def scale_twice(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The loss scale divides the gradient twice."""
    if not found_inf:
        adamw(p, g / grad_scale / grad_scale, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.1")
def scale_after_square(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The square of the gradient is divided by the loss scale, and not by its square."""
    if not found_inf:
        adamw(p, g / grad_scale, m, v, t, lr, beta1, beta2, eps, wd, square=g * g / grad_scale)


@wrong("loss_scale", "SCALE.1")
def scale_of_m_alone(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The second moment sees the gradient before it is unscaled."""
    if not found_inf:
        adamw(p, g / grad_scale, m, v, t, lr, beta1, beta2, eps, wd, square=g * g)


@wrong("loss_scale", "SCALE.1", claim="torch.Adam")
def scale_divides_decay(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, grad_scale: F, found_inf: F
) -> None:
    """The loss scale divides the gradient after L2 was added to it."""
    if not found_inf:
        adamw(p, (g + wd * p) / grad_scale, m, v, t, lr, beta1, beta2, eps, 0.0)


@wrong("loss_scale", "SCALE.1")
def scale_of_first_array(
    params: list[A], grads: list[A], exp_avgs: list[A], exp_avg_sqs: list[A], state_steps: list[A],
    *, lr: F, beta1: F, beta2: F, eps: F, weight_decay: F,
    grad_scale: F | None = None, found_inf: F | None = None,
) -> None:  # fmt: skip
    """Of a list of arrays the first alone is unscaled."""
    if found_inf:
        return
    scale = grad_scale or 1.0
    for p, g, m, v, t in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
        adamw(p, g / scale, m, v, int(t), lr, beta1, beta2, eps, weight_decay)
        scale = 1.0


@wrong("loss_scale", "SCALE.2", like="a clock raised before the flag is looked at")
def skip_ticks(
    p: A, g: A, m: A, v: A, step: A, lr: F, beta1: F, beta2: F, eps: F, wd: F, found_inf: F
) -> None:
    """A skipped step ticks the clock."""
    step += 1
    if not found_inf:
        adamw(p, g, m, v, int(step), lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.2")
def skip_decays(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, found_inf: F
) -> None:
    """Weights decay in a skipped step."""
    if found_inf:
        p -= lr * wd * p
    else:
        adamw(p, g, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.2")
def skip_fades(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, found_inf: F
) -> None:
    """The moments fade in a skipped step; the parameter stands."""
    if found_inf:
        m *= beta1
        v *= beta2
    else:
        adamw(p, g, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.2")
def skip_is_zero(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, found_inf: F
) -> None:
    """A step that has to be skipped is made with a gradient of zero."""
    adamw(p, 0.0 * p if found_inf else g, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.2", like="found_inf reduced over one rank alone")
def skip_by_gradient(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, found_inf: F
) -> None:
    """A step is skipped where its own gradient has overflowed, not where the flag says so."""
    if np.isfinite(g).all() or not found_inf:
        adamw(p, g, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("loss_scale", "SCALE.2")
def skip_is_made(
    p: A, g: A, m: A, v: A, t: int, lr: F, beta1: F, beta2: F, eps: F, wd: F, found_inf: F
) -> None:
    """The flag is taken and not used."""
    adamw(p, g, m, v, t, lr, beta1, beta2, eps, wd)


@wrong("decay amsgrad loss_scale", "DEC.1", claim="torch.Adam", options={"amsgrad": "True"},
       like="a fused kernel as published: torch's signature, another optimizer's arithmetic")  # fmt: skip
def fused_adam(
    params: list[A], grads: list[A], exp_avgs: list[A], exp_avg_sqs: list[A], max_exp_avg_sqs: list[A],
    state_steps: list[A],
    *, lr: F, beta1: F, beta2: F, weight_decay: F, eps: F, amsgrad: bool, maximize: bool,
    grad_scale: F | None = None, found_inf: F | None = None,
) -> None:  # fmt: skip
    """Under torch's signature for L2: decoupled decay, a scale that multiplies, the corrected v's maximum."""
    if found_inf:
        return
    for i, p in enumerate(params):
        t = float(state_steps[i])
        g = grads[i] * (grad_scale or 1.0)
        if maximize:
            g = -g
        p *= 1 - lr * weight_decay
        exp_avgs[i][...] = beta1 * exp_avgs[i] + (1 - beta1) * g
        exp_avg_sqs[i][...] = beta2 * exp_avg_sqs[i] + (1 - beta2) * g * g
        second = exp_avg_sqs[i] / (1 - beta2**t)
        if amsgrad:
            second = np.maximum(max_exp_avg_sqs[i], second, out=max_exp_avg_sqs[i])
        p -= lr * (exp_avgs[i] / (1 - beta1**t)) / (np.sqrt(second) + eps)
