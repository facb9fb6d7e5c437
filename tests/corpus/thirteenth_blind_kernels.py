"""Blind, thirteenth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array
from register import right, wrong


def rows(arrays: Sequence[Array]) -> list[Array]:
    """Return copies of arrays as rows."""
    return [a.reshape(-1).copy() for a in arrays]


def store(rows: Sequence[Array], arrays: Sequence[Array]) -> None:
    """Write rows back to the arrays that they are copies of."""
    for row, a in zip(rows, arrays, strict=True):
        a[...] = row.reshape(a.shape)


def estimated(x: Array) -> Array:
    """Return reciprocals of which nine digits are right, as an instruction estimates them."""
    digits, exponent = np.frexp(1 / x)
    return np.ldexp(np.floor(digits * 512) / 512, exponent).astype(x.dtype)


@wrong(
    "mixed_precision", "NUM.1", claim="deepspeed.CPUAdam",
    like="pytorch/pytorch#47476, #47478: vrecpe on ARM has nine digits, without a turn of Newton's method",
)  # fmt: skip
def thirteenth_estimated_reciprocal(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Whole lanes of four floats are multiplied by an estimate of a reciprocal; what is left is divided."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    below = np.sqrt(second) / math.sqrt(1 - beta2**t) + eps
    lanes = x.size // 4 * 4 if x.dtype == np.float32 else 0
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        above = first[:lanes] * estimated(below[:lanes])
        quotient = np.concatenate([above, first[lanes:] / below[lanes:]])
    x = x * (1 - lr * weight_decay) - lr / (1 - beta1**t) * quotient
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "STEP.1", claim="ggml.AdamW",
    like="mrdoob/three.js#33185: a thread that is out of bounds writes to the last position",
)  # fmt: skip
def thirteenth_excess_threads(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Groups of 64 threads run in waves of 32; a thread beyond the end steps the last element."""
    x, d, first, second = rows((p, g, m, v))
    threads = -(-x.size // 64) * 64
    for wave in range(0, threads, 32):
        i = np.minimum(np.arange(wave, wave + 32), x.size - 1)
        first[i] = beta1 * first[i] + (1 - beta1) * d[i]
        second[i] = beta2 * second[i] + ((1 - beta2) * d[i]) * d[i]
        root = np.sqrt(second[i]) / math.sqrt(1 - beta2**t) + eps
        x[i] = x[i] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[i] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "STEP.1", claim="onnxruntime.AdamW",
    like="Ryan-Millard/Img2Num#347: id.x + id.y * 16, with groups along x alone: some twice, some never",
)  # fmt: skip
def thirteenth_groups_overlap(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Groups of 8 times 8 threads begin 8 elements one behind the other, and not 64."""
    x, d, first, second = rows((p, g, m, v))
    within = np.add.outer(np.arange(8) * 8, np.arange(8)).reshape(-1)
    for group in range(-(-x.size // 64)):
        i = group * 8 + within
        i = i[i < x.size]
        first[i] = beta1 * first[i] + (1 - beta1) * d[i]
        second[i] = beta2 * second[i] + ((1 - beta2) * d[i]) * d[i]
        root = np.sqrt(second[i]) / math.sqrt(1 - beta2**t) + eps
        x[i] = x[i] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[i] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "STEP.1", claim="warp.Adam",
    like="oysteijo/simd_neuralnet#12: the loop behind the vectors begins with j = 0",
)  # fmt: skip
def thirteenth_rest_from_zero(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Behind the vectors of eight, the loop for the elements that are left begins at the first one."""
    x, d, first, second = rows((p, g, m, v))
    whole = x.size // 8 * 8
    for part in (slice(0, whole), slice(0, x.size)) if whole < x.size else (slice(0, whole),):
        first[part] = beta1 * first[part] + (1 - beta1) * d[part]
        second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
        root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
        x[part] -= lr / (1 - beta1**t) * (first[part] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "STEP.1", claim="bitsandbytes.AdamW",
    like="microsoft/onnxruntime#32343: global_id.x leaves out what the other two numbers of a thread add",
)  # fmt: skip
def thirteenth_first_number_of_thread(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Of a group of 8 times 8 threads the eight of a column step one element: an eighth is stepped."""
    x, d, first, second = rows((p, g, m, v))
    reached = min(x.size, -(-x.size // 64) * 8)
    part = slice(0, reached)
    first[part] = beta1 * first[part] + (1 - beta1) * d[part]
    second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
    root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
    x[part] = x[part] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[part] / root)
    store((x, first, second), (p, m, v))


@right(claim="mxnet.AdamW")
def thirteenth_rest_comes_first(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """What is left over by blocks of eight is stepped first, and then the blocks from the last one on."""
    x, d, first, second = rows((p, g, m, v))
    lr = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    whole = x.size // 8 * 8
    for begin in range(whole, -1, -8):
        part = slice(begin, min(begin + 8, x.size))
        first[part] = beta1 * first[part] + (1 - beta1) * d[part]
        second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
        x[part] *= 1 - lr * weight_decay
        x[part] -= lr * (first[part] / (np.sqrt(second[part]) + eps))
    store((x, first, second), (p, m, v))
