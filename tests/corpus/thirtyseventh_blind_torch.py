"""Blind, thirty-seventh set: torch.optim.Optimizer subclasses after bugs of decays, groups and sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "decay moments",
    "DEC.1",
    like="martinnormark/neural-mesh-simplification#45: a decay by hand tampers with the optimizer's state",
    claim="torch.Adam",
)
class ThirtySeventhTorchDecayInState(L2):
    """The decay is added to the first moment in the state, behind the step, and the second never sees it."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g)
        state["exp_avg"].add_(p, alpha=group["weight_decay"])


@wrong(
    "state",
    "STATE.4",
    like="Vchitect/Latte#55: averaged weights alone are saved, and a resume loads them as the raw model",
    claim="torch.AdamW",
)
class ThirtySeventhTorchRawIsAverage(Base):
    """The average of the weights is saved, and a load makes it the weights that are stepped from then on."""

    ema_decay = 0.9999

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        ema = state.setdefault("ema", p.clone())
        super().update(group, state, p, g)
        ema.mul_(self.ema_decay).add_(p, alpha=1 - self.ema_decay)

    @torch.no_grad()
    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                if "ema" in self.state.get(p, {}):
                    self.real(p).copy_(self.state[p]["ema"])


@wrong(
    "groups",
    "LR.4",
    like="konstmish/prodigy#20: one step size for all groups, and settings of the first group alone",
    claim="torch.AdamW",
)
class ThirtySeventhTorchSettingsOfFirst(Base):
    """Rate and betas are read from the first group, once for all; epsilon and decay are each group's."""

    def settings(self, group: Group, p: Tensor) -> Group:
        first = self.param_groups[0]
        return {**group, "lr": first["lr"], "betas": first["betas"]}


@wrong(
    "decay",
    "DEC.2",
    like="wanmeihuali/taichi_3d_gaussian_splatting#98: AdamW for Gaussians, which are not to decay",
    claim="paper",
)
class ThirtySeventhTorchGaussiansDecay(Base):
    """An Adam without decay is AdamW, which decays by its own 0.01."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps)


@wrong(
    "bias_correction",
    "BC.2",
    like="yangluo7/CAME#6: a state that is divided by starts at 0, and the first updates explode",
    claim="torch.AdamW",
)
class ThirtySeventhTorchRootFromZero(Base):
    """The second moment starts at 0 and is not corrected, where the first one is: long first steps."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, 1.0)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="pytorch/pytorch#99964: data parallel reduces gradients by a sum, where DDP has the mean",
    claim="torch.Adam",
)
class ThirtySeventhTorchSumOfRanks(L2):
    """Gradients of two ranks are reduced by their sum in place of their mean: both moments see twice g."""

    world_size = 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        reduced = torch.stack([g] * self.world_size).sum(dim=0)
        super().update(group, state, p, reduced)


@wrong(
    "clipping",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#3746: the norm is of param.grad, the step's gradients are in decoupled_grad",
    claim="torch.AdamW",
)
class ThirtySeventhTorchNormOfOtherGrad(Base):
    """Gradients are clipped to 1 by the norm of what the step before has left, and not by their own."""

    max_norm = 1.0
    left: Any = ()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        jobs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        squares = [float(torch.linalg.vector_norm(g.double())) ** 2 for g in self.left]
        share = min(1.0, self.max_norm / (math.sqrt(sum(squares)) + 1e-6))
        for group, p in jobs:
            self.update(group, self.remembered(p), self.real(p), self.real(p.grad) * share)
        self.left = [self.real(p.grad).clone() for _, p in jobs]
        return loss


@right(claim="torch.AdamW")
class ThirtySeventhRightTorchForeach(Base):
    """AdamW by lists: arrays of a group that share dtype and clock go through _foreach functions."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            buckets: dict[tuple[Any, int], list[Tensor]] = {}
            for p in dict.fromkeys(group["params"]):
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] = int(state["step"]) + 1
                    buckets.setdefault((p.dtype, state["step"]), []).append(p)
            for (_, t), params in buckets.items():
                self.lists(group, params, t)
        return loss

    def lists(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        xs, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([self.state[p][name] for p in params] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(xs, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(xs, ms, below, -lr / (1 - b1**t))
