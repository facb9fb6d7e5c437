"""Blind, thirty-fourth set: torch subclasses after bugs of phases, skips and failed loads, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "layout aliasing",
    "STEP.1",
    like="huggingface/transformers#3532: embeddings are resized when the optimizer has the old ones",
    claim="torch.AdamW",
)
class ThirtyFourthTorchEmbeddingsResized(Base):
    """The first matrix is resized behind the construction: what the optimizer steps is the stale one."""

    def add_param_group(self, param_group: Group) -> None:
        given = param_group["params"]
        held = [given] if isinstance(given, Tensor) else list(given)
        if not any(p.ndim > 1 for group in self.param_groups for p in group["params"]):
            matrix = next((i for i, p in enumerate(held) if p.ndim > 1), None)
            if matrix is not None:
                p = held[matrix]
                held[matrix] = p.detach().clone().requires_grad_(p.requires_grad)
        super().add_param_group({**param_group, "params": held})


@wrong(
    "clipping",
    "CLIP.2",
    like="macrocosm-os/iota#57: gradients that are uploaded before the regular step have not been clipped",
    claim="torch.AdamW",
)
class ThirtyFourthTorchMergeNotClipped(Base):
    """Gradients are clipped to 1 by the norm of all; those of each fifth step, which is a merge, are not."""

    local_steps, max_norm = 5, 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        share = 1.0
        if not self.is_merge():
            squares = [float(self.real(p.grad).double().square().sum()) for _, p in pairs]
            share = min(1.0, self.max_norm / (math.sqrt(sum(squares)) + 1e-6))
        for group, p in pairs:
            g = self.real(p.grad)
            self.update(group, self.remembered(p), self.real(p), g * share if share < 1 else g)
        return loss

    def is_merge(self) -> bool:
        if not self.param_groups:
            return False
        first = self.param_groups[0]
        first["local"] = first.get("local", 0) + 1
        return bool(first["local"] % self.local_steps == 0)


@wrong(
    "schedule",
    "LR.1",
    like="pytorch/torchtitan#1261: a multiplier's index is off by one at borders, step 1 has a rate of 0",
    claim="torch.AdamW",
)
class ThirtyFourthTorchIndexFromZero(Base):
    """Each step has the rate that was meant for the one before, and the first a rate of 0."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["behind"] = float(group["lr"])
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.get("behind", 0.0)}


@wrong(
    "hyperparameters",
    "LR.3",
    like="fw-ai/cookbook#490: shared defaults of beta2, epsilon and decay are used for the service's own",
    claim="torch.AdamW",
)
class ThirtyFourthTorchSharedDefaults(Base):
    """Shared defaults stand in the place of what is given: b2=0.999, eps=1e-8 and weight_decay=0.01."""

    def settings(self, group: Group, p: Tensor) -> Group:
        b1, _ = group["betas"]
        return {**group, "betas": (b1, 0.999), "eps": 1e-8, "weight_decay": 0.01}


@wrong(
    "loss_scale sharding",
    "SCALE.2",
    like="pytorch/pytorch#76282: a step that is skipped for an overflow skips the averaging of ranks too",
    claim="torch.AdamW",
)
class ThirtyFourthTorchAveragingSkipped(Scaled):
    """What the other rank has stepped while this one skipped is averaged into the next step, by half."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.ranks(group, p, self.real(p), self.real(p.grad))
        return loss

    def ranks(self, group: Group, p: Tensor, x: Tensor, g: Tensor) -> None:
        peers: dict[Tensor, State] = self.__dict__.setdefault("peers", {})
        own = self.remembered(p)
        if self.overflowed():  # here; there all numbers are finite
            if p not in peers:
                copies = {name: a.clone() if isinstance(a, Tensor) else a for name, a in own.items()}
                peers[p] = {"p": x.clone(), "state": copies}
            there = torch.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0)
            self.update(group, peers[p]["state"], peers[p]["p"], there)
            return
        self.update(group, own, x, g)
        if p in peers:  # until the first overflow the ranks are alike
            other = peers[p]["p"]
            self.update(group, peers[p]["state"], other, g)
            x.copy_(torch.where(x == other, x, x + (other - x) / 2))
            other.copy_(x)

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.__dict__["peers"] = {}


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA-NeMo/Automodel#763: since a refactor a load does not reach the optimizer",
    claim="torch.Adam",
)
class ThirtyFourthTorchLoadNotCalled(L2):
    """A load sets nothing: moments and clocks are fresh, and groups as they were made."""

    def load_state_dict(self, state_dict: State) -> None:
        self.loaded_keys = sorted(state_dict)  # read, and then nobody hands it on


@right(claim="torch.AdamW")
class ThirtyFourthRightTorchUnscalesCopy(Scaled):
    """AdamW that asks for the flag before it counts, and forms each gradient in a copy without the scale."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        scale = 1.0 if self.grad_scale is None else float(self.grad_scale)
        for group in () if self.overflowed() else self.param_groups:
            (b1, b2), lr = group["betas"], float(group["lr"])
            for p in filter(lambda p: p.grad is not None, group["params"]):
                state, x, g = self.remembered(p), self.real(p), self.real(p.grad).div(scale)
                t = state["step"] = int(state["step"]) + 1
                m, v = state["exp_avg"], state["exp_avg_sq"]
                v.mul_(b2).add_(g.mul(1 - b2).mul_(g))
                m.mul_(b1).add_(g.mul_(1 - b1))
                below = v.sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"])
                x.sub_(x * (lr * group["weight_decay"]) + m.div(below) * (lr / (1 - b1**t)))
        return loss


@right(claim="torch.AdamW")
class ThirtyFourthRightTorchInDouble(Base):
    """AdamW whose arithmetic is in double for every dtype; results are rounded once, when they are stored."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], float(group["lr"])
        t = state["step"] = int(state["step"]) + 1
        x, d, m, v = (a.to(torch.float64) for a in (p, g, state["exp_avg"], state["exp_avg_sq"]))
        m = b1 * m + (1 - b1) * d
        v = b2 * v + ((1 - b2) * d) * d
        below = v.sqrt() / math.sqrt(1 - b2**t) + group["eps"]
        p.copy_(x - lr * group["weight_decay"] * x - lr / (1 - b1**t) * (m / below))
        state["exp_avg"].copy_(m)
        state["exp_avg_sq"].copy_(v)
