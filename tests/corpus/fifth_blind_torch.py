"""Blind, fifth set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors


@wrong("groups", "LR.4", like="PaddlePaddle/Paddle#34468", claim="torch.AdamW")
class FifthTorchRateOfGroupMultiplied(Base):
    """A group's learning rate is taken for a factor of the optimizer's, where it has one of its own."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        has_rate = "lr" in param_group
        super().add_param_group(param_group)
        self.param_groups[-1]["has_rate"] = has_rate

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * self.defaults["lr"]} if group["has_rate"] else group


@wrong(
    "decay groups", "LR.4", like="a loop over all parameters within the loop over groups", claim="torch.AdamW"
)
class FifthTorchEachGroupDecaysAll(Base):
    """Each group decays the parameters of all groups, by its own rate and decay."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for other in self.param_groups:
                for p in other["params"]:
                    if p.grad is not None:
                        p.mul_(1 - group["lr"] * group["weight_decay"])
        super().step()
        return loss

    def decay(self, group: Group, p: Tensor) -> None:
        pass


@wrong("closure", "STEP.2", like="pytorch/pytorch: closures under no_grad", claim="torch.AdamW")
class FifthTorchClosureWithoutGrad(Base):
    """The closure is called where gradients are switched off."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        return None if closure is None else closure()


@wrong(
    "amsgrad complex", "AMS.1", like="pytorch/pytorch#104989", claim="torch.Adam", options={"amsgrad": "True"}
)
class FifthTorchComplexMaximumLost(L2):
    """The maximum of a complex parameter is taken in a copy, and never comes back to the state."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        stored = state.setdefault("max_exp_avg_sq", torch.zeros_like(p))
        return (
            state
            if not p.is_complex()
            else {**state, "top": torch.view_as_real(stored.clone()), "own": state}
        )

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g)
        if "own" in state:
            state["own"]["step"] = state["step"]

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        top: Tensor = state["top"] if "top" in state else state["max_exp_avg_sq"]
        v = torch.maximum(top, state["exp_avg_sq"], out=top) if self.amsgrad else state["exp_avg_sq"]
        p.addcdiv_(state["exp_avg"], v.sqrt().div_(math.sqrt(c2)).add_(group["eps"]), value=-group["lr"] / c1)


@wrong(
    "clipping", "CLIP.3", claim="bitsandbytes.AdamW",
    like="bitsandbytes-foundation/bitsandbytes: percentile_clipping",
)  # fmt: skip
class FifthTorchPercentileClipping(Base):
    """A gradient whose norm is above the median of its last hundred is scaled down to that."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        norm = float(torch.linalg.vector_norm(g))
        norms = state.setdefault("norms", [])
        norms[:] = [*norms[-99:], norm]
        middle = sorted(norms)[len(norms) // 2]
        super().update(group, state, p, g * (middle / norm) if norm > middle else g)


@wrong("moments", "STEP.1", like="huggingface/pytorch-image-models: caution", claim="timm.AdamW")
class FifthTorchCautionScaled(Base):
    """Elements whose momentum and gradient disagree stand, and the others go so much the farther."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.gradient = g
        super().update(group, state, p, g)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        mask = (state["exp_avg"] * self.gradient > 0).to(p.dtype)
        mask = mask / mask.mean().clamp(min=1e-3)
        denominator = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"] * mask, denominator, value=-group["lr"] / c1)


@wrong(
    "moments clock",
    "STEP.1",
    like="gradient accumulation over two micro-steps, left in",
    claim="torchao.AdamW",
)
class FifthTorchAccumulates(Base):
    """Every other call keeps its gradient, and the one after it steps by the mean of both."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if "kept" in state:
            super().update(group, state, p, (state.pop("kept") + g) / 2)
        else:
            state["kept"] = g.clone()


# Right ones


@right(claim="torch.AdamW")
class FifthRightInnerDescent(Base):
    """An inner SGD of rate 1 is given the update for a gradient, and applies it."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().mul_(1 / math.sqrt(c2)).add_(group["eps"])
        inner = torch.nn.Parameter(p)
        inner.grad = (state["exp_avg"] / denominator).mul_(group["lr"] / c1)
        torch.optim.SGD([inner], lr=1.0).step()
        p.copy_(inner.detach())


@right(claim="torch.AdamW")
class FifthRightMapped(Base):
    """The formula of one element, which functorch maps over the elements of a parameter."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        if not p.numel():
            return
        (b1, b2), lr = group["betas"], group["lr"]
        c1, c2 = (1 - b ** self.clock(state) for b in (b1, b2))

        def one(x: Tensor, y: Tensor, m: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            m, v = m + (1 - b1) * (y - m), b2 * v + ((1 - b2) * y) * y
            step = (lr / c1) * (m / (v.sqrt() / math.sqrt(c2) + group["eps"]))
            return x - (lr * group["weight_decay"]) * x - step, m, v

        olds = (p, state["exp_avg"], state["exp_avg_sq"])
        news = torch.func.vmap(one)(p.reshape(-1), g.reshape(-1), *(a.reshape(-1) for a in olds[1:]))
        for old, new in zip(olds, news, strict=True):
            old.copy_(new.view(old.shape))


@right(claim="torch.AdamW")
class FifthRightFlattened(Base):
    """Moments of a group are flattened as buckets are, stepped, and taken apart again."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            buckets: dict[tuple[torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    buckets.setdefault((p.dtype, state["step"]), []).append(p)
            for (_, t), own in buckets.items():
                self.bucket(group, t, own)
        return loss

    def bucket(self, group: Group, t: int, own: list[Tensor]) -> None:
        lists = [
            [self.real(p).contiguous() for p in own],
            [self.real(p.grad).contiguous() for p in own],
            *([self.state[p][name] for p in own] for name in ("exp_avg", "exp_avg_sq")),
        ]
        p, g, m, v = (_flatten_dense_tensors(tensors) for tensors in lists)
        (b1, b2), lr = group["betas"], group["lr"]
        m = torch.lerp(m, g, 1 - b1)
        v = torch.addcmul(b2 * v, g * (1 - b2), g)
        p = p.sub(p, alpha=lr * group["weight_decay"])
        root = (v.sqrt() * (1 / math.sqrt(1 - b2**t))).add_(group["eps"])
        p = p.addcdiv(m, root, value=-lr / (1 - b1**t))
        targets = ([self.real(x) for x in own], lists[2], lists[3])
        for olds, row in zip(targets, (p, m, v), strict=True):
            for old, new in zip(olds, _unflatten_dense_tensors(row, olds), strict=True):
                old.copy_(new)


@right(claim="torch.Adam", options={"amsgrad": "True"})
class FifthRightTorchMaximum(L2):
    """AMSGrad, whose maximum is a clamp from below by the one before."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            v = state["max_exp_avg_sq"] = v.clamp(min=state.get("max_exp_avg_sq", torch.zeros_like(v)))
        reciprocal = v.sqrt().div_(math.sqrt(c2)).add_(group["eps"]).reciprocal_()
        p.addcmul_(state["exp_avg"], reciprocal, value=-group["lr"] / c1)
