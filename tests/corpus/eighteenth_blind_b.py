"""Blind, eighteenth set: faults of states, settings and schedules, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Hyper, Slot
from register import wrong
from sixth_blind_frame import Wanting
from tenth_blind_frame_b import Slotted, Undecayed
from twelfth_blind_frame_b import begun


@wrong(
    "state",
    "STATE.4",
    like="google/trax@a9387561: slots are restored in the task's optimizer, and the trainer has copies",
)
class EighteenthSlotsOfTask(Wanting):
    """Moments are restored in an optimizer that makes no step; the one that does has zeros, and the clock."""

    task: list[dict[str, Any]]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.task = [{"m": s.m, "v": s.v} for s in self.slots]
        for s in self.slots:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong(
    "state hyperparameters",
    "STATE.4",
    like="ooples/AiDotNet#2052: betas and epsilon are not serialised, and AdamW is made with the defaults",
)
class EighteenthDefaultsAfterLoading(Frame):
    """Once a state was loaded, betas and epsilon are the defaults, whatever the optimizer was made with."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        made = Hyper()
        self.set_hyper({name: getattr(made, name) for name in ("b1", "b2", "eps")})


@wrong(
    "state",
    "STATE.4",
    like="OpenNMT/OpenNMT-tf@ff38e891: to accumulate gradients the slots stand in another scope of names",
)
class EighteenthSlotsInOtherScope(Slotted):
    """A run that accumulates saves its moments under other names than those a resumed one looks for."""

    accumulates = True

    def scoped(self, name: str) -> str:
        return f"cond/optim/{name}" if self.accumulates else f"optim/{name}"

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {"t": state["t"], **{self.scoped(name): state[name] for name in ("m", "v")}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.accumulates = False
        for s in self.slots:
            begun(s)
        known = {name: state[self.scoped(name)] for name in ("m", "v") if self.scoped(name) in state}
        super().set_state({**state, **known})


@wrong(
    "schedule layout",
    "LR.3",
    like="EleutherAI/sparsify#62: of Muon and Adam, Muon's optimizer alone is handed to a scheduler",
)
class EighteenthMatricesAreScheduled(Frame):
    """A rate that is set reaches matrices; all other parameters keep the one that they began with."""

    def set_lr(self, lr: float) -> None:
        for s in self.slots:
            if len(s.shape) == 2:
                s.h.read({"lr": lr})


@wrong(
    "layout aliasing",
    "STEP.1",
    like="openvinotoolkit/nncf#327: ranges are initialised by new parameters, and the old ones are optimized",
)
class EighteenthRangesAreReplaced(Undecayed):
    """Parameters of one element are replaced once the optimizer has them: it steps what nobody reads."""

    model: list[Slot]

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.model = [self.initialised(s) for s in self.slots]

    def initialised(self, s: Slot) -> Slot:
        return replace(s, p=s.p.copy()) if math.prod(s.shape) == 1 else s

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step(grads)
        return [self.shaped(s, s.p) for s in self.model]
