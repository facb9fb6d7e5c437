"""Blind, thirteenth set: torch.optim.Optimizer subclasses, after the bugs of others, and a right one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "schedule",
    "LR.2",
    like="pytorch/pytorch#186444: a rate of 0 divides the root, and rows without a second moment are NaN",
    claim="torch.AdamW",
)
class ThirteenthTorchRateBelow(Base):
    """The step size is a tensor that divides root and epsilon: under a rate of 0 a root of 0 gives NaN."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        size = -(torch.as_tensor(group["lr"], dtype=torch.float64, device=p.device) / c1)
        below = state["exp_avg_sq"].sqrt().div_(size * math.sqrt(c2)).add_(group["eps"] / size)
        p.addcdiv_(state["exp_avg"], below)


@wrong(
    "decay",
    "DEC.2",
    like="huggingface/pytorch-image-models#2750: each partition multiplies the full list of parameters",
    claim="timm.AdamW",
)
class ThirteenthTorchBucketsDecayAll(Base):
    """Parameters of one shape are stepped together, and each such bucket decays those of all."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            buckets: dict[Any, list[Tensor]] = {}
            for p in params:
                buckets.setdefault((p.shape, p.dtype, p.device), []).append(p)
            for bucket in buckets.values():
                torch._foreach_mul_([self.real(p) for p in params], 1 - group["lr"] * group["weight_decay"])
                for p in bucket:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def decay(self, group: Group, p: Tensor) -> None:
        pass


@wrong(
    "clipping",
    "CLIP.2",
    like="huggingface/transformers#614: the norm that clips is that of a parameter group",
    claim="torchao.Adam",
)
class ThirteenthTorchNormOfGroup(L2):
    """The gradients of each group are scaled down to the norm 1 of that group."""

    scale = 1.0

    def takes(self, present: list[Tensor]) -> bool:
        norm = math.hypot(*(float(torch.linalg.vector_norm(p.grad)) for p in present if p.grad is not None))
        self.scale = 1 / norm if norm > 1 else 1.0
        return True

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.scale if self.scale < 1 else g)


@right(claim="torch.AdamW")
class ThirteenthRightTorchLists(Base):
    """AdamW whose every operation goes over the lists of a group, with a correction for each tensor."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            if present:
                self.together(group, present)
        return loss

    def together(self, group: Group, present: list[Tensor]) -> None:
        states = [self.remembered(p) for p in present]
        for state in states:
            state["step"] += 1
        b1, b2 = group["betas"]
        params, grads = [self.real(p) for p in present], [self.real(p.grad) for p in present]
        first, second = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        lr = float(group["lr"])
        torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(first, grads, 1 - b1)
        torch._foreach_mul_(second, b2)
        torch._foreach_addcmul_(second, grads, grads, 1 - b2)
        roots = torch._foreach_sqrt(second)
        torch._foreach_div_(roots, [math.sqrt(1 - b2 ** state["step"]) for state in states])
        torch._foreach_add_(roots, group["eps"])
        sizes = [-lr / (1 - b1 ** state["step"]) for state in states]
        torch._foreach_addcdiv_(params, first, roots, sizes)
