"""Blind, fourteenth set: reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "layout", "NUM.5", claim="warp.Adam",
    like="NVIDIA/warp#594: a return within a loop over the grid leaves a thread's later elements out",
)  # fmt: skip
def fourteenth_return_for_continue(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Of 32 threads each returns at its first element that has no moments and no gradient."""
    x, d, first, second = rows((p, g, m, v))
    busy = np.ones(-(-x.size // 32) * 32, bool)
    busy[: x.size] = (d != 0) | (first != 0) | (second != 0)
    i = np.flatnonzero(np.logical_and.accumulate(busy.reshape(-1, 32), axis=0).reshape(-1)[: x.size])
    first[i] = beta1 * first[i] + (1 - beta1) * d[i]
    second[i] = beta2 * second[i] + ((1 - beta2) * d[i]) * d[i]
    root = np.sqrt(second[i]) / math.sqrt(1 - beta2**t) + eps
    x[i] -= lr / (1 - beta1**t) * (first[i] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "NUM.5", claim="ggml.AdamW",
    like="stew675/llama-cpp-rdna-boosts#19: n_embd / 4 columns of four; what is left is not written",
)  # fmt: skip
def fourteenth_columns_in_fours(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Each row is stepped in vectors of four columns; those that are left at its end stay as they are."""
    x, d, first, second = rows((p, g, m, v))
    columns = p.shape[-1] if p.ndim else 1
    i = np.flatnonzero(np.broadcast_to(np.arange(columns) < columns // 4 * 4, p.shape or (1,)))
    first[i] = beta1 * first[i] + (1 - beta1) * d[i]
    second[i] = beta2 * second[i] + ((1 - beta2) * d[i]) * d[i]
    root = np.sqrt(second[i]) / math.sqrt(1 - beta2**t) + eps
    x[i] = x[i] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[i] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "NUM.5", claim="llm.c.AdamW",
    like="halide/Halide#656: the tail begins at the number of vectors, not at that times a width",
)  # fmt: skip
def fourteenth_tail_begins_early(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The tail begins at the number of whole vectors, among elements that are stepped already."""
    x, d, first, second = rows((p, g, m, v))
    width = 8
    vectors = x.size // width
    for part in (slice(0, vectors * width), slice(vectors, vectors + x.size - vectors * width)):
        first[part] = beta1 * first[part] + (1 - beta1) * d[part]
        second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
        root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
        x[part] = x[part] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[part] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "NUM.5", claim="deepspeed.CPUAdam",
    like="VectorCamp/vectorscan#378: the tail ends the last vector, and the mask has its beginning",
)  # fmt: skip
def fourteenth_mask_of_other_end(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The last vector of sixteen ends with the array, and its mask has the lanes at the other end."""
    x, d, first, second = rows((p, g, m, v))
    rest = x.size % 16
    last = max(x.size - 16, 0)
    for part in (slice(0, x.size - rest), slice(last, last + rest)):
        first[part] = beta1 * first[part] + (1 - beta1) * d[part]
        second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
        root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
        x[part] = x[part] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[part] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "NUM.5", claim="onnxruntime.AdamW",
    like="m4rs-mt/ILGPU#652: a loop of up to 32 turns is unrolled, and <= is taken for < there",
)  # fmt: skip
def fourteenth_unrolled_one_short(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The loop over an array of up to 32 elements is unrolled without its last turn."""
    x, d, first, second = rows((p, g, m, v))
    last = x.size - 1
    part = slice(0, last if x.size <= 32 else last + 1)
    first[part] = beta1 * first[part] + (1 - beta1) * d[part]
    second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
    root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
    x[part] = x[part] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[part] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "STEP.1", claim="apex.FusedAdam",
    like="JuliaGPU/CUDA.jl#1573: the window is (blockDim - 1) * gridDim, from which nothing is to be taken",
)  # fmt: skip
def fourteenth_window_one_short(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A block of 32 threads goes on by 31 elements: the last one is the first of the next turn."""
    x, d, first, second = rows((p, g, m, v))
    for begin in range(0, x.size, 31):
        part = slice(begin, begin + 32)
        first[part] = beta1 * first[part] + (1 - beta1) * d[part]
        second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
        root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
        x[part] = x[part] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[part] / root)
    store((x, first, second), (p, m, v))


@wrong(
    "layout", "NUM.5", claim="bitsandbytes.AdamW",
    like="JHU-EP-Intro2GPU/EN605.617#14: one block for all elements, of which there are 1024 at the most",
)  # fmt: skip
def fourteenth_one_block(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """One block is launched, with a thread for each element and no more than 1024."""
    x, d, first, second = rows((p, g, m, v))
    part = slice(0, min(x.size, 1024))
    first[part] = beta1 * first[part] + (1 - beta1) * d[part]
    second[part] = beta2 * second[part] + ((1 - beta2) * d[part]) * d[part]
    root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
    x[part] = x[part] * (1 - lr * weight_decay) - lr / (1 - beta1**t) * (first[part] / root)
    store((x, first, second), (p, m, v))


@right(claim="torch.Adam")
def fourteenth_pieces_double(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The pieces that are stepped double in length, from one element on, as far as the array goes."""
    x, d, first, second = rows((p, g, m, v))
    begin, size = 0, 1
    while begin < x.size:
        part = slice(begin, begin + size)
        whole = d[part] + weight_decay * x[part]
        first[part] = beta1 * first[part] + (1 - beta1) * whole
        second[part] = beta2 * second[part] + ((1 - beta2) * whole) * whole
        root = np.sqrt(second[part]) / math.sqrt(1 - beta2**t) + eps
        x[part] -= lr / (1 - beta1**t) * (first[part] / root)
        begin, size = begin + size, 2 * size
    store((x, first, second), (p, m, v))
