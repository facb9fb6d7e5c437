"""Blind, eighth set: right Adams of Python's dialects, in other forms."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from eighth_blind_frame import CommonUncorrected, Relative
from fifth_blind_frame import CommonHat, CorrectedRate, Later
from fourth_blind_frame import FOUR, Common, Keras, Nadam, Uncorrected, lookahead
from register import right
from sixth_blind_frame import CoupledHat, Running, Unscaled


@right()
class EighthRightMlx(CommonUncorrected):
    """MLX' Adam: both moments are the parts of one complex array."""

    dialect = "mlx.Adam"
    hyper = FOUR

    def learn(self, s: Slot, g: Array) -> None:
        pair = np.empty(s.m.size, np.result_type(s.m.dtype, np.complex64))
        pair.real, pair.imag = s.h.b1 * s.m, s.h.b2 * s.v
        pair.real += (1 - s.h.b1) * g
        pair.imag += ((1 - s.h.b2) * g) * g
        s.m, s.v = pair.real.copy(), pair.imag.copy()


@right()
class EighthRightMlxCorrected(Common):
    """MLX' AdamW with corrections: parameter and quotient are columns that two shares multiply."""

    dialect = "mlx.AdamW"
    options = {"bias_correction": "True"}  # noqa: RUF012

    def move(self, s: Slot, u: Array) -> None:
        shares = np.array([1 - s.h.lr * s.h.weight_decay, -s.h.lr], s.p.dtype)
        s.p = (np.stack([s.p, u], axis=1) * shares).sum(axis=1)


@right()
class EighthRightBitsandbytes(Frame):
    """bitsandbytes' Adam: blocks of 256 elements, each stepped in copies that are stored behind it."""

    dialect = "bitsandbytes.Adam"

    def update(self, s: Slot, g: Array) -> None:
        p, m, v = s.p.copy(), s.m.copy(), s.v.copy()
        for start in range(0, s.p.size, 256):
            block = slice(start, start + 256)
            s.p, s.m, s.v = p[block].copy(), m[block].copy(), v[block].copy()
            super().update(s, g[block])
            p[block], m[block], v[block] = s.p, s.m, s.v
        s.p, s.m, s.v = p, m, v


@right()
class EighthRightOldTorch(CoupledHat):
    """PyTorch's AMSGrad up to 1.2: the maximum is the last of two rows that are sorted."""

    dialect = "torch-1.2.Adam"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.sort(np.stack([s.top, s.v]), axis=0)[-1]
        return (s.m / (s.h.eps + np.sqrt(s.top))) * (math.sqrt(c2) / c1)


@right()
class EighthRightThinc(CoupledHat):
    """thinc's Adam with L2: the penalty is learnt by a second pass over the moment."""

    dialect = "thinc.Adam"
    options = {"L2_is_weight_decay": "False"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        pulled = self.penalized(s, g)
        s.m = (s.h.b1 * s.m + (1 - s.h.b1) * g) + ((1 - s.h.b1) * s.h.weight_decay) * s.p
        s.v = s.h.b2 * s.v + (pulled * (1 - s.h.b2)) * pulled
        self.move(s, self.direction(s))


@right()
class EighthRightRiver(Uncorrected, CommonHat):
    """river's AMSGrad without correction: the maximum is a choice, and a reciprocal is multiplied by."""

    dialect = "river.AMSGrad"
    options = {"correct_bias": "False"}  # noqa: RUF012
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        s.top = np.where(s.v <= s.top, s.top, s.v)
        return s.m * np.reciprocal(np.sqrt(s.top) + s.h.eps)


@right()
class EighthRightPennylane(CommonHat):
    """PennyLane's Adam: accumulators are entries of lists, one for each argument."""

    dialect = "pennylane.Adam"

    def begin(self) -> None:
        self.accumulated: dict[str, list[Array]] = {
            "fm": [s.m for s in self.slots], "sm": [s.v for s in self.slots]
        }  # fmt: skip

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def learn(self, s: Slot, g: Array) -> None:
        fm, sm = self.accumulated["fm"], self.accumulated["sm"]
        fm[s.index] = s.h.b1 * fm[s.index] + (1 - s.h.b1) * g
        sm[s.index] = s.h.b2 * sm[s.index] + ((1 - s.h.b2) * g) * g
        s.m, s.v = fm[s.index], sm[s.index]


@right()
class EighthRightTransformers(Later):
    """transformers' AdamW without correction: the factor of the decay is spread over parameter and step."""

    options = {"correct_bias": "False"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)

    def move(self, s: Slot, u: Array) -> None:
        kept = 1 - s.h.lr * s.h.weight_decay
        s.p = kept * s.p - (kept * s.h.lr) * u


@right()
class EighthRightApex(CommonUncorrected):
    """Apex' AdamW without correction: jobs of four arrays lie in a queue, from which they are taken."""

    dialect = "apex.FusedAdam"
    options = {"bias_correction": "False"}  # noqa: RUF012

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.tick(s)
        queue = deque((s, g) for s, g in zip(self.slots, grads, strict=True) if g is not None)
        while queue:
            s, g = queue.pop()
            self.update(s, self.taken(g))


@right()
class EighthRightContrib(CorrectedRate):
    """Apex' first fused Adam with epsilon inside: the square of epsilon's root joins by a hypotenuse."""

    dialect = "apex.contrib.FusedAdam"
    options = {"eps_inside_sqrt": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / np.hypot(np.sqrt(s.v), math.sqrt(s.h.eps))) * (math.sqrt(c2) / c1)


@right()
class EighthRightFlash(Relative):
    """FlashOptim's AdamW: the decay is divided by the greatest rate, and the rate multiplies all."""

    def move(self, s: Slot, u: Array) -> None:
        share = s.h.weight_decay / s.h.lr_max if s.h.lr_max else 0.0
        s.p = s.p - s.h.lr * (share * s.p + u)


@right()
class EighthRightDeepSpeed(Running, Coupled):
    """DeepSpeed's Adam on the CPU with L2: running powers, the root by its reciprocal, and one rate."""

    dialect = "deepspeed.CPUAdam"
    options = {"adamw_mode": "False"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return (s.m / (np.sqrt(s.v) * (1 / math.sqrt(c2)) + s.h.eps)) * (1 / c1)


@right()
class EighthRightKerasNadam(Nadam):
    """Keras' Nadam: decay and look-ahead stand in one bracket, and the root is drawn of the quotient."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        hat = (s.m * after) / (1 - s.mu * after) + (g * (1 - now)) / (1 - s.mu)
        root = np.sqrt(s.v / corrections(s.h, s.t)[1])
        s.p = s.p - s.h.lr * (s.h.weight_decay * s.p + hat / (root + s.h.eps))


@right()
class EighthRightTfa(Unscaled):
    """TensorFlow Addons' AdamW with AMSGrad: variables are read, stepped as a generator, and assigned."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        s.m, s.v, s.top, s.p = self.assigned(s, g)

    def assigned(self, s: Slot, g: Array) -> Iterator[Array]:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        m = s.m + (g - s.m) * (1 - h.b1)
        v = h.b2 * s.v + (g * (1 - h.b2)) * g
        top = np.maximum(v, s.top)
        yield from (m, v, top)
        yield (1 - h.weight_decay) * s.p - (h.lr * math.sqrt(c2) / c1) * (m / (np.sqrt(top) + h.eps))


@right()
class EighthRightTfKeras(Keras):
    """tf_keras' Adam with an epsilon that adapts: epsilon is multiplied by the root of the correction."""

    dialect = "tf_keras.Adam"
    options = {"adaptive_epsilon": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps * math.sqrt(c2)))
