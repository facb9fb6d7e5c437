"""Blind, thirtieth set: torch.optim.Optimizer subclasses after bugs of rates and skips, a right one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch_c import Skips
from torch import Tensor


@wrong(
    "groups",
    "LR.4",
    like="MakazhanAlpamys/Soup#738: LoRA+'s ratio is not in the groups, so matrices B never have lr*ratio",
    claim="torch.AdamW",
)
class ThirtiethTorchRatioNotInGroups(Base):
    """Matrices of a further group have the first group's rate, and not their own."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.param_groups[0]["lr"]} if p.ndim >= 2 else group


@wrong(
    "schedule loss_scale",
    "SCALE.2",
    like="pytorch/pytorch#55585: the scheduler goes on where an overflow skips the step, values are lost",
    claim="torch.AdamW",
)
class ThirtiethTorchWarmupIsCutShort(Skips):
    """Skipped steps count in a warm-up of ten: the rates of those that follow are the ones of later steps."""

    warmup = 10

    def warmed(self, t: int) -> float:
        return min(1.0, t / self.warmup)

    def settings(self, group: Group, p: Tensor) -> Group:
        t = int(self.state[p].get("step", 0)) + 1
        ahead = self.warmed(t + group.get("skipped", 0)) / self.warmed(t)
        return {**group, "lr": group["lr"] * ahead}


@wrong(
    "missing",
    "F1",
    like="NVIDIA-NeMo/Speech#5086: frozen parameters are in the groups, and fused code minds no flag",
    claim="torch.AdamW",
)
class ThirtiethTorchFrozenAreStepped(Base):
    """Each parameter of a group is stepped, one without a gradient by zeros: it decays, its clock ticks."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                own = self.real(p)
                g = torch.zeros_like(own) if p.grad is None else self.real(p.grad)
                self.update(group, self.remembered(p), own, g)
        return loss


@wrong(
    "moments",
    "MOM.1",
    like="yandexdataschool/Practical_DL#87: the notebook's loop that accumulates gradients has a bug",
    claim="torch.Adam",
)
class ThirtiethTorchGradientsNotZeroed(L2):
    """Gradients are not zeroed between two windows: each step is by the sum of all that there were."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["accumulated"] = g.clone() if "accumulated" not in state else state["accumulated"] + g
        super().update(group, state, p, state["accumulated"])


@wrong(
    "schedule loss_scale",
    "SCALE.2",
    like="Lightning-AI/pytorch-lightning#16229: schedulers are stepped where the scaler has skipped the step",
    claim="torch.AdamW",
)
class ThirtiethTorchScheduleRunsAhead(Skips):
    """An exponential schedule has a step for each skipped one too, and all rates from then on are smaller."""

    gamma = 0.95

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * self.gamma ** group.get("skipped", 0)}


@wrong(
    "groups",
    "LR.4",
    like="OpenRLHF/OpenRLHF#1234: an empty group is stripped behind the scheduler's back",
    claim="torch.AdamW",
)
class ThirtiethTorchEmptyGroupStripped(Base):
    """Groups without parameters are stripped, and rates go to what is left: an error if there was one."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        rates = [group["lr"] for group in self.param_groups]
        filled = [group for group in self.param_groups if group["params"]]
        for group, lr in zip(filled, rates, strict=True):
            group["lr"] = lr
        return super().step(closure)


@right(claim="torch.Adam")
class ThirtiethRightTorchStrippedBefore(L2):
    """Adam over what is left of the groups without the empty ones, by foreach, with its rates as tensors."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in [group for group in self.param_groups if group["params"]]:
            lists: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    lists.setdefault((p.dtype, int(state["step"])), []).append(p)
            for (_, t), params in lists.items():
                self.together(group, params, t)
        return loss

    def together(self, group: Group, params: list[Tensor], t: int) -> None:
        b1, b2 = group["betas"]
        states = [self.state[p] for p in params]
        ps = [self.real(p) for p in params]
        gs = torch._foreach_add([self.real(p.grad) for p in params], ps, alpha=group["weight_decay"])
        ms, vs = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        squares = torch._foreach_mul(torch._foreach_mul(gs, 1 - b2), gs)
        torch._foreach_add_(vs, squares)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        steps = torch._foreach_div(ms, below)
        rate = torch.tensor(group["lr"] / (1 - b1**t), dtype=torch.float64)
        for p, step in zip(ps, steps, strict=True):
            p.sub_(step.mul_(rate.to(p.dtype)))
