"""Blind, twenty-first set: three reports of wrong kernels, and a right one."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array
from register import right, wrong
from thirteenth_blind_kernels import rows, store


@wrong(
    "moments aliasing", "STEP.1", claim="paddle.Adam",
    like="PaddlePaddle/Paddle#32246: on an NPU parameters stay what they are, and the loss where it is",
)  # fmt: skip
def twentyfirst_param_out_elsewhere(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The new parameter goes to an output of its own, which nobody shares with it: it never changes."""
    param_out, d, first, second = rows((p, g, m, v))
    d = d + weight_decay * param_out
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    root = math.sqrt(1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        param_out -= lr / (1 - beta1**t) * (first / (np.sqrt(second) / root + eps))
    store((first, second), (m, v))


@wrong(
    "decay", "DEC.1", claim="torch.Adam",
    like="flagos-ai/FlagGems#4989: _fused_adam_ decays as AdamW does, and only where weight_decay > 0",
)  # fmt: skip
def twentyfirst_fused_adam_is_adamw(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """A parameter shrinks by lr times the decay, which should join the gradient instead."""
    x, d, first, second = rows((p, g, m, v))
    if weight_decay > 0:
        x = x * (1 - lr * weight_decay)
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    root = math.sqrt(1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - lr / (1 - beta1**t) * (first / (np.sqrt(second) / root + eps))
    store((x, first, second), (p, m, v))


def code_map(max_exponent_bits: int = 7, non_sign_bits: int = 8) -> Array:
    """Return 256 numbers without sign, of a map that would have twice as many."""
    numbers = [0.0, 1.0]
    for i in range(max_exponent_bits):
        ends = np.linspace(0.1, 1, 2 ** (i + non_sign_bits - max_exponent_bits + 1) + 1)
        numbers += (10.0 ** (i - max_exponent_bits + 1) * (ends[:-1] + ends[1:]) / 2).tolist()
    return np.sort(np.array(numbers))[:256]


CODES = code_map()


@wrong(
    "storage moments mixed_precision", "STORE.14", claim="bitsandbytes.AdamW",
    like="bitsandbytes-foundation/bitsandbytes#152: the map without sign has the bits of the one with it",
)  # fmt: skip
def twentyfirst_map_of_other_bits(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """The second moment is kept as codes of a map with twice too many, of which the lower half is there."""
    x, d, first, second = rows((p, g, m, v))
    first = beta1 * first + (1 - beta1) * d
    second = beta2 * second + ((1 - beta2) * d) * d
    root = math.sqrt(1 - beta2**t)
    with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
        x = x - lr * weight_decay * x - lr / (1 - beta1**t) * (first / (np.sqrt(second) / root + eps))
    middles = (CODES[:-1] + CODES[1:]) / 2
    for at in range(0, second.size, 2048):
        block = second[at : at + 2048]
        known = np.isfinite(block)
        absmax = float(np.max(block, initial=0.0, where=known))
        if absmax > 0:
            near = CODES[np.searchsorted(middles, block / absmax)] * absmax
            block[...] = np.where(known, near, block)
    store((x, first, second), (p, m, v))


@right(claim="mxnet.AdamW")
def twentyfirst_lanes_and_tail(
    p: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, eps: float,
    weight_decay: float,
) -> None:  # fmt: skip
    """Whole vectors of eight lanes are stepped as rows of a matrix, and what is left as a last, short one."""
    whole = p.size - p.size % 8
    given = rows((p, g, m, v))
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    vectors, tails = [a[:whole].reshape(-1, 8) for a in given], [a[whole:] for a in given]
    for x, d, first, second in (vectors, tails):
        first *= beta1
        first += (1 - beta1) * d
        second *= beta2
        second += (1 - beta2) * d * d
        with np.errstate(all="ignore"):  # zeros over zeros, where epsilon is 0
            quotient = first / (np.sqrt(second) + eps)
        x -= rate * (quotient + weight_decay * x)
    store((given[0], given[2], given[3]), (p, m, v))
