"""Blind, thirty-third set: torch.optim.Optimizer subclasses after bugs of resumes, groups and rows."""

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
    "clipping groups",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#785: dense and expert optimizers each clip by a norm of their own",
    claim="torch.AdamW",
)
class ThirtyThirdTorchNormOfGroup(Base):
    """Each group clips its gradients to 1 by the norm of its own, and not by that of all."""

    clip_grad = 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            norms = [float(torch.linalg.vector_norm(self.real(p.grad).double())) for p in present]
            coefficient = self.clip_grad / (math.sqrt(sum(x * x for x in norms)) + 1e-6)
            for p in present:
                g = self.real(p.grad)
                g = g * coefficient if coefficient < 1 else g
                self.update(group, self.remembered(p), self.real(p), g)
        return loss


@wrong(
    "state",
    "STATE.4",
    like="kohya-ss/sd-scripts#1344: a run resumed with hooks in backward trains, and nothing changes",
    claim="torch.AdamW",
)
class ThirtyThirdTorchHooksOfOldModel(Base):
    """Behind a load steps are made on the tensors that the hooks had: moments go on, parameters stay."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        params = [p for group in self.param_groups for p in group["params"]]
        self.hooked = {p: p.detach().clone() for p in params}

    def real(self, x: Any) -> Tensor:
        hooked: dict[Tensor, Tensor] = self.__dict__.get("hooked", {})
        return super().real(hooked.get(x, x))


@wrong(
    "state hyperparameters",
    "STATE.4",
    like="facebookresearch/fairscale#39: a load restores the shard's groups, the outer ones stay as made",
    claim="torch.AdamW",
)
class ThirtyThirdTorchOuterGroupsStay(Base):
    """A load brings moments and clocks; the groups keep the hyperparameters that they were made with."""

    def load_state_dict(self, state_dict: State) -> None:
        outer = [{k: x for k, x in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, outer, strict=True):
            group.update(own)


@wrong(
    "sparse zero_gradient decay",
    "SPARSE.2",
    like="PaddlePaddle/Paddle#41125: sparse gradients are not seen as such where a penalty would be refused",
    claim="torch.Adam",
)
class ThirtyThirdTorchPenaltyOfListedRows(L2):
    """Of a matrix those rows alone that have a gradient get the penalty; rows of zeros do without."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        rows = p
        if p.ndim > 1 and p.numel():
            listed = (g != 0).reshape(len(g), -1).any(dim=1)
            rows = p * listed.view(-1, *[1] * (p.ndim - 1)).to(p.dtype)
        Base.update(self, group, state, p, g.add(rows, alpha=group["weight_decay"]))


@wrong(
    "state decay",
    "STATE.4",
    like="NVIDIA-NeMo/Automodel#3883: a load steps the scheduler before the fields of decay are restored",
    claim="torch.AdamW",
)
class ThirtyThirdTorchFirstDecayOfConstructor(Base):
    """The first step behind a load decays by the number of the constructor, and not by the group's."""

    resumed = False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.resumed = False
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": self.defaults["weight_decay"]} if self.resumed else group


@right(claim="torch.AdamW")
class ThirtyThirdRightTorchByName(Base):
    """AdamW whose groups are dicts of jobs: each has its parameter, its buffers and its numbers."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        jobs = [
            self.job(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        for job in sorted(jobs, key=lambda job: -job["p"].numel()):
            p, g, m, v = (job[name] for name in ("p", "g", "m", "v"))
            v += ((1 - job["b2"]) * g) * g - (1 - job["b2"]) * v
            m += (1 - job["b1"]) * (g - m)
            below = v.sqrt().mul_(job["unroot"]).add_(job["eps"])
            p -= p * job["decay"] + job["size"] * (m / below)
        return loss

    def job(self, group: Group, p: Tensor) -> dict[str, Any]:
        state, lr, (b1, b2) = self.remembered(p), group["lr"], group["betas"]
        t = state["step"] = int(state["step"]) + 1
        arrays = {"p": self.real(p), "g": self.real(p.grad), "m": state["exp_avg"], "v": state["exp_avg_sq"]}
        numbers = {
            "size": lr / (1 - b1**t),
            "unroot": 1 / math.sqrt(1 - b2**t),
            "decay": lr * group["weight_decay"],
        }
        return {**arrays, **numbers, "b1": b1, "b2": b2, "eps": group["eps"]}


@right(claim="torch.AdamW")
class ThirtyThirdRightTorchClockOfGradients(Scaled):
    """AdamW below a scaler, with clocks as integers of 64 bits in tensors and copies that are unscaled."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(int(state["step"]), dtype=torch.int64)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        own = g.clone()
        if self.grad_scale is not None:
            own.div_(float(self.grad_scale))
        # a load may have made the clock a float: it is whole all the same
        state["step"] = torch.tensor(int(state["step"]) + 1, dtype=torch.int64)
        t, (b1, b2), lr = int(state["step"]), group["betas"], group["lr"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.lerp_(own, 1 - b1)
        v.mul_(b2).add_(own.mul(1 - b2).mul_(own))
        below = (v.sqrt() / math.sqrt(1 - b2**t)).add_(group["eps"])
        p.sub_(p * (lr * group["weight_decay"])).sub_(m.div(below).mul_(lr / (1 - b1**t)))
