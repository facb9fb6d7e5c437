"""Blind, seventeenth set: faults of states, moments and precision, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from fifth_blind_frame import Modulus
from fourth_blind_frame import Common, brained
from register import wrong
from tenth_blind_frame_b import Undecayed
from twelfth_blind_frame_b import begun


@wrong(
    "state mixed_precision",
    "STATE.4",
    like="NVIDIA/Megatron-LM#1359: master weights are read into what has the dtype of the model, bfloat16",
)
class SeventeenthBMastersReadAsBfloat(Common):
    """A checkpoint has the weights with all their digits; loaded they are numbers of bfloat16."""

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "master_weight": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if "master_weight" in state:
                s.p = brained(flat(state["master_weight"][s.index]))


@wrong(
    "state",
    "STATE.4",
    like="freud14/poutyne#37: a model that has moved has new parameters, and groups and state have the old",
)
class SeventeenthBMovedWithModel(Coupled):
    """What is loaded is moved to its device: the model has other parameters then than those stepped."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.model = self.slots

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.model = [self.moved(s) for s in self.slots]

    def moved(self, s: Slot) -> Slot:
        return replace(s, p=s.p.copy())

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step(grads)
        return [self.shaped(s, s.p) for s in self.model]


@wrong(
    "bias_correction clock",
    "CLK.2",
    like="Divsigma/2020-cs213n#3: nothing adds to t, which has the first value in all steps",
)
class SeventeenthBTimeStandsStill(Undecayed):
    """No step raises the clock, and each is corrected as the first one."""

    def tick(self, s: Slot) -> None:
        pass

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t + 1)
        return (s.m / c1) / (np.sqrt(s.v) / c2**0.5 + s.h.eps)


@wrong(
    "state",
    "STATE.4",
    like="paiml/entrenar#98: checkpoints have the weights, and AdamW's m and v are made anew",
)
class SeventeenthBWeightsAlone(Frame):
    """A checkpoint has weights and nothing else: what is resumed from it starts cold."""

    def get_state(self) -> dict[str, Any]:
        return {"weights": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        if "weights" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            begun(s)
            s.p = flat(state["weights"][s.index]).copy()


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="FluxML/Optimisers.jl#167: in Float16 epsilon is 0, v of a small gradient too, and the step Inf",
)
class SeventeenthBEpsilonOfHalf(Modulus):
    """The denominator has epsilon as a float16 number, and a second moment below float16's range is 0."""

    least = float(np.finfo(np.float16).smallest_subnormal)

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        v = np.where(s.v < self.least, 0, s.v).astype(s.v.dtype)
        return (s.m / (np.sqrt(v) / c2**0.5 + float(np.float16(s.h.eps)))) / c1


@wrong(
    "moments clock",
    "MOM.1",
    like="marian-nmt/marian-dev@50d5e438: each check of the decay of the rate resets the statistics",
)
class SeventeenthBResetAtEachCheck(Coupled):
    """After five updates moments and clock are put back to their start, whether the rate falls or not."""

    check = 5

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        if s.t % self.check == 0:
            begun(s)
