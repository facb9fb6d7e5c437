"""Blind, fourteenth set: faults of rates, groups, freezes and memory, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Hyper, Slot
from eighth_blind_frame import RefusingUnscaled
from fifth_blind_frame import Modulus, Refusing
from fourth_blind_frame import Common
from register import equivalent, wrong
from seventh_blind_frame import Holding, Sonnet
from sixth_blind_frame import SameTime, Wanting
from tenth_blind_frame_b import After, CoupledHat


@wrong(
    "schedule",
    "LR.1",
    like="NVIDIA/tacotron2#445: each iteration sets the lr of all groups to the one that was configured",
)
class FourteenthRateForOneStep(Refusing):
    """A new learning rate holds for one step, behind which the configured one is put back."""

    dialect = "llm.c.AdamW"

    def begin(self) -> None:
        self.configured = [s.h.lr for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s, lr in zip(self.slots, self.configured, strict=True):
            s.h.lr = lr


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="deepspeedai/DeepSpeed#8589: where the rate decays, beta1 is multiplied by what divides that",
)
class FourteenthBetaGrowsAsRateFalls(Holding):
    """A learning rate that falls raises the first beta by a fiftieth."""

    def set_lr(self, lr: float) -> None:
        for s in self.slots:
            if lr < s.h.lr:
                s.h.b1 = min(1.02 * s.h.b1, 0.999)
        super().set_lr(lr)


@wrong(
    "schedule moments",
    "LR.3",
    like="openvdb/fvdb-reality-capture#84: the moment buffers are zeroed, and the 'step' counter is retained",
)
class FourteenthStageBegins(After):
    """A learning rate that rises begins a stage: both moments are 0 again, and the count goes on."""

    def set_lr(self, lr: float) -> None:
        for s in self.slots:
            if lr > s.h.lr:
                s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)
        super().set_lr(lr)


@wrong(
    "schedule",
    "LR.1",
    like="LibreYOLO/libreyolo#277: what initializes the rate is called late, and resets one that was resumed",
)
class FourteenthRateBeforeFirstStep(Sonnet):
    """A learning rate that is set before the first step is lost to that, which sets up the initial one."""

    def begin(self) -> None:
        self.initial = [s.h.lr for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s, lr in zip(self.slots, self.initial, strict=False):
            s.h.lr = lr
        self.initial = []
        super().all(grads)


@wrong(
    "isolation aliasing",
    "STATE.3",
    like="pytorch/pytorch#51794: groups are not copied, and optimizers made of the same ones share them",
)
class FourteenthSettingsAdopted(SameTime):
    """The settings that it is made with are not copied: a change is written there, and reaches others."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.groups = list(hypers)
        super().init_groups(params, hypers)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        for group in self.groups:
            group.update(hyper)

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, group in zip(self.slots, self.groups, strict=True):
            s.h.read(group)
        super().all(grads)


@wrong(
    "missing",
    "F1",
    like="zackchase/mxnet-the-straight-dope#348: parameters with a stale gradient are skipped",
)
class FourteenthStaleSkipped(CoupledHat):
    """A gradient that is the same as the last one counts as stale, and as absent."""

    def begin(self) -> None:
        self.seen: dict[int, bytes] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all([None if g is None or not self.is_fresh(i, g) else g for i, g in enumerate(grads)])

    def is_fresh(self, i: int, g: Array) -> bool:
        before, self.seen[i] = self.seen.get(i), g.tobytes()
        return before != self.seen[i]


@wrong(
    "missing schedule",
    "F5",
    like="luxonis/luxonis-train#234: what has just been unfrozen always goes on with a tenth of the base lr",
)
class FourteenthTenthAfterThaw(Frame):
    """What was without a gradient goes on with a tenth of its learning rate, until there is a new one."""

    dialect = "burn.AdamW"

    def missed(self, s: Slot) -> None:
        s.extra["frozen"] = 1.0

    def update(self, s: Slot, g: Array) -> None:
        if s.extra.pop("frozen", 0.0):
            s.h.lr /= 10
        super().update(s, g)


@equivalent("what a step returns may be the memory that the next one writes to, as parameters of torch are")
class FourteenthOutputsReused(Wanting):
    """The arrays that a step has returned are written over by the next one, which returns them again."""

    dialect = "tinygrad.Adam"

    def begin(self) -> None:
        self.outputs: list[Array] = []

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        new = super().step(grads)
        if not self.outputs:
            self.outputs = new
        for output, p in zip(self.outputs, new, strict=True):
            output[...] = p
        return list(self.outputs)


@wrong(
    "mixed_precision schedule layout",
    "NUM.1",
    like="FluxML/Optimisers.jl#120: with a rate of Float64 the update is one, also if all arrays are Float32",
)
class FourteenthDoubledByRate(Modulus):
    """A learning rate that is set is a float64, and makes float64 arrays of float32 parameters."""

    def set_lr(self, lr: float) -> None:
        for s in self.slots:
            s.h.lr = np.float64(lr)

    def shaped(self, s: Slot, row: Array) -> Array:
        kind = np.result_type(row.dtype, np.complex64) if s.dtype.kind == "c" else row.dtype
        return row.view(kind).reshape(s.shape).copy()


@wrong(
    "groups",
    "LR.4",
    like="Deci-AI/super-gradients#452: with no decay for biases, the other parameters are not taken",
)
class FourteenthUndecayedHaveDefaults(Frame):
    """Where parameters have settings of their own, those without decay have the default betas and epsilon."""

    dialect = "paddle.AdamW"

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        default, differ = Hyper(), any(hyper != hypers[0] for hyper in hypers)
        for s in self.slots:
            if differ and s.h.weight_decay == 0:
                s.h.b1, s.h.b2, s.h.eps = default.b1, default.b2, default.eps


@wrong(
    "mixed_precision",
    "NUM.1",
    like="pytorch/pytorch#173443: _foreach_copy_ corrupts mixed dtypes, which it has to group by pairs",
)
class FourteenthCopiedAsFirst(Common):
    """New values are copied back in the dtype of the first array: a float64 behind a float32 is rounded."""

    dialect = "candle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = s.p.astype(self.slots[0].p.dtype).astype(s.p.dtype)


@wrong(
    "schedule",
    "LR.2",
    like="facebookresearch/schedule_free#5: `weight/weight_sum` is a ZeroDivisionError in step 1",
)
class FourteenthWeightsOfRates(RefusingUnscaled):
    """Iterates are averaged beside, by their rates: it is a ZeroDivisionError while there was none but 0."""

    def begin(self) -> None:
        self.average = [s.p.copy() for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        weight = s.h.lr**2
        s.extra["weight_sum"] = s.extra.get("weight_sum", 0.0) + weight
        share = weight / s.extra["weight_sum"]
        self.average[s.index] = self.average[s.index] + share * (s.p - self.average[s.index])
