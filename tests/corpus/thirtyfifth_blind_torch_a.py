"""Blind, thirty-fifth set: torch.optim.Optimizer subclasses after bugs of resumes, clips and scales."""

from __future__ import annotations

import math
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


class Scheduled(Base):
    """AdamW whose groups know the rates that they were made with, as a scheduler writes them down."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1].setdefault("initial_lr", self.param_groups[-1]["lr"])

    def initial(self) -> list[Any]:
        return [group["initial_lr"] for group in self.param_groups]

    def put(self, rates: list[Any]) -> None:
        for group, lr in zip(self.param_groups, rates, strict=True):
            group["lr"] = lr


@wrong(
    "state schedule",
    "STATE.4",
    like="D-X-Y/NAS-Bench-201#19: the scheduler's state is not in the checkpoint, a resumed rate is wrong",
    claim="torch.AdamW",
)
class ThirtyFifthTorchSchedulerNotSaved(Scheduled):
    """A checkpoint has nothing of the schedule: behind a load rates are those that groups were made with."""

    def load_state_dict(self, state_dict: State) -> None:
        made = self.initial()
        super().load_state_dict(state_dict)
        self.put(made)


@wrong(
    "aliasing clipping",
    "STATE.2",
    like="awslabs/graphstorm#1383: clip_grad_norm_ comes behind optimizer.step() in each trainer",
    claim="torch.Adam",
)
class ThirtyFifthTorchClippedTooLate(L2):
    """Gradients are clipped in place to a norm of 1 behind the step, which has used them as they were."""

    max_grad_norm = 1.0

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        total = math.sqrt(sum(float(torch.linalg.vector_norm(self.real(g).double())) ** 2 for g in grads))
        share = self.max_grad_norm / (total + 1e-6)
        for g in grads if share < 1 else []:
            g.detach().mul_(share)
        return loss


@wrong(
    "state schedule",
    "STATE.4",
    like="pytorch/pytorch#119168: a SequentialLR on a loaded optimizer takes a first step over its rates",
    claim="torch.AdamW",
)
class ThirtyFifthTorchFirstStepOfSequence(Scheduled):
    """Behind a load a sequence of schedules makes its first step: rates are a third of those at the start."""

    start_factor = 1 / 3

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.put([lr * self.start_factor for lr in self.initial()])


@wrong(
    "state clock",
    "STATE.1",
    like="deepspeedai/DeepSpeed#332: ZeRO's checkpoints hold the state of FusedAdam, and not of torch's Adam",
    claim="torch.Adam",
)
class ThirtyFifthTorchStepOfFused(L2):
    """A checkpoint takes the step to be its group's, as FusedAdam's is: parameters come back without one."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        kept = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        saved["state"] = {
            i: {name: own[name] for name in kept if name in own} for i, own in saved["state"].items()
        }
        return saved


@wrong(
    "state schedule",
    "STATE.4",
    like="microsoft/InnerEye-DeepLearning#346: the warm-up's load leaves out the scheduler inside of it",
    claim="torch.AdamW",
)
class ThirtyFifthTorchInnerSchedulerNotLoaded(Scheduled):
    """Behind a load one step has the rate of the checkpoint; then the scheduler inside sets its first one."""

    inner: list[Any] | None = None

    def load_state_dict(self, state_dict: State) -> None:
        self.inner = self.initial()
        super().load_state_dict(state_dict)

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        if self.inner is not None:
            self.put(self.inner)
        return loss


@wrong(
    "loss_scale",
    "SCALE.2",
    like="pytorch/pytorch#97886: GradScaler goes by the found_inf of before, and not by one of this moment",
    claim="torch.AdamW",
)
class ThirtyFifthTorchFoundBefore(Scaled):
    """A step goes by the flag that was found before it, at the step before, and not by its own."""

    flags = (False, False)  #: of the step before, and of this one

    def asked(self, closure: Any) -> Any:
        self.flags = (self.flags[1], self.overflowed())
        return super().asked(closure)

    def takes(self, present: list[Tensor]) -> bool:
        return not self.flags[0]


@right(claim="torch.Adam", options={"amsgrad": "True"})
class ThirtyFifthRightTorchMaximum(L2):
    """AMSGrad with L2: a maximum in place, and a denominator that is scaled in place of the step."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if self.amsgrad and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        t = state["step"] = int(state["step"]) + 1
        (b1, b2), lr, wd = group["betas"], group["lr"], group["weight_decay"]
        d = torch.add(g, p, alpha=wd) if wd else g
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.add_(d - m, alpha=1 - b1)
        v.copy_(b2 * v + ((1 - b2) * d) * d)
        if self.amsgrad:
            v = torch.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        c1, root = 1 - b1**t, math.sqrt(1 - b2**t)
        below = v.sqrt().div_(root).add_(group["eps"]).mul_(c1)
        p.sub_((m / below).mul_(lr))


@right(claim="torch.AdamW")
class ThirtyFifthRightTorchFlagNow(Scaled):
    """AdamW that reads flag and scale once in each step, in a closure over both, before all parameters."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        scale = None if self.grad_scale is None else float(self.grad_scale)

        def unscaled(g: Tensor) -> Tensor:
            return g if scale is None else g / scale

        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.one(group, self.remembered(p), self.real(p), unscaled(self.real(p.grad)))
        return loss

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = int(state["step"]) + 1
        (b1, b2), t, lr = group["betas"], state["step"], group["lr"]
        m = state["exp_avg"] = b1 * state["exp_avg"] + (1 - b1) * g
        v = state["exp_avg_sq"] = b2 * state["exp_avg_sq"] + ((1 - b2) * g) * g
        ratio = m / (v.sqrt() / math.sqrt(1 - b2**t) + group["eps"])
        p.copy_((1 - lr * group["weight_decay"]) * p - (lr / (1 - b1**t)) * ratio)
