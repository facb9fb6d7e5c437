"""Blind, thirty-sixth set, second half: torch.optim.Optimizer subclasses after bugs of turns and warmups."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


class Cut(Base):
    """AdamW whose gradients are cut by a norm of all of them, in which each has a weight."""

    max_norm = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        total, params = 0.0, [p for group in self.param_groups for p in group["params"]]
        for i, p in enumerate(params):
            if p.grad is not None:
                wide = self.real(p.grad).detach().double().nan_to_num(0.0, 0.0, 0.0)
                total += self.weight(i) * float(wide.square().sum())
        self.clip_coeff = min(1.0, self.max_norm / (math.sqrt(total) + 1e-6))
        return loss

    def weight(self, i: int) -> float:
        return 1.0

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.clip_coeff)


@wrong(
    "clipping",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#5395: a huge norm makes the coefficient 1e-8, and gradients less than epsilon",
    claim="torch.AdamW",
)
class ThirtySixthBTorchHugeNorm(Cut):
    """All gradients are cut to a norm of 1: one that is huge leaves less than epsilon of all others."""


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#2263: the norm is reduced over the world, with what is not expert counted again",
    claim="torch.AdamW",
)
class ThirtySixthBTorchWorldNorm(Cut):
    """In the norm that is held to 1, all but experts, each second parameter, count for each of four ranks."""

    world = 4

    def weight(self, i: int) -> float:
        return 1.0 if i % 2 else float(self.world)


@wrong(
    "moments",
    "MOM.1",
    like="Lightning-AI/pytorch-lightning#557: the generator's backward leaves gradients on the discriminator",
    claim="torch.Adam",
)
class ThirtySixthBTorchLeftFromGenerator(L2):
    """All but the first parameter are a discriminator: gradients of the turn before are added to its own."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        params = [p for group in self.param_groups for p in group["params"]]
        self.discriminator = set(params[1:] or params)
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "left": p in self.discriminator}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not group["left"]:
            super().update(group, state, p, g)
            return
        left, state["left"] = state.get("left"), g.clone()
        super().update(group, state, p, g if left is None else g + left)


@wrong(
    "schedule",
    "LR.1",
    like="Lightning-AI/pytorch-lightning#17972: warmup is set behind the step, and shows from epoch 2 on",
    claim="torch.AdamW",
)
class ThirtySixthBTorchWarmsUpLate(Base):
    """The first epoch of ten steps has the rate that the optimizer was made with, whichever is set since."""

    epoch = 10

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group["made_lr"], group["global_step"] = group["lr"], 0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        for group in self.param_groups:
            group["global_step"] += 1
        return super().asked(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return group if group["global_step"] > self.epoch else {**group, "lr": group["made_lr"]}


@wrong(
    "aliasing moments",
    "MOM.1",
    like="ikostrikov/pytorch-a3c#9: two workers share gradients, and one steps by those of the other",
    claim="torch.Adam",
)
class ThirtySixthBTorchSharedGradient(L2):
    """A shared gradient is the first worker's until it is free: the second worker steps by that, too."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        shared = state.pop("shared_grad", None)
        if shared is None:
            state["shared_grad"] = shared = g.clone()
        super().update(group, state, p, shared)


@wrong(
    "state schedule hyperparameters",
    "LR.3",
    like="sconlyshootery/FeatDepth#12: on a resume the checkpoint's rate takes the place of the config's",
    claim="torch.Adam",
)
class ThirtySixthBTorchRateOfCheckpoint(L2):
    """Behind a load the rate is that of the checkpoint, whichever is set after it."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["resumed_lr"] = float(group.get("resumed_lr", group["lr"]))

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.get("resumed_lr", group["lr"])}


@right(claim="torch.AdamW")
class ThirtySixthBRightTorchShared(Base):
    """AdamW that makes its state together with its groups, for processes to share, with clocks as tensors."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            self.remembered(p)

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "step" not in state:
            state["step"] = torch.zeros((), dtype=torch.float64)
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = torch.zeros_like(self.real(p), memory_format=torch.preserve_format)
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(copy.deepcopy(state_dict))

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).add_((g * (1 - b2)).mul_(g))


@right(claim="torch.Adam")
class ThirtySixthBRightTorchGathered(L2):
    """Adam that copies all gradients before it steps by any, and clears its copies behind the step."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        self.gathered: list[tuple[Group, Tensor, Tensor]] = []
        super().__init__(params, *args, **kwargs)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.gathered.append((group, p, self.real(p.grad).detach().clone()))
        for group, p, g in self.gathered:
            (b1, b2), state, w = group["betas"], self.remembered(p), self.real(p)
            state["step"] += 1
            t, m, v = state["step"], state["exp_avg"], state["exp_avg_sq"]
            g.add_(w, alpha=group["weight_decay"])
            torch.add(m * b1, g, alpha=1 - b1, out=m)
            v.mul_(b2).addcmul_(g * (1 - b2), g)
            below = v.sqrt().mul_(1 / math.sqrt(1 - b2**t)).add_(group["eps"])
            w.sub_(m.div(below).mul_(group["lr"] / (1 - b1**t)))
        self.gathered.clear()
        return loss
