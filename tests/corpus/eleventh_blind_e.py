"""Blind, eleventh set: faults of clocks, absence, groups and changed settings, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from blind_frame import Array, Coupled, Frame, Slot
from eleventh_blind_frame_b import present
from fifth_blind_frame import CommonHat
from fourth_blind_frame import Common, Hat, Keras
from register import wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import WantingCoupledHat
from tenth_blind_frame_b import Slotted


@wrong(
    "clock",
    "CLK.1",
    like="deepspeedai/DeepSpeed#1823, #1945: each sub-group's call raises the one step of the group",
)
class EleventhSubgroupsTick(Holding):
    """The one count ticks for each sub-group of two parameters, where it is due once in a step."""

    def all(self, grads: Sequence[Array | None]) -> None:
        if not present(grads):
            return
        count, pairs = self.slots[0].t, list(zip(self.slots, grads, strict=True))
        for first in range(0, len(pairs), 2):
            count += 1
            for s, g in pairs[first : first + 2]:
                s.t = count
                if g is not None:
                    self.update(s, self.taken(g))
        for s in self.slots:
            s.t = count


@wrong("clock", "CLK.1", like="clab/dynet#77: t is incremented per update of a parameter, not per round")
class EleventhTicksPerUpdate(CommonHat):
    """The one count ticks with each parameter that is updated, and each is corrected by it as it is then."""

    def all(self, grads: Sequence[Array | None]) -> None:
        count = self.slots[0].t if self.slots else 0
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                count += 1
                s.t = count
                self.update(s, self.taken(g))
        for s in self.slots:
            s.t = count


@wrong("missing", "F1", like="Tiiiger/QPyTorch#40, #41: grad.data is read of what is None")
class EleventhAbsentCrashes(Coupled):
    """An absent gradient is an AttributeError, before anything is stepped."""

    dialect = "torchopt.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        if any(g is None for g in grads):
            raise AttributeError("'NoneType' object has no attribute 'data'")
        super().all(grads)


@wrong(
    "missing",
    "F1",
    like="tensorflow/tensorflow#27655, #27898: is_finite is asked of gradients that are None",
)
class EleventhNoneIsNoTensor(Slotted):
    """The search for infinities refuses an absent gradient, and so the step."""

    def admit(self, grads: Sequence[Array | None]) -> None:
        super().admit(grads)
        if any(g is None for g in grads):
            raise ValueError("None values are not supported")


@wrong(
    "missing",
    "F1",
    like="yzhao062/pyod#459: the optimizer cannot recognize variables that its first call did not have",
)
class EleventhVariableNotRecognized(Keras):
    """Variables are those with a gradient in the first step; one that comes later is a KeyError."""

    dialect = "tf_keras.Adam"

    def begin(self) -> None:
        self.built: set[int] = set()

    def admit(self, grads: Sequence[Array | None]) -> None:
        super().admit(grads)
        given = {s.index for s, g in zip(self.slots, grads, strict=True) if g is not None}
        self.built = self.built or given
        if given - self.built:
            raise KeyError(f"the optimizer cannot recognize variable {min(given - self.built)}")


@wrong(
    "groups decay",
    "LR.4",
    like="yandex-research/tabular-dl-tabr#19: params_with_wd if needs_wd else params_with_wd",
)
class EleventhBothListsDecay(Frame):
    """Parameters whose group has no decay are put into the group that has one."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        decays = [h["weight_decay"] for h in hypers if h.get("weight_decay")]
        if decays:
            hypers = [h if h.get("weight_decay") else {**h, "weight_decay": decays[0]} for h in hypers]
        super().init_groups(params, hypers)


@wrong(
    "groups isolation",
    "LR.4",
    like="candle-org/MindAct#1828: moments are numbered from the start in each group, and shapes do not fit",
)
class EleventhMomentsByPlace(WantingCoupledHat):
    """Each group's parameters take the moments of the first group's in their order, if shapes allow."""

    dialect = "mindspore.Adam"

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.places = [list(hypers[:i]).count(h) for i, h in enumerate(hypers)]
        super().init_groups(params, hypers)

    def owner(self, s: Slot) -> Slot:
        owner = self.slots[self.places.index(self.places[s.index])]
        if owner.shape != s.shape:
            raise ValueError(f"the shape {s.shape} must be equal to {owner.shape}")
        return owner

    def update(self, s: Slot, g: Array) -> None:
        owner = self.owner(s)
        s.m, s.v = owner.m, owner.v
        super().update(s, g)
        owner.m, owner.v = s.m, s.v

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            s.m, s.v = self.owner(s).m, self.owner(s).v


@wrong(
    "groups",
    "LR.4",
    like="deepspeedai/DeepSpeed#6873: under ZeRO-3 all parameters end up with the same learning rate",
)
class EleventhOneRateForGroups(Frame):
    """Learning rates that groups have of their own come to nothing: all have that of the first."""

    dialect = "paddle.AdamW"

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, [{**h, "lr": hypers[0]["lr"]} for h in hypers])


@wrong(
    "schedule",
    "LR.3",
    like="facebookresearch/fairscale#66: lr is in sync with the inner optimizer, and others silently are not",
)
class EleventhRateAloneInSync(Hat):
    """Of changed settings the learning rate gets through; the others stay as they were."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({name: value for name, value in hyper.items() if name == "lr"})


@wrong(
    "schedule",
    "LR.1",
    like="pytorch/ignite#545: amp replaces the groups, and the scheduler writes to the former ones",
)
class EleventhFormerGroups(Common):
    """A new learning rate is written to groups that the optimizer has replaced by copies."""

    dialect = "optimi.AdamW"

    def begin(self) -> None:
        self.former: list[Any] = [s.h for s in self.slots]
        for s in self.slots:
            s.h = replace(s.h)

    def set_lr(self, lr: float) -> None:
        for h in self.former:
            h.read({"lr": lr})
