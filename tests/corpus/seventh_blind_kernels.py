"""Blind, seventh set: kernels of one array and of lists, right and wrong."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong


@wrong(
    "amsgrad isolation", "AMS.1", claim="torch.Adam", options={"amsgrad": "True"},
    like="a table of pointers whose last row is filled from the list's head",
)  # fmt: skip
def seventh_maximum_of_first(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array], state_steps: list[Array], lr: float, beta1: float, beta2: float,
    weight_decay: float, eps: float, amsgrad: bool,
) -> None:  # fmt: skip
    """Arrays as long as the first one share its maximum, where each should have its own."""
    for i, (p, g, m, v, step) in enumerate(
        zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True)
    ):
        t = float(step)
        g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + ((1 - beta2) * g) * g
        second = v
        if amsgrad:
            row = 0 if max_exp_avg_sqs[0].shape == v.shape else i
            second = np.maximum(max_exp_avg_sqs[row], v, out=max_exp_avg_sqs[row])
        root = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
        p[...] = p - lr / (1 - beta1**t) * (m / root)


@wrong("decay moments", "DEC.2", claim="torch.AdamW", like="exp_avg for param, in a kernel of five pointers")
def seventh_moment_decays(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    wd: float, grad_scale: float, found_inf: float,
) -> None:  # fmt: skip
    """What the decay multiplies is the first moment, and not the parameter."""
    if found_inf:
        return
    g = g / grad_scale
    m *= 1 - lr * wd
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + ((1 - beta2) * g) * g
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
    p[...] = p - lr / (1 - beta1**t) * (m / root)


@right(claim="torch.Adam", options={"amsgrad": "True", "maximize": "True"})
def seventh_table_of_rows(
    params: list[Array], grads: list[Array], exp_avgs: list[Array], exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array], state_steps: list[Array], lr: float, beta1: float, beta2: float,
    weight_decay: float, eps: float, amsgrad: bool, maximize: bool,
) -> None:  # fmt: skip
    """For each array a table of five rows is made, stepped within and copied back."""
    for p, g, m, v, top, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, strict=True
    ):
        t = float(step)
        table = np.stack([np.ravel(a) for a in (p, -g if maximize else g, m, v, top)])
        table[1] += weight_decay * table[0]
        table[2:4] *= np.array([[beta1], [beta2]], table.dtype)
        table[2] += (1 - beta1) * table[1]
        table[3] += ((1 - beta2) * table[1]) * table[1]
        table[4] = np.maximum(table[4], table[3])
        root = np.sqrt(table[4] if amsgrad else table[3]) * (1 / math.sqrt(1 - beta2**t)) + eps
        table[0] -= (lr / (1 - beta1**t)) * (table[2] / root)
        for old, row in zip((p, m, v, top), table[[0, 2, 3, 4]], strict=True):
            old[...] = row.reshape(old.shape)


@right(claim="paper.eps-hat")
def seventh_hat_of_halves(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float, n: int
) -> tuple[Array, Array, Array]:
    """Each half of the array is stepped by a call of its own, and three new arrays are joined."""
    rows = [np.ravel(a) for a in (p, g, m, v)]
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)

    def half(x: Array, y: Array, first: Array, second: Array) -> tuple[Array, Array, Array]:
        first = beta1 * first + (1 - beta1) * y
        second = beta2 * second + y * ((1 - beta2) * y)
        return x - rate * (first / (eps + np.sqrt(second))), first, second

    halves = [half(*(row[part] for row in rows)) for part in (slice(0, n // 2), slice(n // 2, n))]
    x, first, second = (np.concatenate(pair).reshape(p.shape) for pair in zip(*halves, strict=True))
    return x, first, second
