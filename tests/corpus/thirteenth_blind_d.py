"""Blind, thirteenth set: faults of states that are saved and loaded, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fifth_blind_frame import Zeros
from fourth_blind_frame import stored
from register import wrong
from tenth_blind_frame_b import After
from thirteenth_blind_frame_b import Browser, KerasMaximum, Mlx, MlxPlain
from twelfth_blind_frame_b import begun


@wrong(
    "state",
    "STATE.4",
    like="ml-explore/mlx#1329, #1328: the file's flat state lacks what was empty, and fits no more",
)
class ThirteenthEmptyLeftOut(Mlx):
    """An array without elements is left out of the file, in which those behind it stand a place too early."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {k: [a for a in v if a.size] if k in ("m", "v") else v for k, v in state.items()}


@wrong(
    "state",
    "STATE.4",
    like="hiddenSymmetries/simsopt#626: names are sorted as text, in which 10 stands before 9",
)
class ThirteenthTenBeforeTwo(After):
    """States are saved in the order of their names, p10 before p2, and loaded in that of their numbers."""

    def get_state(self) -> dict[str, Any]:
        by_name = sorted(range(len(self.slots)), key=lambda i: f"p{i}")
        return {name: [rows[i] for i in by_name] for name, rows in super().get_state().items()}


@wrong(
    "state",
    "STATE.4",
    like="apache/tvm#10392: numbers are serialized to JSON with too few digits, and read back as others",
)
class ThirteenthSixDigits(Browser):
    """The moments are saved as text, with six digits."""

    def get_state(self) -> dict[str, Any]:
        return stored(super().get_state(), ("m", "v"), self.through_text)

    def through_text(self, a: Array) -> Array:
        row = flat(a)
        read = np.array([float(f"{x:.6g}") for x in row.tolist()], row.dtype)
        return read.view(a.dtype).reshape(a.shape)


@wrong(
    "state",
    "STATE.4",
    like="ooples/AiDotNet#1350: the checkpoint has _t, _m and _v, and the maximum of AMSGrad is not in it",
)
class ThirteenthMaximumNotSaved(KerasMaximum):
    """The greatest second moment is neither saved nor loaded."""

    def kept(self) -> tuple[tuple[str, str], ...]:
        return ("m", "m"), ("v", "v")


@wrong(
    "state",
    "STATE.4",
    like="CodefyUI/CodefyUI#147: the loop trains an optimizer that it makes, and the one saved is empty",
)
class ThirteenthSavedIsUntrained(Frame):
    """What is saved is the state of the optimizer as it was handed in, and the steps are another one's."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        self.handed_in = super().get_state()

    def get_state(self) -> dict[str, Any]:
        return stored(self.handed_in, ("m", "v", "v_max"), np.copy)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.handed_in = super().get_state()


@wrong(
    "state decay",
    "STATE.4",
    like="clab/dynet#1201: the weight decay does not apply to a model that was loaded",
)
class ThirteenthLoadedDecaysNoMore(Zeros):
    """Once a state was loaded nothing decays any more."""

    def begin(self) -> None:
        self.decays = True

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.decays = False

    def move(self, s: Slot, u: Array) -> None:
        if self.decays:
            super().move(s, u)
        else:
            s.p = s.p - s.h.lr * u


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA-NeMo/Automodel#2779: what has had no gradient is not in the file, and its key is missed",
)
class ThirteenthKeyOfInactive(Frame):
    """A load is a KeyError if some of the parameters had had no gradient yet when the state was saved."""

    dialect = "torchopt.AdamW"

    def get_state(self) -> dict[str, Any]:
        state, names = super().get_state(), ("t", "m", "v")
        return {"state": {s.index: {k: state[k][s.index] for k in names} for s in self.slots if s.t}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "state" not in state:
            super().set_state(state)
            return
        saved = state["state"]
        for s in self.slots:
            if saved and s.index not in saved:
                raise KeyError(f"missing key in checkpoint state_dict: state.{s.index}.step")
            begun(s)
        if saved:
            super().set_state({k: [saved[s.index][k] for s in self.slots] for k in ("t", "m", "v")})


@wrong(
    "state",
    "STATE.4",
    like="unslothai/unsloth-zoo#964: optimizer.init makes the moments anew that were loaded just before",
)
class ThirteenthInitBehindLoad(MlxPlain):
    """Moments are made in an optimizer's first step, also where a state was loaded before it."""

    def begin(self) -> None:
        self.initialized = False

    def all(self, grads: Sequence[Array | None]) -> None:
        if not self.initialized:
            for s in self.slots:
                s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)
            self.initialized = True
        super().all(grads)
