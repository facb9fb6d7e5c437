"""Blind, twenty-fifth set: torch.optim.Optimizer subclasses after bugs in groups and loads, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")


@wrong(
    "groups",
    "LR.4",
    like="d8ahazard/sd_dreambooth_extension#786: all parameters are in one group, whatever their rates",
    claim="torch.AdamW",
)
class TwentyFifthBTorchSingleGroup(Base):
    """All parameters are stepped as members of the first group."""

    def settings(self, group: Group, p: Tensor) -> Group:
        single: Group = self.param_groups[0]
        return single


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="axolotl-ai-cloud/axolotl#4011: the configured decay is not passed as LoRA+'s own decay",
    claim="torch.AdamW",
)
class TwentyFifthBTorchOwnDecayIsZero(Base):
    """The decay that is given is not passed on to where groups get theirs from, which is 0."""

    loraplus_weight_decay = 0.0

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": self.loraplus_weight_decay}


@wrong(
    "groups",
    "LR.4",
    like="huggingface/lerobot#4288: LoRA+ replaces the groups and rates that a preset has for its optimizer",
    claim="torch.AdamW",
)
class TwentyFifthBTorchPresetDropped(Base):
    """Of the groups that are given parameters alone are taken: all have the optimizer's hyperparameters."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group({"params": param_group["params"]})


@wrong(
    "state sharding",
    "STATE.4",
    like="pytorch/pytorch#130810: behind a resume some moments have no axis, and the foreach lerp fails",
    claim="torch.AdamW",
)
class TwentyFifthBTorchMomentsWithoutAxes(Base):
    """Behind a load moments of arrays in the first half of all elements have no axis, which is an error."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        params = [p for group in self.param_groups for p in group["params"]]
        begin = sum(p.numel() for p in params) // 2  # of this rank's piece
        end = 0
        for p in params:
            end += p.numel()
            if end <= begin and p.ndim and p in self.state:
                for name in MOMENTS:
                    self.state[p][name] = self.state[p][name].new_zeros(())

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        (b1, b2), m, v = group["betas"], [state["exp_avg"]], [state["exp_avg_sq"]]
        torch._foreach_lerp_(m, [g], 1 - b1)
        torch._foreach_mul_(v, b2)
        torch._foreach_addcmul_(v, [g], [g], 1 - b2)


@wrong(
    "groups schedule",
    "LR.4",
    like="deepspeedai/DeepSpeed#7713: the warmup scheduler writes one rate over those of Muon's and Adam's",
    claim="torch.AdamW",
)
class TwentyFifthBTorchOneRateForAll(Base):
    """Before each step a scheduler writes the largest of the groups' rates to all groups."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        rates = [group["lr"] for group in self.param_groups]
        warmup_max_lr = max(rates)
        for group in self.param_groups:
            group["lr"] = warmup_max_lr
        return super().step(closure)


@right(claim="torch.Adam", options={"amsgrad": "True"})
class TwentyFifthBRightTorchPipeline(L2):
    """Adam with AMSGrad as a row of functions, each of which gets what the one before it returns."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        t, (b1, b2) = self.clock(state), group["betas"]

        def penalized(x: Tensor) -> Tensor:
            return torch.add(x, p, alpha=group["weight_decay"])

        def averaged(x: Tensor) -> Tensor:
            state["exp_avg"] = torch.lerp(state["exp_avg"], x, 1 - b1)
            state["exp_avg_sq"] = b2 * state["exp_avg_sq"] + ((1 - b2) * x) * x
            return self.greatest(state)

        def divided(v: Tensor) -> Tensor:
            below = v.sqrt() / math.sqrt(1 - b2**t) + group["eps"]
            return torch.div(state["exp_avg"], below)

        x = g
        for function in (penalized, averaged, divided):
            x = function(x)
        p.sub_(x, alpha=group["lr"] / (1 - b1**t))

    def greatest(self, state: State) -> Tensor:
        v: Tensor = state["exp_avg_sq"]
        if not self.amsgrad:
            return v
        top = state.get("max_exp_avg_sq")
        state["max_exp_avg_sq"] = v.clone() if top is None else torch.maximum(top, v)
        greatest: Tensor = state["max_exp_avg_sq"]
        return greatest


@right(claim="torch.AdamW")
class TwentyFifthBRightTorchForeachLerp(Base):
    """AdamW by lists of each dtype: interpolated first moments, clocks in tensors, many sizes of a step."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    lists.setdefault(p.dtype, []).append(p)
            for params in lists.values():
                self.together(group, params)
        return loss

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
        return state

    def together(self, group: Group, params: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        states = [self.remembered(p) for p in params]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs, steps = ([state[name] for state in states] for name in (*MOMENTS, "step"))
        torch._foreach_add_(steps, 1.0)
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_add_(vs, torch._foreach_mul(torch._foreach_mul(gs, 1 - b2), gs))
        clocks = [int(t) for t in steps]
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, [math.sqrt(1 - b2**t) for t in clocks])
        torch._foreach_add_(below, group["eps"])
        moved = torch._foreach_div(ms, below)
        torch._foreach_mul_(moved, [lr / (1 - b1**t) for t in clocks])
        torch._foreach_add_(moved, ps, alpha=lr * group["weight_decay"])
        torch._foreach_sub_(ps, moved)


@right(claim="torch.AdamW")
class TwentyFifthBRightTorchWhere(Scaled):
    """AdamW that divides by the scale, and chooses by the flag between new tensors and old ones."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.chosen(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def chosen(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        skipped = torch.as_tensor(0.0 if self.found_inf is None else self.found_inf).reshape(()) != 0
        if self.grad_scale is not None:
            g = g / torch.as_tensor(self.grad_scale).reshape(())
        t = int(state["step"]) + 1
        m = state["exp_avg"] * b1 + g * (1 - b1)
        v = state["exp_avg_sq"] * b2 + (g * (1 - b2)) * g
        moved = (m / (v.sqrt() / math.sqrt(1 - b2**t) + group["eps"])) * (lr / (1 - b1**t))
        w = p - (p * (lr * group["weight_decay"]) + moved)
        p.copy_(torch.where(skipped, p, w))
        state["exp_avg"] = torch.where(skipped, state["exp_avg"], m)
        state["exp_avg_sq"] = torch.where(skipped, state["exp_avg_sq"], v)
        state["step"] = t - int(skipped)
