"""Blind, twenty-seventh set: faults of windows, saves, narrow numbers and calls, after the bugs of others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Plain
from fourth_blind_frame import FOUR, Common, Uncorrected, brained
from register import wrong


def all_finite(grads: Sequence[Array | None]) -> bool:
    return all(bool(np.isfinite(g).all()) for g in grads if g is not None)


@wrong(
    "nonfinite",
    "NF.1",
    like="MeryylleA/lunariscodex#71: a micro-batch whose loss is NaN is passed over, its window is stepped",
)
class TwentySeventhBWindowOfThree(Frame):
    """Of four micro-batches one that is not finite is passed over: the step has 3/4 of the finite numbers."""

    dialect = "torch.AdamW"
    window = 4

    def all(self, grads: Sequence[Array | None]) -> None:
        self.batches = self.window if all_finite(grads) else self.window - 1
        super().all(grads)

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        if self.batches == self.window:
            return row
        return np.where(np.isfinite(row), row, 0) * row.dtype.type(self.batches / self.window)


@wrong(
    "state",
    "STATE.4",
    like="SpaceFrontiers/hermes#54: a resumed run begins with a fresh state, as ids are new on a reload",
)
class TwentySeventhBRecordsById(Frame):
    """Records are saved by the parameters' ids, and parameters that are made anew have other ids."""

    dialect = "burn.AdamW"
    ids: ClassVar[Any] = itertools.count(1)

    def begin(self) -> None:
        self.param_ids = [f"param-{next(self.ids)}" for _ in self.slots]

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        records = {
            name: {key: values[i] for key, values in whole.items()} for i, name in enumerate(self.param_ids)
        }
        return {"records": records}

    def set_state(self, state: dict[str, Any]) -> None:
        if "records" not in state:
            super().set_state(state)
            return
        for s, name in zip(self.slots, self.param_ids, strict=True):
            record = state["records"].get(name)
            if record is None:
                s.t, s.m, s.v, s.top = 0, *(np.zeros_like(a) for a in (s.m, s.v, s.top))
                continue
            s.t = record["t"]
            for key, a in self.kept():
                setattr(s, a, np.ascontiguousarray(record[key]).reshape(-1).view(s.p.dtype).copy())


@wrong(
    "state missing",
    "STATE.4",
    like="kbressem/faimed3d#31: what is saved while it is partly frozen cannot be unfrozen and trained",
)
class TwentySeventhBFrozenForGood(Frame):
    """A load where some arrays have no step yet leaves these out for good: their gradient is an error."""

    dialect = "fastai.Adam"

    def begin(self) -> None:
        self.hypers = {s.index: s.h for s in self.slots}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        trained = {s.index for s in self.slots if s.t}
        if trained:
            self.hypers = {s.index: s.h for s in self.slots if s.index in trained}

    def tick(self, s: Slot) -> None:
        if s.index not in self.hypers:
            raise KeyError(f"no hyperparameters for the parameter {s.index}")
        super().tick(s)


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="zyushun/Adam-mini#26: updates of parameters in bfloat16 are rounded to the nearest, without a rest",
)
class TwentySeventhBUpdatesInBrain(Frame):
    """Parameters are numbers of bfloat16: each step is rounded to them, and what is cut off is lost."""

    dialect = "torch.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = brained(s.p)


@wrong(
    "nonfinite",
    "NF.1",
    like="mflux-community/mflux#447: a bad micro-batch clears what is there, and the window ends as counted",
)
class TwentySeventhBWindowOfOne(Uncorrected, Common):
    """A third micro-batch of four that is not finite clears the others: the step has 1/4 of the gradients."""

    dialect = "mlx.AdamW"
    window = 4

    def all(self, grads: Sequence[Array | None]) -> None:
        self.left = self.window if all_finite(grads) else 1
        super().all(grads)

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        if self.left == self.window:
            return row
        return np.where(np.isfinite(row), row, 0) * row.dtype.type(self.left / self.window)


@wrong(
    "clock moments",
    "MOM.1",
    like="mlpack/ensmallen#60: each call of Optimize begins with new moments and a new counter",
)
class TwentySeventhBEachCallAnew(Plain):
    """Ten updates are a call, and each call begins with moments of 0 and a clock of 0."""

    iterations = 10
    hyper = FOUR

    def tick(self, s: Slot) -> None:
        if s.t >= self.iterations:
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)
        super().tick(s)
