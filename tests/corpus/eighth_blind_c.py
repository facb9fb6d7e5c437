"""Blind, eighth set: slips in absence, zeros, numbers that are not finite, and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from eighth_blind_frame import CommonUncorrected
from fifth_blind_frame import Plain, Refusing
from fourth_blind_frame import FOUR, Hat, Keras, Uncorrected
from register import wrong
from seventh_blind_frame import Holding, WantingUncorrected
from sixth_blind_frame import Wanting, WantingCoupledHat, ZerosHat


@wrong("missing", "F1", like="a list of what has a gradient that is made behind the step, for the next one")
class EighthListOfStepBefore(Hat):
    """What had no gradient in the step before is passed over in this one as well."""

    dialect = "paper.eps-hat"
    hyper = FOUR

    def missed(self, s: Slot) -> None:
        s.extra["absent"] = 1

    def tick(self, s: Slot) -> None:
        s.t += 0 if "absent" in s.extra else 1

    def update(self, s: Slot, g: Array) -> None:
        if not s.extra.pop("absent", 0):
            super().update(s, g)


@wrong("missing", "F1", like="`if grads[0] is None: raise`, in front of a loop that skips")
class EighthFirstAloneLookedAt(Refusing):
    """An absent gradient is refused if it is the first one, and any other is skipped."""

    dialect = "llm.c.AdamW"

    def admit(self, grads: Sequence[Array | None]) -> None:
        super().admit(grads[:1])


@wrong("missing", "F1", like="`m *= b1; v *= b2` in front of the test for a gradient")
class EighthZerosFadeAlone(ZerosHat):
    """Where a gradient is absent both moments fade and the count ticks; the parameter stands still."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.learn(s, np.zeros_like(s.p))


@wrong("all_missing", "CLK.4", like="a warning in the place of the error, and a return")
class EighthSilentOverNone(Keras):
    """A step over no gradient at all returns without an error, and without a tick."""

    dialect = "transformers4.AdamWeightDecay"

    def all(self, grads: Sequence[Array | None]) -> None:
        if any(g is not None for g in grads):
            super().all(grads)


@wrong("all_missing", "CLK.4", like="torch.cat of the gradients that are there, which refuses an empty list")
class EighthRaisesOverNone(CommonUncorrected):
    """A step over no gradient at all is an error, where it should only raise the count."""

    def admit(self, grads: Sequence[Array | None]) -> None:
        if self.slots and all(g is None for g in grads):
            raise ValueError("expected a list of gradients that is not empty")


@wrong("all_missing missing", "CLK.4", like="a backward that made nothing, replaced by zeros as a whole")
class EighthNoneAtAllIsZeros(Holding):
    """In a step over no gradient at all each gradient acts as zeros."""

    def all(self, grads: Sequence[Array | None]) -> None:
        if any(g is not None for g in grads):
            super().all(grads)
        else:
            super().all([np.zeros(s.shape, s.dtype) for s in self.slots])


@wrong("zero_gradient", "F2", like="`if grad.any():` around the step, behind the moments")
class EighthZerosLearntAlone(Frame):
    """A gradient that is 0 everywhere lets both moments fade, and nothing moves or decays."""

    dialect = "bitsandbytes.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        if g.any():
            self.move(s, self.direction(s))


@wrong("nonfinite", "NF.1", like="a flag for an overflow that is set and never taken back")
class EighthNeverAgain(Uncorrected):
    """After a gradient with a number that is not finite its parameter is never stepped again."""

    def update(self, s: Slot, g: Array) -> None:
        if not np.isfinite(g).all():
            s.extra["overflow"] = 1
        if "overflow" not in s.extra:
            super().update(s, g)


@wrong("nonfinite", "NF.1", like="`mask = torch.isfinite(grad)` around every line of a step")
class EighthElementsLeftOut(Coupled):
    """An element whose gradient is not finite stays as it is, its moments too, and the others go on."""

    dialect = "torchao.Adam"

    def update(self, s: Slot, g: Array) -> None:
        before = s.p, s.m, s.v
        super().update(s, g)
        s.p, s.m, s.v = (
            np.where(np.isfinite(g), *pair) for pair in zip((s.p, s.m, s.v), before, strict=True)
        )


@wrong("isolation", "STATE.3", like="ties of weights that are found by comparing their values")
class EighthEqualsAreTied(Plain):
    """Arrays that are equal in the beginning are taken for one, and follow the first one's gradient."""

    def begin(self) -> None:
        self.ties = {s.index: self.first(s) for s in self.slots}

    def first(self, s: Slot) -> int:
        return next(o.index for o in self.slots if o.shape == s.shape and np.array_equal(o.p, s.p))

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all([grads[self.ties[s.index]] for s in self.slots])


@wrong("aliasing", "STATE.2", like="grad.copy_(update), in a kernel that has no memory of its own")
class EighthStepInGradient(Coupled):
    """The finished step is written into the memory of the caller's gradient, and taken from there."""

    dialect = "paddle.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.tick(s)
                before = s.p
                self.update(s, self.taken(g))
                g[...] = self.shaped(s, before - s.p)


@wrong("aliasing state", "STATE.2", like="state.pop(name) in a loop over what a loaded state should have")
class EighthLoadEmptiesState(WantingCoupledHat):
    """To load a state takes everything out of the caller's dictionary, which is empty behind it."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        state.clear()


@wrong("layout", "NUM.5", like="buckets that are sorted by their sizes, and handed back so")
class EighthSortedBySize(WantingUncorrected):
    """Parameters are stepped from the smallest to the greatest, and returned in that order."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        new = super().step(grads)
        return sorted(new, key=np.size)


@wrong("layout", "NUM.5", like="buckets of 100 elements, of which none takes in what does not fit whole")
class EighthAcrossBoundary(Frame):
    """Arrays lie end to end, and one of up to 100 elements that a multiple of 100 cuts is not stepped."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        sizes = [s.p.size for s in self.slots]
        self.ends = np.cumsum(sizes, dtype=np.int64)

    def move(self, s: Slot, u: Array) -> None:
        end = int(self.ends[s.index])
        if s.p.size > 100 or (end - s.p.size) // 100 == max(end - 1, 0) // 100 or not s.p.size:
            super().move(s, u)


@wrong(
    "mixed_precision", "NUM.1", like="weights that are sent out as float16 in every tenth step, and read back"
)
class EighthHalfEveryTenth(Wanting):
    """After every tenth update the parameter is rounded to float16."""

    dialect = "toygrad.Adam"

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if s.t % 10 == 0:
            s.p = s.p.astype(np.float16).astype(s.p.dtype)
