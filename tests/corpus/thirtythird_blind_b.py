"""Blind, thirty-third set: faults of rows, of absence and of what is resumed in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from eighth_blind_frame import lengths
from fifth_blind_frame import Later, Plain
from fourth_blind_frame import Common
from register import right, wrong
from twelfth_blind_frame_b import Stored


@wrong(
    "sparse moments clock",
    "SPARSE.1",
    like="dmlc/dgl#2596: each look-up of an embedding in a forward pass is an update of its own",
    claim="torch.SparseAdam",
)
class ThirtyThirdUpdateOfEachLookUp(Stored):
    """Matrices are looked up three times in a pass: each trace, a third of the gradient, is an update."""

    looked_up = 3

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) < 2:
            super().update(s, g)
            return
        trace = [(g / self.looked_up).astype(g.dtype) for _ in range(self.looked_up)]
        super().update(s, trace.pop())
        while trace:
            self.tick(s)
            super().update(s, trace.pop())


@wrong(
    "missing decay",
    "F1",
    like="QwenLM/Qwen3-TTS#351: a detached encoder is in AdamW, has no gradient and shrinks in each step",
    claim="torch.AdamW",
)
class ThirtyThirdDetachedShrinks(Frame):
    """An array that has no gradient decays all the same; its moments and its clock stay."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            s.p = s.p - s.h.lr * s.h.weight_decay * s.p
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "state clock",
    "STATE.1",
    like="pytorch/FBGEMM#3234: the split states of Adam have no iter, and a checkpoint cannot restore it",
    claim="torch.Adam",
)
class ThirtyThirdIterNotSaved(Coupled):
    """A saved state has both moments and no clock: a resumed run corrects from its first step on."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        del state["t"]
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"t": [s.t for s in self.slots], **state})


@wrong(
    "state clock",
    "STATE.4",
    like="intel/ipex-llm#2178: what optimize() leaves as neval misses its last iteration",
    claim="paper",
)
class ThirtyThirdLastIterationNotCounted(Plain):
    """The clock that is saved misses the last step: a resumed run makes its number once more."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {**state, "t": [max(t - 1, 0) for t in state["t"]]}


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="facebookresearch/fairscale#288: the caller's clip does not know that arrays are spread over ranks",
    claim="apex.FusedAdam",
)
class ThirtyThirdNormOfOwnArrays(Common):
    """Arrays go to the emptier of two ranks, each of which clips its own to 1 by the norm of its own."""

    ranks, max_norm = 2, 1.0

    def partition(self) -> list[list[int]]:
        owned: list[list[int]] = [[] for _ in range(self.ranks)]
        sizes = [0] * self.ranks
        for s in self.slots:
            rank = sizes.index(min(sizes))
            owned[rank].append(s.index)
            sizes[rank] += s.p.size
        return owned

    def all(self, grads: Sequence[Array | None]) -> None:
        clipped = list(grads)
        for owned in self.partition():
            norm = math.sqrt(lengths([grads[i] for i in owned]))
            share = min(1.0, self.max_norm / (norm + 1e-6))
            for i in owned:
                g = grads[i]
                clipped[i] = None if g is None else (g * share).astype(g.dtype)
        super().all(clipped)


@wrong(
    "zero_gradient sparse",
    "F2",
    like="huggingface/diffusers#855: embeddings of other tokens are put back behind each step",
    claim="torch.AdamW",
)
class ThirtyThirdOriginalsPutBack(Frame):
    """Rows of matrices whose gradient is 0 are put back after a step: no decay, no momentum."""

    def update(self, s: Slot, g: Array) -> None:
        originals = s.p.copy()
        super().update(s, g)
        if len(s.shape) > 1 and s.p.size:
            frozen = ~np.any(g.reshape(s.shape[0], -1) != 0, axis=1)
            s.p.reshape(s.shape[0], -1)[frozen] = originals.reshape(s.shape[0], -1)[frozen]


@wrong(
    "state",
    "STATE.4",
    like="LeeDoYup/FixMatch-pytorch#12: a resumed run does not go on where the saved one was",
    claim="torch.Adam",
)
class ThirtyThirdEvalModelResumes(Coupled):
    """An average of the parameters is saved as the model, and a run that is resumed goes on from that."""

    ema_m = 0.999

    def begin(self) -> None:
        self.eval_model = [s.p.copy() for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            self.eval_model[s.index] = self.eval_model[s.index] * self.ema_m + s.p * (1 - self.ema_m)

    def get_state(self) -> dict[str, Any]:
        saved = [self.shaped(s, self.eval_model[s.index]) for s in self.slots]
        return {**super().get_state(), "eval_model": saved}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s, average in zip(self.slots, state.get("eval_model", []), strict=False):
            s.p = flat(np.asarray(average)).copy()
            self.eval_model[s.index] = s.p.copy()


@right(claim="candle.AdamW")
class ThirtyThirdRightScales(Common):
    """candle's AdamW: both corrections are factors, and numbers of an array are stepped out of place."""

    dialect = "candle.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        scale_m, scale_v = 1 / c1, 1 / math.sqrt(c2)
        next_m = (s.m * s.h.b1) + (g * (1 - s.h.b1))
        next_v = (s.v * s.h.b2) + ((g * (1 - s.h.b2)) * g)
        below = np.sqrt(next_v) * scale_v + s.h.eps
        decayed = s.p * (1 - s.h.lr * s.h.weight_decay)
        s.p = decayed - (next_m / below * scale_m) * s.h.lr
        s.m, s.v = next_m, next_v


@right(claim="transformers4.AdamW")
class ThirtyThirdRightDecaysBehind(Later):
    """AdamW of transformers 4 with a generator that hands out the slots, and a decay as a last factor."""

    def all(self, grads: Sequence[Array | None]) -> None:
        def present() -> Any:
            for s, g in zip(self.slots, grads, strict=True):
                if g is not None:
                    s.t += 1
                    yield s, flat(g), self.step_size(s)

        for s, g, size in present():
            s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
            s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
            s.p = s.p - size * (s.m / (np.sqrt(s.v) + s.h.eps))
            if s.h.weight_decay > 0:
                s.p = s.p * (1 - s.h.lr * s.h.weight_decay)

    def step_size(self, s: Slot) -> float:
        c1, c2 = corrections(s.h, s.t)
        return s.h.lr * math.sqrt(c2) / c1
