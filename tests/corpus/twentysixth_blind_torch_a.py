"""Blind, twenty-sixth set: right torch.optim.Optimizer subclasses, in the styles of others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right
from torch import Tensor


@right(claim="torch.AdamW")
class TwentySixthRightTorchMastersRefreshed(Base):
    """AdamW with masters, which are made anew of a parameter that somebody else has written to."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        masters = self.__dict__.setdefault("masters", {})
        key = (p.data_ptr(), tuple(p.shape), p.dtype)
        master = masters.get(key)
        if master is None or not torch.equal(master, p):
            master = masters[key] = p.clone()
        super().update(group, state, master, g)
        p.copy_(master)


@right(claim="torch.Adam", options={"amsgrad": "True"})
class TwentySixthRightTorchOut(L2):
    """AMSGrad by functions with an output, one of which takes the maximum where it is kept."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        (b1, b2), t, lr = group["betas"], self.clock(state), group["lr"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        grad = torch.add(g, p, alpha=group["weight_decay"])
        torch.lerp(m, grad, 1 - b1, out=m)
        torch.mul(v, b2, out=v)
        torch.addcmul(v, grad, grad, value=1 - b2, out=v)
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = torch.maximum(top, v, out=top)
        below = torch.sqrt(v)
        torch.div(below, math.sqrt(1 - b2**t), out=below)
        torch.add(below, group["eps"], out=below)
        p.sub_(torch.div(m, below).mul_(lr / (1 - b1**t)))


@right(claim="torch.Adam")
class TwentySixthRightTorchTensorClock(L2):
    """Adam whose clocks are tensors of float64, which give the corrections, and which a state keeps so."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(float(state["step"]), dtype=torch.float64)
        return state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        work = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for group, p in work:
            self.one(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def one(self, group: Group, state: State, p: Tensor, grad: Tensor) -> None:
        b1, b2 = group["betas"]
        state["step"] = state["step"].double() + 1
        d = grad + group["weight_decay"] * p
        self.learn(group, state, d)
        left1, left2 = (float(1 - b ** state["step"]) for b in (b1, b2))
        denominator = (state["exp_avg_sq"].sqrt() / math.sqrt(left2)) + group["eps"]
        p -= (group["lr"] / left1) * (state["exp_avg"] / denominator)
