"""Blind, twelfth set: faults of clocks, absence, groups and isolation, after the bugs of others."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

from blind_frame import Array, Coupled, Frame, Slot
from fourth_blind_frame import Common
from register import wrong
from tenth_blind_frame_b import CoupledHat, Undecayed, Wanting
from twelfth_blind_frame_b import alike


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="apache/mxnet#13752, #14377: devices share one optimizer, and each of them raises the count",
)
class TwelfthCountedPerDevice(CoupledHat):
    """Two devices raise the count of a parameter in turn: the first one's updates have t = 1, 3, 5."""

    def tick(self, s: Slot) -> None:
        s.t += 2 if s.t else 1


@wrong(
    "clock",
    "CLK.1",
    like="PaddlePaddle/Paddle#12068: beta1_pow_acc and beta2_pow_acc are shared by all the parameters",
)
class TwelfthPowersShared(Coupled):
    """All parameters have the same powers of the betas, which are multiplied once in each step."""

    dialect = "paddle.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            s.t += 1
        super().all(grads)

    def tick(self, s: Slot) -> None:
        """Leave the clock to the step."""


@wrong(
    "missing",
    "F1",
    like="NVIDIA/Megatron-LM#6871: an inner parameter keeps its .grad where the source has none",
)
class TwelfthInnerGradientStays(Common):
    """An absent gradient leaves the copy of the last one in place, and a step is made by that."""

    dialect = "transformer_engine.FusedAdam"

    def begin(self) -> None:
        self.inner: list[Array | None] = [None] * len(self.slots)

    def all(self, grads: Sequence[Array | None]) -> None:
        self.inner = [old if g is None else g.copy() for old, g in zip(self.inner, grads, strict=True)]
        super().all(self.inner)


@wrong(
    "missing",
    "F1",
    like="NVIDIA/apex#131: the gradients of a group are flattened, and one of them is None",
)
class TwelfthFlattenedWithNone(Common):
    """The gradients are laid end to end first, which is an AttributeError where one is absent."""

    dialect = "apex.FusedAdam"

    def admit(self, grads: Sequence[Array | None]) -> None:
        if any(g is None for g in grads):
            raise AttributeError("'NoneType' object has no attribute 'numel'")


@wrong(
    "missing",
    "F1",
    like="intel/torch-xpu-ops#3413: tensors are looked at one by one in the loop that updates them",
)
class TwelfthRefusedInTheLoop(Wanting):
    """An absent gradient is refused when its turn comes, with all parameters before it stepped."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                raise ValueError(f"gradient {s.index} is None")
            self.tick(s)
            self.update(s, self.taken(g))


@wrong(
    "missing",
    "F1",
    like="iamwangyabin/S-Prompts#2: what requires no gradient decays, unless it is filtered out",
)
class TwelfthFrozenShrinks(Frame):
    """A parameter whose gradient is absent decays."""

    dialect = "burn.AdamW"

    def missed(self, s: Slot) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p


@wrong(
    "groups",
    "LR.4",
    like="pytorch/ao#2574, axolotl-ai-cloud/axolotl#3003: a group's own lr is no tensor, as step wants it",
)
class TwelfthRateOfGroupNoTensor(Frame):
    """If a group has a learning rate of its own, no step can be made."""

    dialect = "torchao.AdamW"

    rates: set[float]

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.rates = {h["lr"] for h in hypers if "lr" in h}
        super().init_groups(params, hypers)

    def all(self, grads: Sequence[Array | None]) -> None:
        if len(self.rates) > 1:
            raise RuntimeError("lr was changed to a non-tensor object")
        super().all(grads)


@wrong(
    "groups",
    "LR.4",
    like="bitsandbytes-foundation/bitsandbytes#1269: override_config fills a dict that is not read",
)
class TwelfthOverridesNotRead(Frame):
    """Settings of a parameter's own are kept in a table that nobody reads: all have the first one's."""

    dialect = "bitsandbytes.Adam"

    overrides: dict[int, dict[str, float]]

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.overrides = dict(enumerate(hypers))
        super().init_groups(params, [hypers[0]] * len(params) if hypers else [])


@wrong(
    "isolation",
    "STATE.3",
    like="ooples/AiDotNet#2010: a clone has the optimizer of its original, with its moments and step count",
)
class TwelfthCloneSharesOptimizer(Undecayed):
    """An optimizer for parameters equal to those of a living one has its moments and its clocks in common."""

    living: ClassVar[weakref.WeakSet[TwelfthCloneSharesOptimizer]] = weakref.WeakSet()

    source: TwelfthCloneSharesOptimizer

    def begin(self) -> None:
        others = (other for other in self.living if other is not self and alike(other, self))
        self.source = next((other.source for other in others), self)
        self.living.add(self)

    def fetch(self) -> None:
        """Take up what the original has."""
        for s, o in zip(self.slots, self.source.slots, strict=True):
            s.t, s.m, s.v = o.t, o.m, o.v

    def share(self) -> None:
        """Hand on to the original what there is now."""
        for s, o in zip(self.slots, self.source.slots, strict=True):
            o.t, o.m, o.v = s.t, s.m, s.v

    def all(self, grads: Sequence[Array | None]) -> None:
        self.fetch()
        super().all(grads)
        self.share()

    def get_state(self) -> dict[str, Any]:
        self.fetch()
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.share()
