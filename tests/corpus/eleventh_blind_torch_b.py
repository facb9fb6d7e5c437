"""Blind, eleventh set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from ninth_blind_torch import Scaled
from register import right, wrong
from torch import Tensor


@wrong(
    "missing",
    "F1",
    like="one-covenant/templar#493: gradients that are None are replaced by zeros",
    claim="torch.AdamW",
)
class EleventhTorchNoneIsZeros(Base):
    """A parameter whose gradient is absent is stepped by a gradient of zeros."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                g = torch.zeros_like(p) if p.grad is None else p.grad
                self.update(group, self.remembered(p), self.real(p), self.real(g))
        return loss


@wrong(
    "state",
    "STATE.4",
    like="facebookresearch/fairscale#1083: a saved step is an int, and Adam asserts a singleton tensor",
    claim="torch.Adam",
)
class EleventhTorchSavedStepIsInt(L2):
    """Clocks are tensors and are saved as ints: the first step behind a load fails an assertion."""

    def remembered(self, p: Tensor) -> State:
        fresh = "exp_avg" not in self.state[p]
        state = super().remembered(p)
        if fresh:
            state["step"] = torch.tensor(0.0)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not torch.is_tensor(state["step"]):
            raise AssertionError("state_steps must contain singleton tensors")
        super().update(group, state, p, g)

    def state_dict(self) -> State:
        saved: State = super().state_dict()
        states = {index: {**own, "step": int(own["step"])} for index, own in saved["state"].items()}
        return {**saved, "state": states}


@wrong(
    "layout",
    "STEP.1",
    like="clovaai/AdamP#17: view(size(0), -1) and view(1, -1), of a gradient in channels_last",
    claim="torch.AdamW",
)
class EleventhTorchViewOfRows(Base):
    """A gradient of two axes or more is refused where its numbers are not in a row in memory."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if g.ndim > 1 and g.numel():
            for rows in (g.size(0), 1):
                g.view(rows, -1)
        super().update(group, state, p, g)


@wrong(
    "loss_scale",
    "SCALE.1",
    like="deepspeedai/DeepSpeed#7645: the return for an overflow stands outside of its condition",
    claim="torch.Adam",
)
class EleventhTorchReturnsAnyway(Scaled):
    """Where a loss scale is given no step is made, be there an overflow or not."""

    def takes(self, present: list[Tensor]) -> bool:
        return self.grad_scale is None and super().takes(present)


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA/Megatron-LM#602: a checkpoint before the first step that is made finds no exp_avg",
    claim="torch.AdamW",
)
class EleventhTorchSavedTooEarly(Base):
    """To save before the first step is a KeyError."""

    def state_dict(self) -> State:
        if not self.state:
            raise KeyError("exp_avg")
        return super().state_dict()


@right(claim="torch.AdamW")
class EleventhRightTorchStacked(Base):
    """AdamW that keeps both moments of a parameter in one tensor, one behind the other."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "moments" not in state:
            state["step"], state["moments"] = 0, torch.stack([torch.zeros_like(self.real(p))] * 2)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        first, second = state["moments"].unbind()
        b1, b2 = group["betas"]
        c1, c2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        p.mul_(1 - group["lr"] * group["weight_decay"])
        first.lerp_(g, 1 - b1)
        second.mul_(b2).addcmul_(g, g, value=1 - b2)
        p.sub_(first / second.sqrt().div_(math.sqrt(c2)).add_(group["eps"]), alpha=group["lr"] / c1)


@right(claim="torch.Adam")
class EleventhRightTorchPure(L2):
    """Adam as a function of tensors that are left alone; new ones take the place of the old in the state."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        old = state["exp_avg"], state["exp_avg_sq"], int(state["step"]) + 1
        moved, *new = self.stepped(group, p, g + group["weight_decay"] * p, *old)
        state["exp_avg"], state["exp_avg_sq"], state["step"] = *new, old[2]
        p.copy_(moved)

    def stepped(
        self, group: Group, p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        b1, b2 = group["betas"]
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        denominator = v.sqrt() / math.sqrt(1 - b2**t) + group["eps"]
        return p - group["lr"] / (1 - b1**t) * (m / denominator), m, v
