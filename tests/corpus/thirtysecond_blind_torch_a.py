"""Blind, thirty-second set: torch subclasses after bugs of absences, windows and old objects, right ones."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor
from twentyninth_blind_torch import ScaledL2


@lru_cache(maxsize=1)
def warn_once() -> None:
    """Say that the scale is not supported."""
    logging.getLogger(__name__).info("grad_scale is not supported by the fused step")


@wrong(
    "missing",
    "F1",
    like="kohya-ss/sd-scripts#980: gradients of untrained rows reach the optimizer, the rows are put back",
    claim="torch.AdamW",
)
class ThirtySecondTorchPutBackAfterStep(Base):
    """What has no gradient is stepped by its last one and is put back: its moments and its clock go on."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["seen"] = g.clone()
        super().update(group, state, p, g)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state.get(p, {})
                if p.grad is None and "seen" in state:
                    own = self.real(p)
                    before = own.clone()
                    super().update(group, state, own, state["seen"])
                    own.copy_(before)
        return loss


@wrong(
    "moments clock",
    "STEP.1",
    like="NVIDIA-NeMo/Automodel#2257: the window at an epoch's end has a backward and no step, and is wiped",
    claim="torch.AdamW",
)
class ThirtySecondTorchTrailingWindowWiped(Base):
    """An epoch has ten batches in windows of four: of its three windows the last makes no step."""

    batches, window = 10, 4

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if not self.param_groups:
            return super().step(closure)
        first = self.param_groups[0]
        number = first["windows"] = first.get("windows", 0) + 1
        if number % math.ceil(self.batches / self.window):
            return super().step(closure)
        return self.asked(closure)


@wrong(
    "loss_scale",
    "SCALE.1",
    like="intel/torch-xpu-ops#879: the fused Adam takes a grad_scale, says it has no support, and goes on",
    claim="torch.Adam",
)
class ThirtySecondTorchScaleWarnedOf(ScaledL2):
    """A scale is taken with no more than a message: gradients are used with it. The flag is obeyed."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is not None:
            warn_once()
        L2.update(self, group, state, p, g)


@wrong(
    "moments",
    "MOM.1",
    like="huggingface/transformers#39659: the last cycle's loss is divided by the configured number",
    claim="torch.AdamW",
)
class ThirtySecondTorchLastCycleTooSmall(Base):
    """An epoch has nine batches in cycles of four: the third step's one is divided by four all the same."""

    batches, accumulation = 9, 4

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        cycles = math.ceil(self.batches / self.accumulation)
        is_last = int(state["step"]) % cycles == 0
        actual = self.batches % self.accumulation if is_last else self.accumulation
        super().learn(group, state, g * actual / self.accumulation if is_last else g)


@wrong(
    "aliasing moments",
    "STEP.1",
    like="microsoft/nni#4521: a speedup swaps layers for smaller ones, the optimizer keeps the old objects",
    claim="torch.Adam",
)
class ThirtySecondTorchOldLayersKept(L2):
    """After the third step the optimizer's parameters are objects that are no longer in the model."""

    pruning_steps = 3

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.__dict__["steps"] = self.__dict__.get("steps", 0) + 1
        if self.__dict__["steps"] == self.pruning_steps:
            for group in self.param_groups:
                group["params"] = [self.old(p) for p in group["params"]]
        return loss

    def old(self, p: Tensor) -> Tensor:
        kept = p.detach().clone().requires_grad_(p.requires_grad)
        if p in self.state:
            self.state[kept] = self.state.pop(p)
        return kept


@wrong(
    "layout aliasing",
    "STEP.1",
    like="deepspeedai/DeepSpeed#8377: MoE modules are replaced, and groups hold the discarded parameters",
    claim="torch.AdamW",
)
class ThirtySecondTorchExpertsDiscarded(Base):
    """The first matrix is a router's, others are experts': of these the groups hold discarded copies."""

    def add_param_group(self, param_group: Group) -> None:
        given = param_group["params"]
        held = [given] if isinstance(given, Tensor) else list(given)
        router = any(p.ndim > 1 for group in self.param_groups for p in group["params"])
        for i, p in enumerate(held):
            if p.ndim > 1 and router:
                held[i] = p.detach().clone().requires_grad_(p.requires_grad)
            router = router or p.ndim > 1
        super().add_param_group({**param_group, "params": held})


@right(claim="torch.AdamW")
class ThirtySecondRightTorchUnscales(Scaled):
    """AdamW that divides the gradient by the scale where it lies, before all else, and skips by the flag."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if self.grad_scale is not None:
                        p.grad.div_(self.grad_scale)
                    self.stepped(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def stepped(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        state["step"] += 1
        t, m, v = int(state["step"]), state["exp_avg"], state["exp_avg_sq"]
        torch.add(m * b1, g, alpha=1 - b1, out=m)
        torch.addcmul(v * b2, g * (1 - b2), g, out=v)
        update = (m / (1 - b1**t)).div_(v.sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"]))
        p.sub_(p * (lr * group["weight_decay"])).sub_(update, alpha=lr)


@right(claim="torch.Adam")
class ThirtySecondRightTorchOneRow(L2):
    """Adam over one row for the parameters of a group that have one dtype and one clock, cut up behind it."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            rows: dict[tuple[torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    rows.setdefault((self.real(p).dtype, int(state["step"])), []).append(p)
            for (_, t), params in rows.items():
                self.row(group, params, t)
        return loss

    def row(self, group: Group, params: list[Tensor], t: int) -> None:
        b1, b2 = group["betas"]
        states = [self.state[p] for p in params]
        lists = [
            [self.real(p) for p in params],
            [self.real(p.grad) for p in params],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
        ]
        p, g, m, v = (torch.cat([x.reshape(-1) for x in xs]) for xs in lists)
        g = g + group["weight_decay"] * p
        m.mul_(b1).add_(g, alpha=1 - b1)
        v.mul_(b2).add_((g * (1 - b2)).mul_(g))
        p.sub_(m.div(v.sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"])), alpha=group["lr"] / (1 - b1**t))
        sizes = [x.numel() for x in lists[0]]
        for xs, whole in ((lists[0], p), (lists[2], m), (lists[3], v)):
            for x, part in zip(xs, whole.split(sizes), strict=True):
                x.copy_(part.reshape(x.shape))
