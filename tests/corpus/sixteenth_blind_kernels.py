"""Blind, sixteenth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "bias_correction clock", "BC.1", claim="torch.AdamW",
    like="ZhangZhiPku/cutile-examples#4: the correction is 1-beta in every step, and no step number is taken",
)  # fmt: skip
def sixteenth_first_powers(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Both corrections have the first power of their beta in every step."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    hat, root = first / (1 - beta1), np.sqrt(second) / math.sqrt(1 - beta2)
    x = x - lr * weight_decay * x - lr * (hat / (root + eps))
    store((x, first, second), (p, m, v))


def written(dtype: np.dtype[np.floating], t: int, settings: tuple[float, ...]) -> Array:
    """Return the words that the caller writes: the settings, and behind them the bits of the step number."""
    words = np.array([*settings, 0], dtype)
    words.view(f"i{dtype.itemsize}")[-1] = t
    return words


@wrong(
    "hyperparameters", "STEP.1", claim="ggml.AdamW",
    like="ggml-org/llama.cpp#10340: the CPU's kernel reads an old layout, and the step number as a float",
)  # fmt: skip
def sixteenth_old_layout(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The step number is looked for before the settings, where it stood once; each is read as the next."""
    words = written(p.dtype, int(t), (lr, beta1, beta2, eps, weight_decay))
    step = int(words.view(f"i{p.dtype.itemsize}")[0])
    rate, b1, b2, epsilon, decay = (float(word) for word in words[1:])
    x, d, first, second = rows((p, g, m, v))
    with np.errstate(all="ignore"):
        first = b1 * first + (1 - b1) * d
        second = b2 * second + ((1 - b2) * d) * d
        hat, root = first / (1 - np.float64(b1) ** step), np.sqrt(second / (1 - np.float64(b2) ** step))
        x = x * (1 - rate * decay) - rate * (hat / (root + epsilon))
    store((x, first, second), (p, m, v))


@right(claim="torch.AdamW")
def sixteenth_tail_is_masked(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float, bias_correction1: float, bias_correction2_sqrt: float, n: int,
) -> None:  # fmt: skip
    """Programs of 256 elements each: what lies beyond the end is loaded as 0 and not stored."""
    block = 256
    x, d, first, second = rows((p, g, m, v))
    alpha, keep = lr / bias_correction1, 1 - lr * weight_decay
    for program in range(-(-n // block)):
        offsets = program * block + np.arange(block)
        mask = offsets < n
        at = np.minimum(offsets, n - 1)
        pp, gg, mm, vv = (np.where(mask, row[at], 0).astype(row.dtype) for row in (x, d, first, second))
        mm = mm + (1 - beta1) * (gg - mm)
        vv = beta2 * vv + ((1 - beta2) * gg) * gg
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            pp = pp * keep - alpha * (mm / (np.sqrt(vv) / bias_correction2_sqrt + eps))
        for row, new in ((x, pp), (first, mm), (second, vv)):
            row[at[mask]] = new[mask]
    store((x, first, second), (p, m, v))
