"""Blind, seventeenth set: torch.optim.Optimizer subclasses after bugs in schedules, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


class Skips(Scaled):
    """AdamW that counts in each group the steps that a scaler has skipped."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["skipped"] = group.get("skipped", 0) + self.overflowed()
        return loss


@wrong(
    "schedule loss_scale",
    "SCALE.2",
    like="nerfstudio-project/nerfstudio#1854: schedulers go on, whether the scaler has made a step or not",
    claim="torch.AdamW",
)
class SeventeenthBTorchDecaysWithSkipped(Skips):
    """The rate falls exponentially, to a tenth in ten, with the steps that were skipped."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * 0.1 ** (group.get("skipped", 0) / 10)}


@wrong(
    "moments aliasing",
    "MOM.1",
    like="NVIDIA/TransformerEngine#1026: after an offload gradients add up in a copy of the buffer",
    claim="torch.AdamW",
)
class SeventeenthBTorchFormerGradientBuffer(Base):
    """After its first step a parameter is stepped by the gradient of that, in a buffer nobody writes to."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.main_grads: dict[Tensor, Tensor] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "of": p}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, self.main_grads.setdefault(group["of"], g.clone()))


@wrong(
    "schedule loss_scale",
    "SCALE.2",
    like="WatChMaL/WatChMaL#106: scheduler.step() comes without a look at whether the optimizer has stepped",
    claim="torch.AdamW",
)
class SeventeenthBTorchRateRunsAhead(Skips):
    """Each skipped step takes the rate one part of twenty nearer to its end, which is 0."""

    parts = 20

    def settings(self, group: Group, p: Tensor) -> Group:
        left = max(self.parts - group.get("skipped", 0), 0)
        return {**group, "lr": group["lr"] * left / self.parts}


@wrong(
    "moments epsilon",
    "MOM.1",
    like="openai/guided-diffusion#111: losses of micro-batches are not divided by how many there are",
    claim="torch.AdamW",
)
class SeventeenthBTorchSumOfMicroBatches(Base):
    """The step is by the sum over four micro-batches, each as large as their mean."""

    micro_batches = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for _ in range(self.micro_batches):
            total += g
        super().update(group, state, p, total)


@right(claim="torch.AdamW")
class SeventeenthBRightTorchLateFold(Base):
    """AdamW in one expression for the new parameter: both corrections are in the rate and in epsilon."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], float(group["lr"])
        state["step"] += 1
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.copy_(torch.lerp(g, m, b1) if b1 < 0.5 else torch.lerp(m, g, 1 - b1))
        v.mul_(b2).add_((g * (1 - b2)).mul_(g))
        root2 = math.sqrt(1 - b2 ** int(state["step"]))
        rate = lr * root2 / (1 - b1 ** int(state["step"]))
        below = torch.sqrt(v) + group["eps"] * root2
        p.copy_(p * (1 - lr * group["weight_decay"]) - rate * (m / below))


@right(claim="torch.Adam")
class SeventeenthBRightTorchFlatGroup(L2):
    """Adam with L2 over a group's parameters of one dtype as one row, with corrections for each element."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    kinds.setdefault(self.real(p).dtype, []).append(p)
            for params in kinds.values():
                self.row(group, params)
        return loss

    def row(self, group: Group, params: list[Tensor]) -> None:
        (b1, b2), states = group["betas"], [self.remembered(p) for p in params]
        for state in states:
            state["step"] += 1
        xs = [self.real(p) for p in params]
        p, g, m, v = (
            torch.cat([x.reshape(-1) for x in arrays])
            for arrays in (
                xs,
                [self.real(p.grad) for p in params],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
            )
        )
        sizes = torch.tensor([x.numel() for x in xs])
        c1, c2 = (
            torch.tensor([1 - b ** int(state["step"]) for state in states], dtype=torch.float64)
            .repeat_interleave(sizes)
            .to(p.device)
            for b in (b1, b2)
        )
        g = g + group["weight_decay"] * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + ((1 - b2) * g) * g
        largest = v
        if self.amsgrad:
            old = [
                state.setdefault("max_exp_avg_sq", torch.zeros_like(x))
                for state, x in zip(states, xs, strict=True)
            ]
            largest = torch.maximum(torch.cat([x.reshape(-1) for x in old]), v)
        below = largest.sqrt() / c2.sqrt().to(p.dtype) + group["eps"]
        p = p - (group["lr"] / c1).to(p.dtype) * (m / below)
        rows = {"": p, "exp_avg": m, "exp_avg_sq": v}
        if self.amsgrad:
            rows["max_exp_avg_sq"] = largest
        for name, whole in rows.items():
            parts = whole.split([x.numel() for x in xs])
            for x, state, part in zip(xs, states, parts, strict=True):
                (state[name] if name else x).copy_(part.view(x.shape))
