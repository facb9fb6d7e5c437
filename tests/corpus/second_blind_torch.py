"""Blind, second set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong("groups", "LR.4", like="lessw2020/Ranger-Deep-Learning-Optimizer#9", claim="torch.AdamW")
class FreshTorchStepSizeCached(Base):
    """The step size is remembered by the number of the step, so that all groups have the first one's."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.buffer: list[tuple[int, float, float]] = [(0, 0.0, 0.0)] * 10

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        step = self.clock(state)
        if self.buffer[step % 10][0] != step:
            self.buffer[step % 10] = (step, group["lr"] / c1, c2)
        _, size, c2 = self.buffer[step % 10]
        super().move({**group, "lr": size}, state, p, 1.0, c2)


@wrong("groups", "LR.4", like="PaddlePaddle/Paddle#47352", claim="torch.AdamW")
class FreshTorchFirstGroupAgain(Base):
    """For each group the parameters of the first are stepped once more, with that group's settings."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in self.param_groups[0]["params"]:
                if p.grad is not None:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong("groups", "LR.4", like="facebookresearch/fairscale#483", claim="torch.AdamW")
class FreshTorchSettingsByPosition(Base):
    """A parameter takes the settings of the group whose number is its own among all parameters."""

    def settings(self, group: Group, p: Tensor) -> Group:
        every = [id(q) for g in self.param_groups for q in g["params"]]
        return self.param_groups[min(every.index(id(p)), len(self.param_groups) - 1)]


@wrong("clock state", "CLK.2", like="lucidrains/Adan-pytorch#2", claim="torch.AdamW")
class FreshTorchFirstCallPrepares(Base):
    """The first call makes the state and returns: its gradient is lost."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not state["step"] and not state.get("made"):
            state["made"] = True
        else:
            super().update(group, state, p, g)


@wrong("moments", "MOM.2", like="pytorch/pytorch#104780", claim="torch.AdamW")
class FreshTorchRootKept(Base):
    """The root is drawn in the memory of the second moment, to save a tensor."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt_().div(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / c1)


@wrong("decay mixed_precision", "NUM.1", like="Nerogar/OneTrainer#996", claim="torch.AdamW")
class FreshTorchDecayBelowResolution(Base):
    """What decays is computed in bfloat16, where a small part of a number is no part of it."""

    def decay(self, group: Group, p: Tensor) -> None:
        short = p.bfloat16()
        p.sub_((short - short * (1 - group["lr"] * group["weight_decay"])).to(p.dtype))


@wrong("complex decay", "CPX.1", like="i404788/s5-pytorch#2", claim="torch.AdamW")
class FreshTorchRealPartDecays(Base):
    """Of a complex number the real part alone decays."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "paired": p.is_complex()}

    def decay(self, group: Group, p: Tensor) -> None:
        super().decay(group, p[..., 0] if group["paired"] else p)


@right(claim="torch.AdamW")
class FreshTorchRightForeach(Base):
    """Parameters of one step, dtype and group are stepped by foreach operations together."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[Any, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    alike.setdefault((state["step"], p.dtype), []).append(p)
            for (step, _), params in alike.items():
                self.together(group, int(step), params)
        return loss

    def together(self, group: Group, step: int, params: list[Tensor]) -> None:
        (b1, b2), states = group["betas"], [self.state[p] for p in params]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
        torch._foreach_mul_(ps, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        roots = torch._foreach_sqrt(vs)
        torch._foreach_div_(roots, math.sqrt(1 - b2**step))
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(ps, ms, roots, -group["lr"] / (1 - b1**step))


@right(claim="torch.AdamW")
class FreshTorchRightWide(Base):
    """A float32 is stepped in float64 and rounded at the end of the step, moments too."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        wide = {**state, **{k: state[k].double() for k in ("exp_avg", "exp_avg_sq")}}
        double = p.double()
        super().update(group, wide, double, g.double())
        p.copy_(double)
        state["step"] = wide["step"]
        for name in ("exp_avg", "exp_avg_sq"):
            state[name].copy_(wide[name])
