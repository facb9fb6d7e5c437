"""Blind, twenty-first set: faults of clips, buffers, clocks and places, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from eighth_blind_frame import lengths
from fifth_blind_frame import Dozat
from fourth_blind_frame import Keras, lookahead
from register import wrong
from thirteenth_blind_frame_b import Browser
from twelfth_blind_frame import RunningCoupled


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="radixark/miles_diffusion#35: of sharded gradients the norm is read before it is reduced",
)
class TwentyFirstNormOfLocalShard(Frame):
    """Gradients are cut to a norm of 1 by the norm of their first quarter, which is what one rank has."""

    shards, max_norm = 4, 1.0
    factor = 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        local = [None if g is None else self.to_local(flat(g)) for g in grads]
        norm = math.sqrt(lengths(local))
        self.factor = min(1.0, self.max_norm / (norm + 1e-6))
        super().all(grads)

    def to_local(self, row: Array) -> Array:
        return row[: -(-row.size // self.shards)]

    def taken(self, g: Array) -> Array:
        return super().taken(g) * self.factor


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#15926: what is deserialised is appended to buffers that nobody has cleared",
)
class TwentyFirstBuffersAppended(Coupled):
    """Where there are buffers already those that are loaded come behind them, and the old ones are used."""

    buffers: list[tuple[int, Array, Array]]

    def begin(self) -> None:
        self.buffers = []

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        if self.buffers or any(g is not None for g in grads):
            self.buffers[: len(self.slots)] = [(s.t, s.m, s.v) for s in self.slots]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.buffers += [(s.t, s.m, s.v) for s in self.slots]
        for s in self.slots:
            s.t, s.m, s.v = self.buffers[s.index]


@wrong(
    "state clock",
    "STATE.4",
    like="keras-team/keras#20901: LossScaleOptimizer hands much on to its inner optimizer, and no iterations",
)
class TwentyFirstIterationsOfWrapper(Keras):
    """The clock that is read and saved is a wrapper's, which stays 0: the inner optimizer has the count."""

    dialect = "keras.Adam"
    iterations = 0

    def get_state(self) -> dict[str, Any]:
        inner = super().get_state()
        return {**inner, "t": [self.iterations for _ in self.slots]}


@wrong(
    "missing layout",
    "F1",
    like="tensorflow/tfjs#4290: accumulators are found by a variable's place among those that are trained",
)
class TwentyFirstAccumulatorsByPlace(Browser):
    """The n-th gradient that is there goes into the n-th moments, which may be of another parameter."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.tick(s)
        named = [(s, g) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for accumulated, (s, g) in zip(self.slots, named, strict=False):
            if accumulated.shape != s.shape:
                raise ValueError(f"operands could not be broadcast: {accumulated.shape} and {s.shape}")
            own = s.m, s.v
            s.m, s.v = accumulated.m, accumulated.v
            self.update(s, self.taken(g))
            accumulated.m, accumulated.v = s.m, s.v
            if accumulated is not s:
                s.m, s.v = own


@wrong(
    "clock bias_correction",
    "CLK.1",
    like="PaddlePaddle/Paddle#4925: beta powers are shared, and the op of every parameter advances them",
)
class TwentyFirstEachOpAdvances(RunningCoupled):
    """The powers of the betas are those of all parameters, and the update of each multiplies them."""

    def tick(self, s: Slot) -> None:
        s.t += 1
        for other in self.slots:
            other.extra["power1"] *= s.h.b1
            other.extra["power2"] *= s.h.b2


@wrong(
    "bias_correction nesterov",
    "BC.1",
    like="apache/mxnet#6784: in Nadam g-hat, m-hat and n-hat are taken to be g, m and n",
)
class TwentyFirstNadamWithoutHats(Dozat):
    """The look-ahead is of the gradient and the moments as they are: nothing corrects either of them."""

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        momentum_t, momentum_t_1 = lookahead(s, s.t), lookahead(s, s.t + 1)
        ahead = momentum_t_1 * s.m + (1 - momentum_t) * g
        self.move(s, ahead / (np.sqrt(s.v) + s.h.eps))
