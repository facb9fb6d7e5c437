"""Blind, seventeenth set: torch.optim.Optimizer subclasses, after the bugs of others in clips and rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from tenth_blind_torch import Scaled
from torch import Tensor


def present(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return the gradients that the parameters of all groups have."""
    return [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def norm_of(grads: list[Tensor]) -> float:
    """Return the norm of all gradients together, formed in float64."""
    squares = [torch.linalg.vector_norm(g.to(torch.complex128).abs()) ** 2 for g in grads]
    return float(sum(squares)) ** 0.5


class Multiplied(Base):
    """AdamW whose gradients are multiplied by one factor, which is formed of all of them."""

    factor = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        self.factor = self.formed(present(self))
        return loss

    def formed(self, grads: list[Tensor]) -> float:
        return 1.0

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g if self.factor == 1.0 else g * self.factor)


@wrong(
    "schedule state",
    "LR.3",
    like="ildoonet/pytorch-gradual-warmup-lr#27: the loaded scheduler has an optimizer of its own",
    claim="torch.Adam",
)
class SeventeenthTorchScheduleOfOther(L2):
    """Once a state was loaded, rates are set in a copy of the groups: the step's stays what was loaded."""

    loaded: list[float] | None = None

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.loaded = [float(group["lr"]) for group in self.param_groups]

    def settings(self, group: Group, p: Tensor) -> Group:
        if self.loaded is None:
            return group
        live = [other is group for other in self.param_groups].index(True)
        return {**group, "lr": self.loaded[live]}


@wrong(
    "clipping",
    "CLIP.2",
    like="hpcaitech/ColossalAI#4795: squares are added up whatever norm_type is, which has the last root",
    claim="torch.AdamW",
)
class SeventeenthTorchRootOfOtherNorm(Multiplied):
    """The norm that clips to 1 is to be that of sizes: the sum of the squares is taken, and no root of it."""

    max_norm, norm_type = 1.0, 1.0

    def formed(self, grads: list[Tensor]) -> float:
        total = (norm_of(grads) ** 2.0) ** (1.0 / self.norm_type)
        return min(1.0, self.max_norm / (total + 1e-6))


@wrong(
    "loss_scale",
    "SCALE.1",
    like="yandex-research/tabm#20: clipping stands before backward(), and unscale_ only where there is one",
    claim="torch.AdamW",
)
class SeventeenthTorchUnscalesToClip(Scaled):
    """Gradients lose their loss scale where they are to be clipped alone, and by default they are not."""

    max_norm: float | None = None

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is not None and self.max_norm is not None:
            g = g / self.grad_scale
        Base.update(self, group, state, p, g)


@wrong(
    "clipping",
    "CLIP.2",
    like="huggingface/transformers#41431: gradients of a norm below max_grad_norm are scaled as well",
    claim="torch.AdamW",
)
class SeventeenthTorchCoefficientNotCapped(Multiplied):
    """All gradients are multiplied by 1 over their norm, which is not capped: short ones become longer."""

    max_norm = 1.0

    def formed(self, grads: list[Tensor]) -> float:
        return self.max_norm / (norm_of(grads) + 1e-6)


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/diffusers#2632: warm-up steps are multiplied by the accumulation, the steps are not",
    claim="torch.AdamW",
)
class SeventeenthTorchWarmupStretched(Base):
    """The rates that are set are gone through four times too slowly: each serves in four steps."""

    accumulation = 4

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            group["rates"] = (*group.get("rates", ()), float(group["lr"]))
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["rates"][(len(group["rates"]) - 1) // self.accumulation]}


@wrong(
    "loss_scale clipping",
    "CLIP.1",
    like="pytorch/examples#1196: minGPT's trainer has clip_grad_norm_ in front of unscale_",
    claim="torch.AdamW",
)
class SeventeenthTorchCutsScaled(Scaled):
    """With a loss scale gradients are cut to a norm of 1 while it is in them, and are unscaled then."""

    grad_norm_clip = 1.0
    cut = 1.0

    def takes(self, present: list[Tensor]) -> bool:
        self.cut = 1.0
        if self.grad_scale is not None:
            self.cut = min(1.0, self.grad_norm_clip / (norm_of(self.every()) + 1e-6))
        return super().takes(present)

    def every(self) -> list[Tensor]:
        return present(self)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g if self.cut == 1.0 else g * self.cut)


@wrong(
    "loss_scale clipping",
    "CLIP.1",
    like="catalyst-team/catalyst#1319: the callback clips scaled gradients, and behind each micro-batch",
    claim="torch.AdamW",
)
class SeventeenthTorchClipsInAccumulation(Scaled):
    """With a loss scale, what four micro-batches add up is cut to 1 behind each, and is unscaled then."""

    micro_batches = 4
    clip_value = 1.0

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = g
        if self.grad_scale is not None:
            total = torch.zeros_like(g)
            for _ in range(self.micro_batches):
                total.add_(g / self.micro_batches).clamp_(-self.clip_value, self.clip_value)
        super().update(group, state, p, total)


@wrong(
    "state schedule",
    "STATE.4",
    like="cure-lab/SCINet#70: the saved lr is read once the optimizer has been made with the first one",
    claim="torch.Adam",
)
class SeventeenthTorchSavedRateTooLate(L2):
    """Of what is loaded the learning rate goes into a variable: groups have that of the constructor."""

    def load_state_dict(self, state_dict: State) -> None:
        made_with = [group["lr"] for group in self.param_groups]
        super().load_state_dict(state_dict)
        self.lr = [group["lr"] for group in self.param_groups]
        for group, lr in zip(self.param_groups, made_with, strict=True):
            group["lr"] = lr
