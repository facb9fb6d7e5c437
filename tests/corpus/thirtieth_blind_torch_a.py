"""Blind, thirtieth set: torch.optim.Optimizer subclasses after bugs of norms and groups, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "moments",
    "MOM.1",
    like="Lightning-AI/pytorch-lightning#19987: the last window of an epoch is divided by the whole number",
    claim="torch.AdamW",
)
class ThirtiethTorchWindowAtEpochsEnd(Base):
    """An epoch has ten batches in windows of four: the third step's two are divided by four all the same."""

    batches, accumulate_grad_batches = 10, 4

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        windows = math.ceil(self.batches / self.accumulate_grad_batches)
        left = self.batches % self.accumulate_grad_batches
        is_last = int(state["step"]) % windows == 0
        super().learn(group, state, g * (left / self.accumulate_grad_batches) if is_last else g)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="pytorch/pytorch#88621: FSDP's norm of the gradients is not DDP's, and clips otherwise",
    claim="torch.AdamW",
)
class ThirtiethTorchNormOfShard(Base):
    """Each of two ranks has a half of each array, and clips it to 1 by the norm of its own halves."""

    max_norm, ranks = 1.0, 2

    def shards(self, g: Tensor) -> tuple[Tensor, ...]:
        row = g.reshape(-1)
        size = -(-row.numel() // self.ranks)
        return row[:size], row[size:]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        present = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        rows = [self.shards(self.real(p.grad)) for _, p in present]
        shares = []
        for rank in range(self.ranks):
            norm = math.sqrt(sum(float(row[rank].double().square().sum()) for row in rows))
            shares.append(self.max_norm / (norm + 1e-6) if norm > self.max_norm else 1.0)
        for (group, p), row in zip(present, rows, strict=True):
            own = self.real(p)
            g = torch.cat([part * share for part, share in zip(row, shares, strict=True)])
            self.update(group, self.remembered(p), own, g.reshape(own.shape))
        return loss


@wrong(
    "groups",
    "LR.4",
    like="huggingface/pytorch-image-models#2532: layer_decay writes lr_scale, which torch's Adams ignore",
    claim="torch.AdamW",
)
class ThirtiethTorchScaleOfLayerUnread(Base):
    """A group's own rate becomes a scale beside the first group's rate, and the step reads that alone."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group, base = self.param_groups[-1], self.param_groups[0]["lr"]
        group["lr_scale"] = group["lr"] / base if base else 1.0
        group["lr"] = base


@wrong(
    "schedule groups",
    "LR.3",
    like="pytorch/ignite#1027: the handler of schedules knows one group alone",
    claim="torch.AdamW",
)
class ThirtiethTorchScheduleOfFirstGroup(Base):
    """A schedule reaches the first group alone: all others keep the rate that they were made with."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1].setdefault("initial_lr", self.param_groups[-1]["lr"])

    def settings(self, group: Group, p: Tensor) -> Group:
        return group if group is self.param_groups[0] else {**group, "lr": group["initial_lr"]}


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="guochengqian/PointNeXt#69: with the filter of biases and norms AdamW is made with a decay of 0",
    claim="torch.AdamW",
)
class ThirtiethTorchDecayZeroWithFilter(Base):
    """A filter of what is not to decay is on, and the optimizer is made with a weight decay of 0."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, filter_bias_and_bn: bool = True,
    ) -> None:  # fmt: skip
        if weight_decay and filter_bias_and_bn:
            weight_decay = 0.0
        super().__init__(params, lr, betas, eps, weight_decay)


@right(claim="torch.AdamW")
class ThirtiethRightTorchPieces(Base):
    """AdamW in pieces of 50 elements, out of place; moments are written back piece by piece."""

    piece = 50

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        t, (b1, b2), lr = int(state["step"]), group["betas"], group["lr"]
        root, size = math.sqrt(1 - b2**t), lr / (1 - b1**t)
        arrays = (p, g, state["exp_avg"], state["exp_avg_sq"])
        rows = [a.reshape(-1).split(self.piece) for a in arrays]
        made: list[tuple[Tensor, ...]] = []
        for x, d, m, v in zip(*rows, strict=True):
            first = torch.lerp(m, d, 1 - b1)
            second = torch.addcmul(v * b2, d * (1 - b2), d)
            below = second.sqrt() / root + group["eps"]
            made.append((x - x * (lr * group["weight_decay"]) - size * (first / below), first, second))
        for i, a in enumerate((p, state["exp_avg"], state["exp_avg_sq"])):
            if made:
                a.copy_(torch.cat([row[i] for row in made]).reshape(a.shape))


@right(claim="torch.Adam")
class ThirtiethRightTorchClosures(L2):
    """Adam whose step is a list of closures, one for each parameter, which are called in reverse order."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        calls: list[Callable[[], None]] = []
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    calls.append(self.call(dict(group), p))
        while calls:
            calls.pop()()
        return loss

    def call(self, group: Group, p: Tensor) -> Callable[[], None]:
        (b1, b2), state, x = group["betas"], self.remembered(p), self.real(p)

        def stepped() -> None:
            t = state["step"] = int(state["step"]) + 1
            g = self.real(p.grad)
            d = g.add(x, alpha=group["weight_decay"]) if group["weight_decay"] else g
            m, v = state["exp_avg"], state["exp_avg_sq"]
            m.add_(d - m, alpha=1 - b1)
            v.lerp_(d * d, 1 - b2)
            scale = math.sqrt(1 - b2**t)
            x.addcdiv_(m, v.sqrt().add_(group["eps"] * scale), value=-group["lr"] * scale / (1 - b1**t))

        return stepped
