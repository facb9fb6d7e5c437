"""Blind, thirty-fifth set, second half: torch.optim.Optimizer subclasses after bugs of loads and wrappers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "state schedule",
    "STATE.4",
    like="NVIDIA-NeMo/Speech#4867: a Conformer that is resumed with NoamAnnealing stays at min_lr",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchPinnedAtMinimum(Base):
    """Behind a load each step has the least rate of the schedule, 1e-6, whatever the groups say."""

    min_lr = 1e-6
    resumed = False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.min_lr} if self.resumed else group


@wrong(
    "missing",
    "F1",
    like="hpcaitech/ColossalAI#1422: zero_grad of the ZeRO wrapper goes through to the optimizer in it",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchInnerZeroed(Base):
    """Gradients of masters are set to 0, not to None: what has had one before is stepped by zeros."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.master_grads: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for grad in self.master_grads.values():  # zero_grad() before the gradients of this step
            grad.zero_()
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.master_grads[p] = self.real(p.grad).detach().clone()
                if p in self.master_grads:
                    self.update(group, self.remembered(p), self.real(p), self.master_grads[p])
        return loss


@wrong(
    "hyperparameters decay",
    "LR.3",
    like="huggingface/transformers#18946: adamw_bnb_8bit makes an Adam8bit without the weight decay",
    claim="bitsandbytes.AdamW",
)
class ThirtyFifthBTorchDecayNotHandedOver(Base):
    """The weight decay that is given is not handed over: it is 0, the default of the class, always."""

    def settings(self, group: Group, p: Tensor) -> Group:
        adam_kwargs = {name: group[name] for name in ("lr", "betas", "eps")}
        return {"weight_decay": 0.0, **adam_kwargs}


@wrong(
    "moments epsilon",
    "MOM.1",
    like="karpathy/nanoGPT#207: the loss is not divided by gradient_accumulation_steps",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchSumOfBatches(Base):
    """Gradients of forty micro-batches are added up and not averaged: each is forty times too large."""

    gradient_accumulation_steps = 40

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.gradient_accumulation_steps)


@wrong(
    "state schedule",
    "STATE.4",
    like="neuro-ml/thunder#72: schedulers of the learning rate are not restored from a checkpoint",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchPolicyNotRestored(Base):
    """A load restores all but the rate: factors that come behind it multiply the one of the constructor."""

    def load_state_dict(self, state_dict: State) -> None:
        own = [group["lr"] for group in self.param_groups]
        super().load_state_dict(state_dict)
        for lr, group in zip(own, self.param_groups, strict=True):
            group["initial_lr"] = group.get("initial_lr", lr)
            group["restored_lr"] = group["lr"]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        restored = group.get("restored_lr")
        if not restored:
            return group
        return {**group, "lr": group["initial_lr"] * (group["lr"] / restored)}


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA-NeMo/Speech#10750: distributed_fused_adam loads groups of params alone, and old MoE keys",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchKeysOfExperts(Base):
    """A load finds no key of the experts, each second parameter: these begin anew, groups stay as made."""

    def load_state_dict(self, state_dict: State) -> None:
        own = [{k: x for k, x in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, hyper in zip(self.param_groups, own, strict=True):
            group.update(hyper)
        params = [p for group in self.param_groups for p in group["params"]]
        for expert in params[1::2]:
            self.state.pop(expert, None)


@wrong(
    "loss_scale",
    "SCALE.1",
    like="Lightning-AI/pytorch-lightning#5159: the scaler knows the optimizer, and not the wrapper around it",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchUnscaledForBoth(Scaled):
    """Gradients are unscaled for the optimizer and once more for its wrapper, which is another object."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        unscaled = g if self.grad_scale is None else g / self.grad_scale
        super().update(group, state, p, unscaled)


@right(claim="torch.AdamW")
class ThirtyFifthBRightTorchUnscaledOnce(Scaled):
    """AdamW below a scaler that remembers for which object it has unscaled, whatever is around that."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        unscaled: dict[int, Tensor] = {}
        params = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for _ in range(2):  # the wrapper asks, and what is in it asks again
            for _, p in params:
                if id(p) not in unscaled:
                    g = self.real(p.grad)
                    unscaled[id(p)] = g.clone() if self.grad_scale is None else g / self.grad_scale
        for group, p in params:
            self.one(group, self.remembered(p), self.real(p), unscaled[id(p)])
        return loss

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), t = group["betas"], int(state["step"]) + 1
        state["step"] = t
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).add_(g.mul(1 - b2).mul_(g))
        below = state["exp_avg_sq"].sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"])
        p.sub_(p, alpha=group["lr"] * group["weight_decay"])
        p.sub_(state["exp_avg"].div(below), alpha=group["lr"] / (1 - b1**t))


@right(claim="torch.Adam")
class ThirtyFifthBRightTorchScalarsAsTensors(L2):
    """Adam with L2 whose coefficients are tensors of no dimension in float64, made anew in each step."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2, lr, eps, wd = (
            torch.tensor(float(x), dtype=torch.float64)
            for x in (*group["betas"], group["lr"], group["eps"], group["weight_decay"])
        )
        t = torch.tensor(float(state["step"]), dtype=torch.float64)
        grad = g + wd * p
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.copy_(b1 * m + (1 - b1) * grad)
        v.copy_(b2 * v + ((1 - b2) * grad) * grad)
        below = v.sqrt() / (1 - b2**t).sqrt() + eps
        p.copy_(p - (lr / (1 - b1**t)) * (m / below))
