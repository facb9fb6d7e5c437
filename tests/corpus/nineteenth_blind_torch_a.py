"""Blind, nineteenth set: torch.optim.Optimizer subclasses after bugs in rates, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch import norm_of, present
from torch import Tensor


@wrong(
    "state groups",
    "STATE.4",
    like="LiyuanLucasLiu/RAdam#47: loaded groups take the place of those that had a buffer",
    claim="torch.AdamW",
)
class NineteenthTorchBufferNotInLoaded(Base):
    """Groups have a buffer, and those of another Adam's state have none: once loaded, steps fail."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1].setdefault("buffer", (None,))

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        self.decay(group, p)
        self.learn(group, state, g)
        key = (state["step"], *group["betas"])
        if group["buffer"][0] != key:
            group["buffer"] = (key, *(1 - b ** state["step"] for b in group["betas"]))
        self.move(group, state, p, *group["buffer"][1:])


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="s920128/NAR-BERT-ASR#3: get_lr of WarmupLR has 768**-0.5 in the place of base_lrs",
    claim="torch.Adam",
)
class NineteenthTorchWarmupOfConstant(L2):
    """Rates are a schedule times a constant, and have nothing of the lr that the optimizer was given."""

    warmup_steps = 100

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        number = self.clock(state) + 1
        lr = 768**-0.5 * min(number**-0.5, number * self.warmup_steps**-1.5)
        super().update({**group, "lr": lr}, state, p, g)


@wrong(
    "clipping aliasing",
    "CLIP.1",
    like="APPFL/APPFL#198: clip_grad_norm_ is called behind optimizer.step(), and nobody reads its gradients",
    claim="torch.Adam",
)
class NineteenthTorchStepsThenClips(L2):
    """A step is by whole gradients, and then each of them is multiplied in place, to a norm of 1 in all."""

    clip_value = 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        total = norm_of(present(self))
        if total > self.clip_value:
            for g in present(self):
                g.mul_(self.clip_value / (total + 1e-6))
        return loss


@right(claim="torch.AdamW", options={"maximize": "True", "amsgrad": "True"})
class NineteenthRightTorchClimbs(Base):
    """AMSGrad that climbs: both corrections are in the denominator, and the maximum is by a comparison."""

    def __init__(
        self, params: Any, *, amsgrad: bool = False, maximize: bool = False, **settings: Any
    ) -> None:
        super().__init__(params, **settings)
        self.amsgrad, self.sign = amsgrad, -1.0 if maximize else 1.0

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        turned = g if self.sign > 0 else torch.neg(g)
        state["exp_avg"].copy_(torch.lerp(state["exp_avg"], turned, 1 - b1))
        state["exp_avg_sq"].mul_(b2).add_(torch.mul(g, 1 - b2).mul_(g))

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = top.copy_(torch.where(v > top, v, torch.where(torch.isnan(v), v, top)))
        below = torch.add(torch.sqrt(v).mul_(c1 / math.sqrt(c2)), group["eps"] * c1)
        p.sub_(torch.div(state["exp_avg"], below), alpha=group["lr"])


@right(claim="torch.NAdam")
class NineteenthRightTorchNesterov(L2):
    """NAdam whose look-ahead is one interpolated row: the share of the gradient leads, the moment follows."""

    def __init__(
        self, params: Any, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, momentum_decay: float = 4e-3,
    ) -> None:  # fmt: skip
        torch.optim.Optimizer.__init__(
            self, params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
             "momentum_decay": momentum_decay},
        )  # fmt: skip

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.setdefault("mu_product", 1.0)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), t = group["betas"], self.clock(state) + 1
        now, after = (b1 * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1))
        product = float(state["mu_product"]) * now
        state["step"], state["mu_product"] = t, product
        if group["weight_decay"] != 0:
            g = torch.add(g, p, alpha=group["weight_decay"])
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).addcmul_(g * (1 - b2), g)
        root = state["exp_avg_sq"].sqrt().mul_(1 / math.sqrt(1 - b2**t)).add_(group["eps"])
        ahead = torch.mul(g, (1 - now) / (1 - product))
        ahead.add_(state["exp_avg"], alpha=after / (1 - product * after))
        p.addcdiv_(ahead, root, value=-group["lr"])
