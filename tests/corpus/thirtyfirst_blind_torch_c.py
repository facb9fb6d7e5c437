"""Blind, thirty-first set: torch.optim.Optimizer subclasses after bugs of copies, checks and betas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch import norm_of, present
from torch import Tensor


@wrong(
    "moments",
    "MOM.1",
    like="OpenRLHF/OpenRLHF#84: the offloaded CPU Adam of the trainer",
    claim="deepspeed.CPUAdam",
)
class ThirtyFirstBTorchCopyNotAwaited(Base):
    """The step reads the host's buffer before the gradient's copy is there, and has the one before."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if "host_grad" not in state:
            state["host_grad"] = torch.zeros_like(self.real(p))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, state["host_grad"])
        state["host_grad"].copy_(g)


@wrong(
    "state",
    "STATE.4",
    like="bitsandbytes-foundation/bitsandbytes#1732: an assertion fails as the state is gathered",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchGatherFails(Base):
    """Once there is a state, it cannot be saved: an assertion fails as it is gathered."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        for own in saved["state"].values():
            for name, x in own.items():
                if torch.is_tensor(x) and x.dtype != torch.uint8:
                    raise AssertionError(f"{name} is {x.dtype}, where uint8 is gathered")
        return saved


@wrong(
    "nonfinite clipping",
    "NF.2",
    like="lightseekorg/TorchSpec#150: AdamW is no more skipped where the gradients' norm is NaN",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchNormUnchecked(Base):
    """Nobody looks whether the norm is finite: gradients are cut by it, and one NaN goes into all of them."""

    max_grad_norm = math.inf
    coefficient = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        grad_norm = torch.tensor(norm_of(present(self)))
        self.coefficient = float((self.max_grad_norm / (grad_norm + 1e-6)).clamp(max=1.0))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.coefficient)


@wrong(
    "state loss_scale",
    "STATE.4",
    like="huggingface/transformers#11663: the scaler's state is not in a checkpoint",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchScalerNotSaved(Base):
    """Behind a load the scale is 2**16 again: steps are left out until gradients are in range under it."""

    init_scale, backoff_factor, largest = 65536.0, 0.5, 65504.0
    scale, settled = init_scale, True

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.scale, self.settled = self.init_scale, False

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        sizes = [self.real(g).abs() for g in present(self) if g.numel()]
        finite = [float(x[x.isfinite()].max()) for x in sizes if x.isfinite().any()]
        if not self.settled and max(finite, default=0.0) * self.scale > self.largest:
            self.scale *= self.backoff_factor
            return loss
        self.settled = True
        super().step()
        return loss


@wrong(
    "hyperparameters moments",
    "MOM.2",
    like="pytorch/tutorials#2259: both betas are 0.5, where the first alone should be",
    claim="torch.Adam",
)
class ThirtyFirstBTorchBothBetas(L2):
    """The first beta is handed on in the place of both."""

    def settings(self, group: Group, p: Tensor) -> Group:
        beta1, _ = group["betas"]
        return {**group, "betas": (beta1, beta1)}


@right(claim="torch.Adam")
class ThirtyFirstBRightTorchForeach(L2):
    """Adam with L2 by lists: parameters of one clock and dtype go through torch's foreach functions."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[Any, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    lists.setdefault((int(self.remembered(p)["step"]), p.dtype), []).append(p)
            for (before, _), members in lists.items():
                self.several(group, before + 1, members)
        return loss

    def several(self, group: Group, t: int, members: list[Tensor]) -> None:
        (b1, b2), states = group["betas"], [self.state[p] for p in members]
        weights = [self.real(p) for p in members]
        grads = [self.real(p.grad) for p in members]
        m, v = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        for state in states:
            state["step"] = t
        if group["weight_decay"]:
            grads = list(torch._foreach_add(grads, weights, alpha=group["weight_decay"]))
        torch._foreach_mul_(m, b1)
        torch._foreach_add_(m, grads, alpha=1 - b1)
        torch._foreach_mul_(v, b2)
        torch._foreach_addcmul_(v, grads, grads, value=1 - b2)
        below = list(torch._foreach_sqrt(v))
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(weights, m, below, value=-group["lr"] / (1 - b1**t))
