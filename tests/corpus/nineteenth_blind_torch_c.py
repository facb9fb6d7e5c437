"""Blind, nineteenth set: right Adams as torch.optim.Optimizer subclasses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right
from torch import Tensor


@right(claim="torch.AdamW")
class NineteenthBRightTorchLerpsToZero(Base):
    """AdamW by interpolations: a parameter goes a part of the way to 0 before its step, and a moment to g."""

    def decay(self, group: Group, p: Tensor) -> None:
        p.lerp_(torch.zeros_like(p), group["lr"] * group["weight_decay"])

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        w1, w2 = (1 - b for b in group["betas"])
        state["exp_avg"].lerp_(g, w1)
        state["exp_avg_sq"].mul_(group["betas"][1]).add_((g * w2).mul_(g))

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = torch.sqrt(state["exp_avg_sq"]).div_(math.sqrt(c2)).add_(group["eps"])
        p.sub_(torch.div(state["exp_avg"], below), alpha=group["lr"] / c1)


@right(claim="torch.Adam", options={"amsgrad": "True"})
class NineteenthBRightTorchSplits(L2):
    """AMSGrad over views of five numbers each, into which every parameter and its states are split."""

    width = 5

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.setdefault("max_exp_avg_sq", torch.zeros_like(state["exp_avg_sq"]))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        kept = [state[name] for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")]
        flats = [x.contiguous().reshape(-1).clone() for x in (p, g, *kept)]
        for parts in zip(*(x.split(self.width) for x in flats), strict=True):
            self.part(group, *parts, c1=c1, c2=c2)
        for x, row in zip((p, *kept), (flats[0], *flats[2:]), strict=True):
            x.copy_(row.view(x.shape))

    def part(
        self, group: Group, p: Tensor, g: Tensor, m: Tensor, v: Tensor, top: Tensor, *, c1: float, c2: float
    ) -> None:
        b1, b2 = group["betas"]
        g.add_(p, alpha=group["weight_decay"])
        m.mul_(b1).add_(g, alpha=1 - b1)
        v.mul_(b2).add_((g * (1 - b2)).mul_(g))
        torch.maximum(top, v, out=top)
        p.addcdiv_(m, top.sqrt().div_(math.sqrt(c2)).add_(group["eps"]), value=-group["lr"] / c1)


def one_parameter(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, group: Group
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a parameter and its moments behind a step, in the dtype of all that is given."""
    b1, b2 = group["betas"]
    m = m.lerp(g, 1 - b1)
    v = v * b2 + (g * (1 - b2)) * g
    left = 1 - torch.tensor([b1, b2], dtype=torch.float64) ** t
    c1, root = float(left[0]), float(left[1].sqrt())
    p = p - p * (group["lr"] * group["weight_decay"])
    return p - group["lr"] * (m / c1) / (v.sqrt() / root + group["eps"]), m, v


@right(claim="torchao.AdamW")
class NineteenthBRightTorchFunctionOfOne(Base):
    """torchao's AdamW: a function of one parameter, of wide copies, whose results are copied back."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.single(group, self.real(p), self.real(p.grad), self.remembered(p))
        return loss

    def single(self, group: Group, p: Tensor, g: Tensor, state: State) -> None:
        state["step"] += 1
        wide = torch.promote_types(p.dtype, torch.float32)
        old = [x.to(wide) for x in (p, g, state["exp_avg"], state["exp_avg_sq"])]
        new = one_parameter(old[0], old[1], old[2], old[3], self.clock(state), group)
        for x, value in zip((p, state["exp_avg"], state["exp_avg_sq"]), new, strict=True):
            x.copy_(value)
