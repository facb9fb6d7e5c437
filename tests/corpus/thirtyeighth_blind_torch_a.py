"""Blind, thirty-eighth set: torch.optim.Optimizer subclasses after bugs of backward hooks and of saving."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state",
    "STATE.4",
    like="NM512/dreamerv3-torch#38: optimizers are neither saved nor loaded, moments and clocks begin anew",
    claim="torch.Adam",
)
class ThirtyEighthTorchNeitherSavedNorLoaded(L2):
    """What is saved has no state, and what is loaded is dropped: a run that is resumed begins anew."""

    def state_dict(self) -> Any:
        return {**super().state_dict(), "state": {}}

    def load_state_dict(self, state_dict: State) -> None:
        """The checkpoint is the agent's, and nothing in it is the optimizer's."""


@wrong(
    "moments clock",
    "MOM.1",
    like="pytorch/pytorch#124523: an optimizer in backward steps with each micro-batch, not with their sum",
    claim="torch.AdamW",
)
class ThirtyEighthTorchStepOfMicroBatch(Base):
    """Both micro-batches of a step have a step of their own, each by its half of the gradient."""

    micro_batches = 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        for _ in range(self.micro_batches):
            super().update(group, state, p, g / self.micro_batches)


@wrong(
    "schedule groups",
    "LR.3",
    like="MakazhanAlpamys/Soup#1080: the schedule is bound to the optimizer that LoRA+ has replaced",
    claim="torch.AdamW",
)
class ThirtyEighthTorchGroupBUnscheduled(Base):
    """Groups behind the first keep the rate with which they were added: a schedule never reaches them."""

    added: list[Any]

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.__dict__.setdefault("added", []).append(self.param_groups[-1]["lr"])

    def settings(self, group: Group, p: Tensor) -> Group:
        number = next(i for i, own in enumerate(self.param_groups) if own is group)
        return {**group, "lr": self.added[number]} if number else group


@wrong(
    "aliasing",
    "STATE.2",
    like="pytorch/torchtitan#990: gradients are applied in backward and None before they are to be clipped",
    claim="torch.AdamW",
)
class ThirtyEighthTorchGradientsGone(Base):
    """A gradient is applied and set to None at once: who reads, clips or steps by it later finds none."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                self.hook(group, p)
        return loss

    def hook(self, group: Group, p: Tensor) -> None:
        if p.grad is not None:
            self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
            p.grad = None


@wrong(
    "aliasing layout",
    "STATE.2",
    like="unslothai/unsloth#10878: behind a step p.grad has the shape of the projection",
    claim="torch.AdamW",
)
class ThirtyEighthTorchGradientStaysProjected(Base):
    """Behind a step the gradient of a matrix is its projection, of one row."""

    rank = 1

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.ndim == 2 and len(p) > self.rank:
                    p.grad.data = self.projected(p.grad)
        return loss

    def projected(self, g: Tensor) -> Tensor:
        basis = torch.ones(len(g), self.rank, dtype=g.dtype) / math.sqrt(len(g))
        return basis.T @ g


@right(claim="torch.AdamW")
class ThirtyEighthRightTorchInBackward(Base):
    """AdamW as one small optimizer for each parameter, made when it is first seen, as hooks have them."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        own = [self.made(group, p) for group in self.param_groups for p in group["params"]]
        for hook in own:
            hook()
        return loss

    def made(self, group: Group, p: Tensor) -> Callable[[], None]:
        def hook() -> None:
            if p.grad is None:
                return
            state, x, g = self.remembered(p), self.real(p), self.real(p.grad)
            (b1, b2), lr = group["betas"], group["lr"]
            t = state["step"] = int(state["step"]) + 1
            state["exp_avg"].add_(g - state["exp_avg"], alpha=1 - b1)
            weighed = torch.mul(g, 1 - b2)
            state["exp_avg_sq"].mul_(b2).add_(weighed.mul_(g))
            up = state["exp_avg"] / (state["exp_avg_sq"].sqrt() * (1 - b2**t) ** -0.5 + group["eps"])
            x.sub_(x * (lr * group["weight_decay"]) + up * (lr / (1 - b1**t)))

        return hook


@right(claim="torch.Adam")
class ThirtyEighthRightTorchArrayClock(L2):
    """Adam whose clock is an array of one float64, from which both corrections are made as arrays."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float64)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = state["step"] + 1
        b1, b2 = (torch.tensor(b, dtype=torch.float64) for b in group["betas"])
        gone1, gone2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        d = torch.add(g, p, alpha=group["weight_decay"])
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.copy_(torch.lerp(m, d, 1 - group["betas"][0]))
        v.copy_(v * group["betas"][1] + (d * (1 - group["betas"][1])) * d)
        below = v.sqrt().div_(gone2.sqrt().item()).add_(group["eps"])
        p.sub_(m.div(below), alpha=(group["lr"] / gone1).item())
