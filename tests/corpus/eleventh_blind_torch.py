"""Blind, eleventh set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat, Scaled
from torch import Tensor


@wrong(
    "epsilon",
    "EPS.1",
    like="huggingface/transformers#35504: the correction comes when epsilon is added",
    claim="torch.AdamW",
)
class EleventhTorchEpsilonCorrectedToo(Hat):
    """Epsilon joins the root before that is corrected, where the claim adds it behind."""


@wrong(
    "amsgrad",
    "AMS.1",
    like="geoopt/geoopt#181: the sparse optimizer keeps the maximum corrected and rooted",
    claim="torch.Adam",
    options={"amsgrad": "True"},
)
class EleventhTorchMaximumKeptRooted(L2):
    """The maximum is divided by its correction and rooted where it is stored, and so compared next time."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        root = v.div(c2).sqrt_()
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            torch.maximum(top, v, out=top)
            root = top.div_(c2).sqrt_().clone()
        p.addcdiv_(state["exp_avg"], root.add_(group["eps"]), value=-group["lr"] / c1)


@wrong(
    "schedule",
    "LR.1",
    like="LiyuanLucasLiu/RAdam#26: scheduled_lr is for the decay alone, step_size has group['lr']",
    claim="fairseq.Adam",
)
class EleventhTorchScheduleForDecay(Hat):
    """A learning rate that is scheduled reaches the decay; the step has the one of the beginning."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        first = group.setdefault("initial_lr", group["lr"])
        super().move({**group, "lr": first}, state, p, c1, c2)


@wrong(
    "clipping",
    "CLIP.1",
    like="Lightning-AI/pytorch-lightning#9330: the norm is clipped before unscale_",
    claim="torch.AdamW",
)
class EleventhTorchClipsScaled(Scaled):
    """All gradients are clipped to a norm of 1 before the loss scale is taken out of them."""

    factor = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(grads)) if grads else 0.0
        self.factor = min(1.0, 1.0 / (norm + 1e-6))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.factor if self.factor < 1 else g)


@right(claim="torch.AdamW")
class EleventhRightTorchForeach(Base):
    """AdamW by lists: one call makes a part of the step for all parameters of a dtype."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[torch.dtype, list[Tensor]] = {}
            for p in (p for p in group["params"] if p.grad is not None):
                lists.setdefault(p.dtype, []).append(p)
            for members in lists.values():
                self.together(group, members)
        return loss

    def together(self, group: Group, members: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        states = [self.remembered(p) for p in members]
        ps, gs = [self.real(p) for p in members], [self.real(p.grad) for p in members]
        ms, vs = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        for state in states:
            state["step"] += 1
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        roots = torch._foreach_sqrt(vs)
        torch._foreach_div_(roots, [math.sqrt(1 - b2 ** state["step"]) for state in states])
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(ps, ms, roots, [-lr / (1 - b1 ** state["step"]) for state in states])


@right(claim="torch.AdamW", options={"maximize": "True"})
class EleventhRightTorchUphill(Base):
    """AdamW to maximize: the first moment learns by a negative weight, and no gradient is negated."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, maximize: bool = False,
    ) -> None:  # fmt: skip
        self.weight = -1 if maximize else 1
        super().__init__(params, lr, betas, eps, weight_decay)

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(g, alpha=self.weight * (1 - b1))
        state["exp_avg_sq"].mul_(b2).addcmul_(g, g, value=1 - b2)
