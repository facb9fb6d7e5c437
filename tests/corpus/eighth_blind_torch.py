"""Blind, eighth set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import equivalent, right, wrong
from sixth_blind_torch import Corrected, Dozat, Hat
from torch import Tensor


@wrong(
    "aliasing", "STATE.2", like="HomebrewML/HeavyBall#93: consume_grad=True, by default", claim="torch.AdamW"
)
class EighthTorchTakesGradients(Base):
    """The step sets every gradient that it has read to None."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None
        return loss


@wrong(
    "groups missing",
    "F1",
    like="`if not params_with_grad: break`, where continue is meant",
    claim="torch.AdamW",
)
class EighthTorchEmptyGroupEnds(Base):
    """At a group in which no gradient is there the step ends, and groups behind it are not stepped."""

    ended = False

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.ended = False
        return super().step(closure)

    def takes(self, present: list[Tensor]) -> bool:
        self.ended = self.ended or not present
        return not self.ended


@equivalent("a loss that is lost is a matter of a note (STEP.2/loss)", claim="torch.AdamW")
class EighthTorchLossDropped(Base):
    """The closure is called, and what it returns is lost."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        super().asked(closure)


@wrong(
    "groups decay",
    "LR.4",
    like="max(group['weight_decay'] for group in self.param_groups)",
    claim="torch.AdamW",
)
class EighthTorchGreatestDecay(Base):
    """All groups decay by the greatest weight decay among them."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@right(claim="pyro.ClippedAdam")
class EighthRightTorchPyro(Hat):
    """Pyro's ClippedAdam without clipping: the penalty joins the gradient, and one addcdiv makes the step."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, torch.add(g, p, alpha=group["weight_decay"]))

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(g * (1 - b1))
        state["exp_avg_sq"].mul_(b2).add_(g.square().mul_(1 - b2))


@right(claim="torch.NAdam", options={"maximize": "True"})
class EighthRightTorchNadam(Dozat):
    """PyTorch's NAdam to maximize: one numerator for both shares of the look-ahead."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3, maximize: bool = False,
    ) -> None:  # fmt: skip
        self.maximize = maximize
        super().__init__(params, lr, betas, eps, weight_decay, momentum_decay)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        g = (-g if self.maximize else g) + group["weight_decay"] * p
        self.learn(group, state, g)
        t, (b1, b2), rate = self.clock(state), group["betas"], group["momentum_decay"]
        now, after = (b1 - (b1 / 2) * 0.96 ** (k * rate) for k in (t, t + 1))
        product = self.product(group, state, now)
        ahead = state["exp_avg"] * (after / (1 - product * after)) + g * ((1 - now) / (1 - product))
        root = (state["exp_avg_sq"] / (1 - b2**t)).sqrt_().add_(group["eps"])
        p.sub_((ahead / root).mul_(group["lr"]))


@right(claim="timm.AdamW", options={"corrected_weight_decay": "True"})
class EighthRightTorchCorrected(Corrected):
    """timm's AdamW with a corrected decay: what is left of a parameter and its step are added up."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        self.learn(group, state, g)
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        largest = self.largest(group)
        ratio = group["lr"] / largest if self.corrected and largest else float(not self.corrected)
        quotient = state["exp_avg"] / (state["exp_avg_sq"].sqrt() / math.sqrt(c2) + group["eps"])
        lost = p * (group["lr"] * group["weight_decay"] * ratio)
        p.sub_(lost + quotient * (group["lr"] / c1))


@right(claim="torch.AdamW", options={"amsgrad": "True"})
class EighthRightTorchMaximum(L2):
    """PyTorch's AdamW with AMSGrad: the maximum grows by what the second moment exceeds it by."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        p.sub_(p, alpha=group["lr"] * group["weight_decay"])
        Base.update(self, group, state, p, g)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            old: Tensor = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = state["max_exp_avg_sq"] = torch.where(old >= v, old, v)
        root = torch.sqrt(v).mul_(1 / math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], root, value=-group["lr"] / c1)
