"""Blind, thirty-eighth set: torch.optim.Optimizer subclasses after bugs of rates, moves and micro-batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "nonfinite clipping",
    "NF.2",
    like="ultralytics/ultralytics#22350: gradients that are not finite are clipped and stepped all the same",
    claim="torch.AdamW",
)
class ThirtyEighthTorchClipsNonfinite(Base):
    """All gradients are clipped to 10 by a norm that may be NaN or infinite: then all are NaN or 0."""

    max_norm = 10.0
    coefficient = 1.0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms = [torch.linalg.vector_norm(self.real(p.grad).double()) for p in params]
        total = torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())
        self.coefficient = float(torch.clamp(self.max_norm / (total + 1e-6), max=1.0))
        super().step()
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g if self.coefficient == 1 else g * self.coefficient)


@wrong(
    "state schedule",
    "LR.3",
    like="bghira/SimpleTuner#163: a checkpoint's learning rate overwrites the one that is set for going on",
    claim="torch.AdamW",
)
class ThirtyEighthTorchRateOfCheckpoint(Base):
    """Behind a load each step begins by writing the checkpoint's rates over those that were set since."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self._last_lr = [group["lr"] for group in self.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group, lr in zip(self.param_groups, self.__dict__.get("_last_lr", []), strict=False):
            group["lr"] = lr
        return super().step(closure)


@wrong(
    "schedule hyperparameters",
    "LR.2",
    like="huggingface/diffusers#6599: the text encoder's group is set to zero for one step, and trains again",
    claim="torch.AdamW",
)
class ThirtyEighthTorchZeroForOneStep(Base):
    """A rate that is set to 0 holds for one step; from the next one on the group has its last rate again."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            if group["lr"] != 0:
                group["trained_lr"], group["stopped"] = group["lr"], 0
            else:
                group["stopped"] = group.get("stopped", 0) + 1
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        again = group["lr"] == 0 and group["stopped"] > 1
        return {**group, "lr": group.get("trained_lr", 0.0)} if again else group


@wrong(
    "layout moments",
    "STEP.1",
    like="pytorch/pytorch#21048: a move replaces the parameters, and the optimizer has the old ones",
    claim="torch.AdamW",
)
class ThirtyEighthTorchHasOldTensors(Base):
    """The groups hold the tensors from before a move, which get no gradients: nothing is ever stepped."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group["params"] = [p.detach().clone().requires_grad_() for p in group["params"]]


@wrong(
    "state schedule",
    "STATE.4",
    like="mlfoundations/open_clip#141: the loss jumps on resume, the schedule's position is not there yet",
    claim="torch.AdamW",
)
class ThirtyEighthTorchFirstRateAgain(Base):
    """The first step behind a load has the rate at which the schedule began, and not that of its position."""

    resumed = False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.resumed = False
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.defaults["lr"]} if self.resumed else group


@wrong(
    "aliasing",
    "STATE.2",
    like="deepspeedai/DeepSpeed#6508: the hook clears low-precision gradients as it has taken them over",
    claim="torch.AdamW",
)
class ThirtyEighthTorchClearsTaken(Base):
    """A gradient is zeroed in its own memory as soon as it has been taken over."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        high_precision = g.clone()
        g.zero_()
        super().update(group, state, p, high_precision)


@right(claim="torch.AdamW")
class ThirtyEighthRightTorchForeach(Base):
    """AdamW by foreach: lists by dtype, with a list of step sizes and a list of roots of corrections."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[Any, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    lists.setdefault(p.dtype, []).append(p)
            for params in lists.values():
                self.multi(group, params)
        return loss

    def multi(self, group: Group, params: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        states = [self.remembered(p) for p in params]
        for state in states:
            state["step"] = int(state["step"]) + 1
        clocks = [state["step"] for state in states]
        xs, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
        torch._foreach_mul_(xs, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_add_(vs, torch._foreach_mul(torch._foreach_mul(gs, 1 - b2), gs))
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, [math.sqrt(1 - b2**t) for t in clocks])
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(xs, ms, below, [-lr / (1 - b1**t) for t in clocks])


@right(claim="torch.Adam")
class ThirtyEighthRightTorchHalves(L2):
    """Adam that steps each parameter in two halves of its row, with new moments for old ones."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), eps = group["betas"], group["eps"]
        state["step"] = t = int(state["step"]) + 1
        rows = [a.reshape(-1) for a in (p, g, state["exp_avg"], state["exp_avg_sq"])]
        middle, made = p.numel() // 2, []
        for part in (slice(0, middle), slice(middle, None)):
            x, d, m, v = (row[part] for row in rows)
            d = d + x * group["weight_decay"]
            m = m * b1 + d * (1 - b1)
            v = v + (d * (1 - b2) * d - v * (1 - b2))
            x = x - m / (v.sqrt() / math.sqrt(1 - b2**t) + eps) * (group["lr"] / (1 - b1**t))
            made.append((x, m, v))
        x, m, v = (torch.cat(parts).view(p.shape) for parts in zip(*made, strict=True))
        p.copy_(x)
        state["exp_avg"], state["exp_avg_sq"] = m, v
