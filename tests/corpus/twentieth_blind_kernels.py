"""Blind, twentieth set: three reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction hyperparameters", "BC.1", claim="torch.Adam",
    like="Oneflow-Inc/oneflow#3501: do_bias_correction is asked for, and the kernel's rate is as it was",
)  # fmt: skip
def twentieth_flag_not_honoured(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A corrected rate is formed, and the step is made with the one that was given: nothing is corrected."""
    do_bias_correction = True
    learning_rate = lr
    if do_bias_correction:
        lr = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - learning_rate * (first / (np.sqrt(second) + eps))
    store((x, first, second), (p, m, v))


@wrong(
    "decay", "DEC.2", claim="ggml.AdamW",
    like="ggml-org/llama.cpp#2439: parameters lose decay times sched, where torch's lose lr times as much",
)  # fmt: skip
def twentieth_decay_without_alpha(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The weight decay is not multiplied by the learning rate."""
    sched = 1.0
    decay, alpha = weight_decay * sched, lr * sched
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    beta1h, root = alpha / (1 - beta1**t), math.sqrt(1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x * (1 - decay) - beta1h * (first / (np.sqrt(second) / root + eps))
    store((x, first, second), (p, m, v))


@wrong(
    "decay hyperparameters", "DEC.1", claim="deepspeed.CPUAdam", options={"adamw_mode": "False"},
    like="deepspeedai/DeepSpeed#8307: the binding makes its optimizer with default flags, whatever the mode",
)  # fmt: skip
def twentieth_mode_of_default(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """With adamw_mode=False, which asks for L2, parameters decay by themselves all the same."""
    adamw_mode = True
    x, d, first, second = rows((p, g, m, v))
    if weight_decay > 0 and not adamw_mode:
        d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    step_size, root = -lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        quotient = first / (np.sqrt(second) / root + eps)
    if weight_decay > 0 and adamw_mode:
        x = x + (-lr * weight_decay) * x
    store((x + step_size * quotient, first, second), (p, m, v))


@right(claim="transformers4.AdamW")
def twentieth_two_launches(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """One launch averages in blocks of 48 from the end on; another steps with a stride of five and decays."""
    x, d, first, second = rows((p, g, m, v))
    for end in range(x.size, 0, -48):
        block = slice(max(end - 48, 0), end)
        first[block] -= (1 - beta1) * (first[block] - d[block])
        second[block] *= beta2
        second[block] += d[block] * ((1 - beta2) * d[block])
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    for thread in range(min(5, x.size)):
        i = slice(thread, None, 5)
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            x[i] -= rate * (first[i] / (np.sqrt(second[i]) + eps))
        x[i] -= (lr * weight_decay) * x[i]
    store((x, first, second), (p, m, v))
