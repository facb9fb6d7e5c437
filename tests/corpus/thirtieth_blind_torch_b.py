"""Blind, thirtieth set: torch.optim.Optimizer subclasses after bugs in scales, cycles and masters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat, Scaled
from torch import Tensor


class Halves(Base):
    """AdamW below a scaler: its loss scale is the highest at which gradients are in the range of a half."""

    scale, largest, grown = 2.0**16, 65504.0, False

    def greatest(self) -> float:
        """Return the size of the greatest finite number of all gradients."""
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        sizes = [self.real(g).abs().reshape(-1) for g in grads]
        return max((float(x[x.isfinite()].max()) for x in sizes if x.isfinite().any()), default=0.0)

    def overflowed(self) -> bool:
        return self.greatest() * self.scale > self.largest

    def settle(self) -> None:
        greatest = self.greatest()
        if greatest > 0:
            self.scale = 2.0 ** math.floor(math.log2(min(self.largest / greatest, 1e300)))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if not self.grown:
            self.settle()
        elif self.overflowed():
            self.scale, self.grown = self.scale / 2, False
            return loss
        super().step()
        return loss

    def state_dict(self) -> Any:
        return {**super().state_dict(), "loss_scale": self.scale}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.scale = state_dict.get("loss_scale", self.scale)


@wrong(
    "state loss_scale",
    "STATE.4",
    like="facebookresearch/metaseq#3: the scaler keeps no _iter and no _last_overflow_iter in a checkpoint",
    claim="fairseq.Adam",
)
class ThirtiethBTorchCountersNotKept(Halves, Hat):
    """The scale is saved, its counters are not: it grows behind a resume's first step, the next is lost."""

    scale_window = 2000
    counter, last_overflow = 1, 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        if (self.counter - self.last_overflow) % self.scale_window == 0:
            self.scale, self.grown = self.scale * 2, True
        self.counter += 1
        return loss

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.counter = self.last_overflow = 0


@wrong(
    "schedule",
    "LR.3",
    like="pytorch/pytorch#21965: base_lrs are replaced by the initial_lr that the groups have already",
    claim="torch.AdamW",
)
class ThirtiethBTorchCycleFromInitial(Base):
    """A rate that is set is taken for a part of a cycle from 0 up, and lies as far from the first rate up."""

    height = 4.0  # of a cycle, in first rates

    def settings(self, group: Group, p: Tensor) -> Group:
        initial = group.setdefault("initial_lr", group["lr"])
        if group["lr"] == initial or not initial:
            return group
        max_lr = self.height * initial
        part = group["lr"] / max_lr  # of the way up from a base of 0
        return {**group, "lr": initial + (max_lr - initial) * part}


@wrong(
    "state loss_scale",
    "STATE.4",
    like="ultralytics/ultralytics#22189: the scaler is neither saved nor restored, a resume gives NaN",
    claim="torch.AdamW",
)
class ThirtiethBTorchScaleOverflows(Base):
    """Behind a load the scale is 2**16: numbers that are infinite in a half under it make parameters NaN."""

    largest, resumed = 65504.0, False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.resumed:
            g = torch.where((g * 2.0**16).abs() <= self.largest, g, g * math.inf)
        super().update(group, state, p, g)


@wrong(
    "state storage",
    "STATE.4",
    like="PrimeIntellect-ai/prime-rl#3234: offloaded masters are not refreshed as a model alone is resumed",
    claim="torch.AdamW",
)
class ThirtiethBTorchMastersNotRefreshed(Base):
    """Masters are made with the optimizer: the next step writes them over weights that are loaded later."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.masters = {p: p.detach().clone() for group in self.param_groups for p in group["params"]}

    def settings(self, group: Group, p: Tensor) -> Group:
        master = self.masters.setdefault(p, p.detach().clone())
        return {**group, "master": self.real(master)}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, group["master"], g)
        p.copy_(group["master"])


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="pytorch/pytorch#72548: clip_grad_norm_ sees the local shard alone",
    claim="torch.AdamW",
)
class ThirtiethBTorchNormOfShard(Base):
    """Each of two ranks has a half of every gradient, and clips it to 1 by the norm of its own halves."""

    ranks, max_norm = 2, 1.0
    factors: tuple[float, ...] = (1.0, 1.0)

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        squares = [0.0] * self.ranks
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    for rank, shard in enumerate(self.shards(self.real(p.grad))):
                        squares[rank] += float(shard.double().square().sum())
        self.factors = tuple(min(1.0, self.max_norm / (math.sqrt(x) + 1e-6)) for x in squares)
        return loss

    def shards(self, g: Tensor) -> list[Tensor]:
        return list(g.reshape(-1).tensor_split(self.ranks))

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        own = [shard * c for shard, c in zip(self.shards(g), self.factors, strict=True)]
        super().update(group, state, p, torch.cat(own).view(g.shape))


@wrong(
    "loss_scale",
    "SCALE.1",
    like="nerfstudio-project/nerfstudio#445: the scaler does not reach Adam",
    claim="torch.AdamW",
)
class ThirtiethBTorchScalerPassesBy(Scaled):
    """The scale is taken and obeyed as to overflows, and the gradients that it is in are stepped by."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g)


@right(claim="torch.AdamW")
class ThirtiethBRightTorchCounters(Halves):
    """AdamW below a scaler that saves its counters beside its scale; no step of a short run is skipped."""

    scale_window = 2000
    counter, last_overflow = 1, 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.counter += 1
        return loss

    def state_dict(self) -> Any:
        return {**super().state_dict(), "counters": (self.counter, self.last_overflow)}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.counter, self.last_overflow = state_dict.get("counters", (1, 0))


@right(claim="torch.AdamW")
class ThirtiethBRightTorchInverse(Scaled):
    """AdamW that multiplies a copy of the gradient by the inverse of the scale, formed once in a step."""

    inverse: Any = None

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        scale = self.grad_scale
        self.inverse = None if scale is None else torch.as_tensor(scale).double().reciprocal()
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        own = g.clone()
        if self.inverse is not None:
            own.mul_(float(self.inverse))
        Base.update(self, group, state, p, own)

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(g * (1 - b1))
        state["exp_avg_sq"].mul_(b2).add_(g.mul(1 - b2).mul_(g))
