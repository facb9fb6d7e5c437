"""Blind, thirty-third set, second half: torch.optim.Optimizer subclasses after bugs of loads and repeats."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state sharding",
    "STATE.4",
    like="pytorch/torchtitan#1702: a state dict that is cached for loads, under a sharding that is uneven",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchCachedPadded(Base):
    """A load goes to a cached state: moments whose rows two ranks cannot share evenly are copies there."""

    ranks = 2

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for p, state in self.state.items():
            if p.ndim and p.shape[0] % self.ranks and "exp_avg" in state:
                state["exp_avg"] = torch.zeros_like(self.real(p))
                state["exp_avg_sq"] = torch.zeros_like(self.real(p))


@wrong(
    "moments",
    "STEP.1",
    like="MishaLaskin/curl#28: the encoder is in two optimizers, and update_cpc steps both of them",
    claim="torch.Adam",
)
class ThirtyThirdBTorchSteppedByBoth(L2):
    """A second Adam has the same parameters, with moments of its own, and steps them by the same gradient."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if "cpc" not in state:
            state["cpc"] = {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        super().update(group, state, p, g)
        super().update(group, state["cpc"], p, g)


@wrong(
    "state schedule",
    "STATE.4",
    like="DeepLabCut/DeepLabCut#2788: on a resume the scheduler is made from the config, at epoch 0",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchScheduleFromZero(Base):
    """Behind a load a schedule begins anew, from the first rate: the one resumed at is divided out."""

    def load_state_dict(self, state_dict: State) -> None:
        first = [group["lr"] for group in self.param_groups]
        super().load_state_dict(state_dict)
        for lr, group in zip(first, self.param_groups, strict=True):
            group["base_lr"] = group.get("base_lr", lr)
            group["resumed_lr"] = group["lr"]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            group.setdefault("base_lr", group["lr"])
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        resumed, base = group.get("resumed_lr"), group["base_lr"]
        return {**group, "lr": group["lr"] / resumed * base} if resumed else group


@wrong(
    "moments layout",
    "STEP.1",
    like="open-mmlab/mmengine#1137: a layer that two blocks share is put into the groups twice",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchSharedTwice(Base):
    """The first parameter is shared by two blocks, and stands in its group twice: it is stepped twice."""

    def takes(self, present: list[Tensor]) -> bool:
        shared = next((p for group in self.param_groups for p in group["params"]), None)
        if any(p is shared for p in present):
            present.append(present[0])
        return True


@right(claim="torch.AdamW")
class ThirtyThirdBRightTorchFlattened(Base):
    """AdamW whose parameters are joined to rows by group, dtype and clock, which are stepped and cut up."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            buckets: dict[tuple[torch.dtype, int], list[tuple[Tensor, Tensor, State]]] = {}
            for p in dict.fromkeys(group["params"]):
                if p.grad is not None:
                    state, w, g = self.remembered(p), self.real(p), self.real(p.grad)
                    state["step"] += 1
                    buckets.setdefault((p.dtype, int(state["step"])), []).append((w, g, state))
            for (_, t), bucket in buckets.items():
                self.bucket(group, t, bucket)
        return loss

    def bucket(self, group: Group, t: int, bucket: list[tuple[Tensor, Tensor, State]]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        sizes = [w.numel() for w, _, _ in bucket]
        p = torch.cat([w.reshape(-1) for w, _, _ in bucket])
        g = torch.cat([d.reshape(-1) for _, d, _ in bucket])
        m, v = (torch.cat([s[name].reshape(-1) for _, _, s in bucket]) for name in ("exp_avg", "exp_avg_sq"))
        m.lerp_(g, 1 - b1)
        v.mul_(b2).add_((g * (1 - b2)).mul_(g))
        p.mul_(1 - lr * group["weight_decay"])
        p.sub_((m / (v.sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"]))).mul_(lr / (1 - b1**t)))
        pieces = zip(bucket, p.split(sizes), m.split(sizes), v.split(sizes), strict=True)
        for (w, _, state), new, first, second in pieces:
            w.copy_(new.view(w.shape))
            state["exp_avg"].copy_(first.view(w.shape))
            state["exp_avg_sq"].copy_(second.view(w.shape))
