"""Blind, twenty-first set: faults of ends, parts, restores and paths, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from eighth_blind_frame import lengths
from fourth_blind_frame import Common
from register import wrong
from sixth_blind_frame import WantingHat
from tenth_blind_frame import ModulusPlain
from twelfth_blind_frame_b import begun


@wrong(
    "zero_gradient schedule",
    "F2",
    like="qiskit-community/qiskit-aqua#1155: with a fixed seed differences are 0, and Adam returns at once",
)
class TwentyFirstReturnsAtOnce(WantingHat):
    """A step that moves all parameters by less than 1e-6, as one by zeros does, is the last one."""

    dialect = "qiskit.ADAM"
    tol = 1e-6
    returned = False

    def begin(self) -> None:
        self.returned = False

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if self.returned:
            return
        params = [s.p for s in self.slots]
        super().all(grads)
        moved = math.sqrt(lengths([p - s.p for p, s in zip(params, self.slots, strict=True)]))
        self.returned = moved < self.tol

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.returned = False


@wrong(
    "clipping",
    "CLIP.1",
    like="finegrain-ai/refiners#326: gradients are clipped behind each backward, not in front of a step",
)
class TwentyFirstClipsPartialSums(Frame):
    """Two micro-batches have every other element each, and after each one what is there is cut to 1."""

    micro_batches, max_norm = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [None if g is None else flat(g) for g in grads]
        sums = [None if row is None else np.zeros_like(row) for row in rows]
        for k in range(self.micro_batches):
            self.backward(sums, rows, slice(k, None, self.micro_batches))
            sums = self.clipped(sums)
        super().all(sums)

    def backward(self, sums: list[Array | None], rows: list[Array | None], part: slice) -> None:
        for total, row in zip(sums, rows, strict=True):
            if total is not None and row is not None:
                total[part] += row[part]

    def clipped(self, sums: list[Array | None]) -> list[Array | None]:
        norm = math.sqrt(lengths(sums))
        if not norm > self.max_norm:
            return sums
        return [None if total is None else total * (self.max_norm / norm) for total in sums]


@wrong(
    "state",
    "STATE.4",
    like="huggingface/candle#3819: nothing takes moments and step_t back, and new() is all that there is",
)
class TwentyFirstNewIsAllThereIs(Common):
    """A run that goes on has trained parameters, moments of zero and a clock of zero."""

    dialect = "candle.AdamW"

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            begun(s)


@wrong(
    "groups decay",
    "LR.4",
    like="ooples/AiDotNet#2029: one path looks at the mask of decay, and the resident one has a scalar",
)
class TwentyFirstMaskOnOnePath(Frame):
    """Parameters of float32 take a path where all decay by one number; those of float64 by their own."""

    def move(self, s: Slot, u: Array) -> None:
        own = s.h.weight_decay
        if self.is_resident(s):
            s.h.weight_decay = max(other.h.weight_decay for other in self.slots)
        super().move(s, u)
        s.h.weight_decay = own

    def is_resident(self, s: Slot) -> bool:
        return bool(s.p.dtype == np.float32)


@wrong(
    "aliasing moments",
    "STATE.2",
    like="qiskit-community/qiskit-algorithms#215: params and params_new are the array that x0 is",
)
class TwentyFirstTwoNamesOfStart(WantingHat):
    """The first step writes to the parameters that were given, finds old ones equal to new ones, and ends."""

    dialect = "qiskit.ADAM"
    tol = 1e-6
    returned = False

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.returned = False
        for s, x0 in zip(self.slots, params, strict=True):
            s.p = flat(x0)

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if self.returned:
            return
        params = [s.p for s in self.slots]
        super().all(grads)
        params_new = [s.p for s in self.slots]
        difference = [old - new for old, new in zip(params, params_new, strict=True)]
        self.returned = math.sqrt(lengths(difference)) < self.tol

    def move(self, s: Slot, u: Array) -> None:
        s.p -= s.h.lr * u

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.returned = False


@wrong(
    "bias_correction",
    "BC.1",
    like="FluxML/Flux.jl#1962: AdaBelief's moments are used as they are, without a power of either beta",
)
class TwentyFirstRawMoments(ModulusPlain):
    """Neither moment is corrected, and epsilon stands beside the root of the raw second one."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)
