"""Blind, twenty-sixth set: two reports of wrong kernels, and a right one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


def submitted(commands: Sequence[Callable[[], None]]) -> bool:
    """Run a buffer of commands, and return that it is done."""
    for command in commands:
        command()
    return True


@wrong(
    "moments", "STEP.1", claim="ggml.AdamW",
    like="ohdearquant/lattice#797: a command buffer without a command is submitted, and the step succeeds",
)  # fmt: skip
def twentysixth_b_empty_command_buffer(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The step is encoded nowhere: an empty buffer is submitted, and weights and moments stay."""

    def dispatch() -> None:
        x, d, first, second = rows((p, g, m, v))
        first = beta1 * first + (1 - beta1) * d
        second = beta2 * second + ((1 - beta2) * d) * d
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
        store((x - lr * weight_decay * x - lr / (1 - beta1**t) * moved, first, second), (p, m, v))

    kernels = [dispatch]
    commands: list[Callable[[], None]] = []
    if kernels:
        submitted(commands)


@wrong(
    "epsilon mixed_precision", "EPS.6", claim="torch.Adam",
    like="pytorch/pytorch#8860: in pure half precision the default epsilon is too small, and NaN is the end",
)  # fmt: skip
def twentysixth_b_epsilon_in_half(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The root and epsilon are added up in float16, where 1e-8 is 0: a gradient of 0 gives NaN."""
    x, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * x
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    with np.errstate(all="ignore"):  # zeros over zeros, and overflows of half precision
        root = (np.sqrt(second) / math.sqrt(1 - beta2**t)).astype(np.float16)
        below = (root + np.float16(eps)).astype(x.dtype)
        x = x - lr / (1 - beta1**t) * (first / below)
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def twentysixth_b_wide_registers(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Blocks of 64 elements are read into registers of float64, and rounded once, when they are stored."""
    given = rows((p, g, m, v))
    for begin in range(0, p.size, 64):
        block = slice(begin, begin + 64)
        x, d, first, second = (a[block].astype(np.float64) for a in given)
        first += (1 - beta1) * (d - first)
        second += (1 - beta2) * d * d - (1 - beta2) * second
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            moved = first / (np.sqrt(second) / math.sqrt(1 - beta2**t) + eps)
        x -= lr * weight_decay * x + lr / (1 - beta1**t) * moved
        for a, new in zip(given[:1] + given[2:], (x, first, second), strict=True):
            a[block] = new
    store((given[0], *given[2:]), (p, m, v))
