"""Blind, eighteenth set: torch.optim.Optimizer subclasses after bugs in groups and rates, and right ones."""

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
    "groups decay layout",
    "LR.4",
    like="EleutherAI/gpt-neox#1274: norms of another implementation are in the group that decays",
    claim="torch.AdamW",
)
class EighteenthBTorchNormsDecay(Base):
    """A vector in a group without weight decay has that which the optimizer was made with."""

    def settings(self, group: Group, p: Tensor) -> Group:
        is_norm = p.ndim == 1 and not group["weight_decay"]
        return {**group, "weight_decay": self.defaults["weight_decay"]} if is_norm else group


@wrong(
    "missing",
    "F1",
    like="neuralmagic/sparseml#965: parameters are frozen behind backward(), and keep their gradient",
    claim="torch.AdamW",
)
class EighteenthBTorchFrozenTooLate(Base):
    """In the first step in which its gradient is absent a parameter is stepped by that of the step before."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.left: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.left[p] = p.grad.clone()
                elif p in self.left:
                    self.update(group, self.remembered(p), self.real(p), self.real(self.left.pop(p)))
        return loss


@wrong(
    "schedule",
    "LR.3",
    like="ildoonet/pytorch-gradual-warmup-lr#11: behind the warm-up the inner schedule is an epoch late",
    claim="torch.Adam",
)
class EighteenthBTorchFirstFallLate(L2):
    """The first fall of the learning rate comes one step late, together with the one after it."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            lr, before = float(group["lr"]), group.get("before", float(group["lr"]))
            is_first = lr < before and not group.get("has_fallen", False)
            group.update(before=lr, used=before if is_first else lr)
            group["has_fallen"] = group.get("has_fallen", False) or is_first
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["used"]}


@wrong(
    "groups",
    "LR.4",
    like="davda54/sam#65: the wrapper has the defaults that it was given, and none of its base optimizer",
    claim="torch.AdamW",
)
class EighteenthBTorchDefaultsOfWrapper(Base):
    """A group that is added later gets the learning rate by default; all else that it lacks is an error."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.defaults = {"lr": lr}


@wrong(
    "loss_scale",
    "SCALE.1",
    like="facebookresearch/fairseq@84896af7: each backward() divides the pending factor by the loss scale",
    claim="torch.AdamW",
)
class EighteenthBTorchFactorOfEachBackward(Scaled):
    """Gradients of two backward passes are divided by the loss scale twice."""

    backwards = 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is not None:
            for _ in range(self.backwards - 1):
                g = g / self.grad_scale
        super().update(group, state, p, g)


@right(claim="torch.AdamW")
class EighteenthBRightTorchWorkspace(Base):
    """AdamW whose operations all write to two rows of a workspace, which all parameters of a dtype use."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.rows: dict[Any, Tensor] = {}

    def workspace(self, x: Tensor) -> Tensor:
        key = x.dtype, x.device
        if key not in self.rows or self.rows[key].shape[1] < x.numel():
            self.rows[key] = torch.empty(2, x.numel(), dtype=x.dtype, device=x.device)
        return self.rows[key][:, : x.numel()].view(2, *x.shape)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], float(group["lr"])
        state["step"] += 1
        m, v = state["exp_avg"], state["exp_avg_sq"]
        upper, lower = self.workspace(m)
        m.mul_(b1).add_(torch.mul(g, 1 - b1, out=upper))
        torch.mul(torch.mul(g, 1 - b2, out=upper), g, out=lower)
        v.mul_(b2).add_(lower)
        torch.sqrt(v, out=lower)
        lower.mul_(1 / math.sqrt(1 - b2 ** int(state["step"]))).add_(group["eps"])
        torch.div(m, lower, out=upper).mul_(lr / (1 - b1 ** int(state["step"])))
        upper.add_(torch.mul(p, lr * group["weight_decay"], out=lower))
        p.sub_(upper)


@right(claim="torch.Adam")
class EighteenthBRightTorchChanges(L2):
    """Adam with L2 that forms the changes of all parameters first, from new moments, and then adds them."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        changes: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            for p in filter(lambda p: p.grad is not None, group["params"]):
                changes.append((self.real(p), self.change(group, self.remembered(p), p)))
        for whole, change in changes:
            whole.add_(change)
        return loss

    def change(self, group: Group, state: State, p: Tensor) -> Tensor:
        t, (b1, b2) = int(state["step"]) + 1, group["betas"]
        g = self.real(p.grad) + self.real(p) * group["weight_decay"]
        m = torch.add(g * (1 - b1), state["exp_avg"], alpha=b1)
        v = torch.addcmul(state["exp_avg_sq"] * b2, g * (1 - b2), g)
        state.update(step=t, exp_avg=m, exp_avg_sq=v)
        if self.amsgrad:
            v = torch.maximum(state.get("max_exp_avg_sq", torch.zeros_like(v)), v)
            state["max_exp_avg_sq"] = v
        root = math.sqrt(1 - b2**t)
        rate = float(group["lr"]) * root / (1 - b1**t)
        return torch.mul(m / (v.sqrt() + group["eps"] * root), -rate)
