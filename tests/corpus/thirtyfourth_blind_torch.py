"""Blind, thirty-fourth set: torch.optim.Optimizer subclasses after bugs of whose arrays, and right ones."""

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
    "schedule state",
    "LR.3",
    like="tdrussell/diffusion-pipe#278: a resumed run goes on with the old rate, whatever is configured",
    claim="torch.AdamW",
)
class ThirtyFourthTorchOldRateWins(Base):
    """Behind a load each step sets the rate of a group to the loaded one: a new one is never used."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.base_lrs = [float(group["lr"]) for group in self.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        base_lrs: list[float] = self.__dict__.get("base_lrs", [])
        for group, lr in zip(self.param_groups, base_lrs, strict=False):
            group["lr"] = lr
        return super().step(closure)


@wrong(
    "groups",
    "LR.4",
    like="horovod/horovod#2712: parameters without names are numbered in each group from 0, and names clash",
    claim="torch.AdamW",
)
class ThirtyFourthTorchNamesClash(Base):
    """Parameters are named by their place in their group: with two groups they are refused as not unique."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        names = [
            f"allreduce.noname.{i}" for group in self.param_groups for i, _ in enumerate(group["params"])
        ]
        if len(set(names)) < len(names):
            raise ValueError("parameter names in named_parameters must be unique")


@wrong(
    "aliasing moments",
    "STEP.1",
    like="Aifred-Health/VulcanAI#86: a model is moved behind a fit, its optimizer has the old parameters",
    claim="torch.Adam",
)
class ThirtyFourthTorchMovedBehindFit(L2):
    """Behind a fit of five steps the optimizer steps parameters where they were before a move to a device."""

    fit = 5

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.__dict__["fitted"] = self.__dict__.get("fitted", 0) + 1
        if self.__dict__["fitted"] == self.fit:
            for group in self.param_groups:
                group["params"] = [self.left_behind(p) for p in group["params"]]
        return loss

    def left_behind(self, p: Tensor) -> Tensor:
        old = p.detach().clone().requires_grad_(p.requires_grad)
        if p in self.state:
            self.state[old] = self.state.pop(p)
        return old


@wrong(
    "missing",
    "F1",
    like="speechbrain/speechbrain#1201: the optimizer of an encoder that is frozen is used all the same",
    claim="torch.Adam",
)
class ThirtyFourthTorchFrozenIsStepped(L2):
    """A parameter that is frozen, and has no gradient, is stepped as if it had one of zeros."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                g = torch.zeros_like(p) if p.grad is None else p.grad
                self.update(group, self.remembered(p), self.real(p), self.real(g))
        return loss


@wrong(
    "layout moments",
    "STEP.1",
    like="huggingface/trl#2453: parameters have other names, and the critic's are no longer found",
    claim="torch.AdamW",
)
class ThirtyFourthTorchCriticNotFound(Base):
    """The second half of the parameters are the critic's, which are not found by name and never stepped."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"]]
        named = {f"{'policy' if 2 * i < len(pairs) else 'critic'}.{i}": pair for i, pair in enumerate(pairs)}
        for name, (group, p) in named.items():
            if name.startswith(("policy.", "value_model.")) and p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "loss_scale sharding",
    "SCALE.2",
    like="hpcaitech/ColossalAI#2273: the overflow is looked for in the data's group and not the model's",
    claim="torch.AdamW",
)
class ThirtyFourthTorchOverflowOfOwnPart(Scaled):
    """Two ranks have half the parameters each: one skips for its own overflow alone, the other one steps."""

    ranks = 2

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"]]
        size = max(1, -(-len(pairs) // self.ranks))
        for begin in range(0, len(pairs), size):
            own = [(group, p) for group, p in pairs[begin : begin + size] if p.grad is not None]
            if self.overflowed() and any(not bool(torch.isfinite(self.real(p.grad)).all()) for _, p in own):
                continue
            for group, p in own:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "state",
    "STATE.4",
    like="huggingface/accelerate#3971: a load has no planner, and state.0.step is not found in a checkpoint",
    claim="torch.AdamW",
)
class ThirtyFourthTorchNestedNotFound(Base):
    """A load looks for flat keys, which a nested state has not: it is refused as soon as there is a state."""

    def load_state_dict(self, state_dict: State) -> None:
        wanted = [f"state.{i}.{name}" for i, own in state_dict["state"].items() for name in own]
        for key in wanted:
            if key not in state_dict:
                raise RuntimeError(f"missing key in checkpoint state_dict: {key}")
        super().load_state_dict(state_dict)


@right(claim="torch.AdamW")
class ThirtyFourthRightTorchForeach(Base):
    """AdamW by functions of lists, for parameters of a group that have one dtype and one clock."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            buckets: dict[tuple[torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] = int(state["step"]) + 1
                    buckets.setdefault((p.dtype, state["step"]), []).append(p)
            for (_, t), params in buckets.items():
                self.bucket(group, params, t)
        return loss

    def bucket(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), lr = group["betas"], float(group["lr"])
        states = [self.state[p] for p in params]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_add_(vs, torch._foreach_mul(torch._foreach_mul(gs, 1 - b2), gs))
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ps, ms, below, -lr / (1 - b1**t))


@right(claim="torch.Adam")
class ThirtyFourthRightTorchStepIsTensor(L2):
    """Adam whose clock is a tensor, as PyTorch's, and whose penalty is added to a copy in place."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), own = group["betas"], g.clone().add_(p, alpha=group["weight_decay"])
        state["step"] += 1
        t, m, v = int(state["step"].item()), state["exp_avg"], state["exp_avg_sq"]
        m.copy_(m * b1 + own * (1 - b1))
        v.copy_(v * b2 + (own * (1 - b2)) * own)
        below = v.sqrt().mul_(1 / math.sqrt(1 - b2**t)).add_(group["eps"])
        p.sub_(m.div(below), alpha=group["lr"] / (1 - b1**t))
