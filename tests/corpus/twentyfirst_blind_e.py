"""Blind, twenty-first set: faults of runs, resumes, stored codes and launches, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fourth_blind_frame import Common, brained
from register import wrong
from sixth_blind_frame import WantingHat


class Minimizer:
    """What lives as long as the optimizer's object does, over all its minimizations."""

    def __init__(self, maxiter: int = 10000) -> None:
        self.maxiter, self.t = maxiter, 0


@wrong(
    "isolation clock",
    "CLK.2",
    like="qiskit-community/qiskit-aqua#1016: t is 0 in the constructor alone, a second run goes on from it",
)
class TwentyFirstBCountOfAllRuns(WantingHat):
    """One object makes all runs, and its count begins once: a later run goes on, up to the maximum."""

    dialect = "qiskit.ADAM"
    adam: ClassVar[Minimizer] = Minimizer()

    def begin(self) -> None:
        for s in self.slots:
            s.t = self.adam.t

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.adam.t = max((s.t for s in self.slots), default=self.adam.t)

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if not self.slots or self.adam.t >= self.adam.maxiter:
            return
        self.adam.t += 1
        for s, g in zip(self.slots, grads, strict=True):
            s.t = self.adam.t
            if g is not None:
                self.update(s, self.taken(g))


@wrong(
    "moments epsilon",
    "MOM.1",
    like="gaozhihan/PreDiff#33: zero_grad() erases what was accumulated before the optimizer steps",
)
class TwentyFirstBErasedBeforeStep(Frame):
    """Eight passes each bring an eighth of the gradient; what seven have gathered is erased by the eighth."""

    accumulate_grad_batches = 8

    def update(self, s: Slot, g: Array) -> None:
        share = g / s.p.dtype.type(self.accumulate_grad_batches)
        grad = np.zeros_like(s.p)
        for _ in range(self.accumulate_grad_batches):
            grad[:] = 0  # zero_grad()
            grad += share  # backward()
        super().update(s, grad)


@wrong(
    "state storage",
    "STATE.4",
    like="KempnerInstitute/KempnerForge#114: on a resume moments are not back in full precision",
)
class TwentyFirstBMomentsThroughModel(Frame):
    """Moments of a state that is loaded are brought to bfloat16, the model's dtype, and back."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v = brained(s.m), brained(s.v)


@wrong(
    "storage moments",
    "STORE.14",
    like="bitsandbytes-foundation/bitsandbytes#121: with the map of 0.36.0 Adam8bit's loss bounces wildly",
)
class TwentyFirstBMapOfTwoDecades(Frame):
    """Moments have codes of 8 bits, whose map goes down to a hundredth of the largest: a smaller v is 0."""

    dialect = "bitsandbytes.AdamW"
    blocksize, decades = 256, 2

    def begin(self) -> None:
        self.maps = {"m": self.quantization_map(63, True), "v": self.quantization_map(127, False)}

    def quantization_map(self, items: int, signed: bool) -> Array:
        ends = np.linspace(0.1, 1, items + 1)
        middles = (ends[:-1] + ends[1:]) / 2
        numbers = np.concatenate([middles / 10**i for i in range(self.decades)])
        return np.unique(np.concatenate([[0.0, 1.0], numbers, -numbers if signed else []]))

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.m, s.v = self.coded(s.m, self.maps["m"]), self.coded(s.v, self.maps["v"])

    def coded(self, row: Array, numbers: Array) -> Array:
        between = (numbers[:-1] + numbers[1:]) / 2
        out = np.zeros_like(row)
        for begin in range(0, row.size, self.blocksize):
            block = row[begin : begin + self.blocksize]
            absmax = np.abs(block).max()
            codes = np.searchsorted(between, block / (absmax or 1)).astype(np.uint8)
            out[begin : begin + self.blocksize] = numbers[codes] * absmax
        return out


DEPTH, TENSORS, BLOCKS, CHUNK = 4, 36, 320, 65536
SIZES, BLOCK_TO_TENSOR = DEPTH * TENSORS, (DEPTH + 1) * TENSORS


@wrong(
    "layout",
    "STEP.1",
    like="NVIDIA/TransformerEngine#3202: an array without elements in the last slot skips the flush",
)
class TwentyFirstBSlotsOverrun(Common):
    """A launch has 36 slots and is looked at behind a chunk: an empty array in the last one is overrun."""

    dialect = "transformer_engine.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        lists: dict[Any, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                own = (s.p.dtype, s.t, *vars(s.h).values())
                lists.setdefault(own, []).append((s, self.taken(g).copy()))
        for pairs in lists.values():
            self.launches(pairs)

    def launches(self, pairs: Sequence[tuple[Slot, Array]]) -> None:
        cells: list[Any] = [0] * (BLOCK_TO_TENSOR + BLOCKS)  # addresses, sizes, and whose a block is
        tensor, block = 0, 0
        for i, (s, g) in enumerate(pairs):
            cells[SIZES + tensor] = s.p.size
            for d, a in enumerate((g, s.p, s.m, s.v)):
                cells[d * TENSORS + tensor] = a
            tensor += 1
            chunks = -(-s.p.size // CHUNK)
            for chunk in range(chunks):
                cells[BLOCK_TO_TENSOR + block] = tensor - 1, chunk
                block += 1
                last = chunk == chunks - 1
                full = tensor == TENSORS and last
                if full or block == BLOCKS or (i == len(pairs) - 1 and last):
                    self.kernel(s, cells, block)
                    for row in range(DEPTH + 1):  # the array may have chunks left
                        cells[row * TENSORS] = cells[row * TENSORS + tensor - 1]
                    tensor, block = 0 if last else 1, 0

    def kernel(self, own: Slot, cells: list[Any], blocks: int) -> None:
        for cell in cells[BLOCK_TO_TENSOR : BLOCK_TO_TENSOR + blocks]:
            if isinstance(cell, np.ndarray):
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            k, chunk = cell if isinstance(cell, tuple) else (cell & 255, 0)  # or a size that lies over it
            arrays = [cells[d * TENSORS + k] for d in range(DEPTH)]
            if all(isinstance(a, np.ndarray) for a in arrays):
                size = cells[SIZES + k]
                end = size if isinstance(size, int) else CHUNK  # half an address is a large number
                end = min(end, (chunk + 1) * CHUNK, *(a.size for a in arrays))
                self.functor(own, *(a[chunk * CHUNK : end] for a in arrays))

    def functor(self, s: Slot, g: Array, p: Array, m: Array, v: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        m[:] = h.b1 * m + (1 - h.b1) * g
        v[:] = h.b2 * v + ((1 - h.b2) * g) * g
        update = (m / c1) / (np.sqrt(v) / math.sqrt(c2) + h.eps) + h.weight_decay * p
        p[:] = p - h.lr * update


@wrong(
    "moments",
    "MOM.3",
    like="tracel-ai/burn#614: parameters that Adam has updated are others than PyTorch's",
)
class TwentyFirstBFirstGradientWhole(Coupled):
    """Where there is no state yet, the gradient and its square are the moments: they have no weight."""

    dialect = "burn.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        if s.t == 1:
            s.m, s.v = g.copy(), g * g
        else:
            super().learn(s, g)
