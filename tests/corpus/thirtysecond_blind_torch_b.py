"""Blind, thirty-second set: torch.optim.Optimizer subclasses after bugs in loops, epochs and scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


class Chosen(Base):
    """AdamW that goes through all its parameters in one list, of which it steps those that are chosen."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        params = [(group, p) for group in self.param_groups for p in group["params"]]
        for i, (group, p) in enumerate(params):
            if p.grad is not None and self.chosen(i, len(params)):
                self.update(self.settings(group, p), self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def chosen(self, i: int, count: int) -> bool:
        return True


@wrong(
    "moments clock",
    "MOM.1",
    like="electronmicroscopy/quantem#239: each pass steps all optimizers, the object's and the pose's, again",
    claim="torch.Adam",
)
class ThirtySecondBTorchLoopInLoop(L2):
    """The first parameter is the object, others are the pose: for each of the two, all make a whole step."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        params = [(group, p) for group in self.param_groups for p in group["params"]]
        optimizers = [own for own in (params[:1], params[1:]) if own]
        for _ in optimizers:
            for own in optimizers:
                self.through(own)
        return loss

    def through(self, params: list[tuple[Group, Tensor]]) -> None:
        for group, p in params:
            if p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))


@wrong(
    "layout groups",
    "STEP.1",
    like="open-mmlab/OpenPCDet#960: what a module that is no leaf holds directly is in no layer's group",
    claim="torch.AdamW",
)
class ThirtySecondBTorchLeafModulesAlone(Chosen):
    """The first of several parameters is held by the model itself, not by a layer, and is never stepped."""

    def chosen(self, i: int, count: int) -> bool:
        return i > 0 or count == 1


@wrong(
    "loss_scale decay",
    "SCALE.1",
    like="NVIDIA/apex#1030: LARC joins its decay with gradients that the loss scale is in",
    claim="torch.Adam",
)
class ThirtySecondBTorchPenaltyToScaled(Scaled, L2):
    """The penalty joins the gradient while the loss scale is in that, and both are divided by it."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is None:
            super().update(group, state, p, g)
            return
        joined = g.add(p, alpha=group["weight_decay"])
        Base.update(self, group, state, p, joined / self.grad_scale)


@wrong(
    "moments clock",
    "MOM.1",
    like="facebookresearch/coconut#10: each epoch makes an optimizer, where a new stage of three alone is to",
    claim="torch.AdamW",
)
class ThirtySecondBTorchMadeEachEpoch(Base):
    """After each epoch of six steps the optimizer is made anew: moments and clocks are 0 again."""

    epoch = 6

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        first = self.param_groups[0]
        batch = first.setdefault("batch", 0)
        if batch and batch % self.epoch == 0:
            self.state.clear()
        first["batch"] = batch + 1
        return super().step(closure)


@wrong(
    "state groups",
    "STATE.4",
    like="Lightning-AI/pytorch-lightning#8502: groups of the unfreezing are not there when a state is loaded",
    claim="torch.Adam",
)
class ThirtySecondBTorchNotUnfrozenYet(L2):
    """All groups but the first are added as a run unfreezes them, in its first step: a load before fails."""

    unfrozen = False

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.unfrozen = True
        return super().step(closure)

    def load_state_dict(self, state_dict: State) -> None:
        groups = 1 if not self.unfrozen else len(self.param_groups)
        saved = len(state_dict["param_groups"])
        if saved != groups:
            raise ValueError(f"loaded state dict has {saved} parameter groups, the optimizer has {groups}")
        super().load_state_dict(state_dict)


@wrong(
    "schedule",
    "LR.3",
    like="pytorch/ao#744: low-bit Adams keep the rate as a tensor, beside which a scheduler puts a number",
    claim="torchao.Adam",
)
class ThirtySecondBTorchRateTensorStays(L2):
    """A group's rate is a tensor, made with the group: a number that is assigned later does not reach it."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group["lr_tensor"] = torch.tensor(float(group["lr"]), dtype=torch.float64)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": float(group["lr_tensor"])}


@wrong(
    "zero_gradient",
    "F2",
    like="shivram1987/AdaNorm#1: grad*exp_grad_norm/grad_norm has no eps beside the norm",
    claim="torch.Adam",
)
class ThirtySecondBTorchNormWithoutEpsilon(L2):
    """A gradient is multiplied by its norm's average and divided by its norm: zeros become NaN."""

    r = 0.0  # of the average of norms, which so is the norm

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        finite = torch.where(torch.isfinite(g), g, 0.0).double()
        grad_norm = torch.linalg.vector_norm(finite)
        before = state.get("exp_grad_norm", torch.zeros_like(grad_norm))
        state["exp_grad_norm"] = self.r * before + (1 - self.r) * grad_norm
        super().update(group, state, p, g * (state["exp_grad_norm"] / grad_norm).to(g.dtype))


@right(claim="torch.Adam")
class ThirtySecondBRightTorchUnscaledFirst(Scaled, L2):
    """Adam whose gradients lose the loss scale at once, in a list, before a penalty joins them."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            grads = [self.real(p.grad) for p in params]
            if self.grad_scale is not None:
                grads = [g / self.grad_scale for g in grads]
            for p, g in zip(params, grads, strict=True):
                L2.update(self, group, self.remembered(p), self.real(p), g)
        return loss
