"""Blind, thirty-first set: torch.optim.Optimizer subclasses after bugs of what is loaded and grouped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state",
    "STATE.4",
    like="OpenPipe/ART#72: a restart keeps the adapters and throws the optimizer's state away",
    claim="torch.AdamW",
)
class ThirtyFirstTorchRestartWithoutState(Base):
    """A load takes the groups and leaves the rest: moments and clocks begin anew."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict({**state_dict, "state": {}})


@wrong(
    "state storage",
    "STATE.4",
    like="NVIDIA/Megatron-LM#240: with --no-load-optim the optimizer's copies of parameters are not reloaded",
    claim="torch.AdamW",
)
class ThirtyFirstTorchCopiesNotReloaded(Base):
    """Main parameters are copied where the optimizer is made: weights loaded later are written over."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.main: dict[Tensor, Tensor] = {}
        self.reload_model_params()

    def reload_model_params(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                self.main[p] = self.real(p.detach()).clone()

    def settings(self, group: Group, p: Tensor) -> Group:
        if p not in self.main:  # of a group that was added
            self.main[p] = self.real(p.detach()).clone()
        return {**group, "main": self.main[p]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, group["main"], g)
        p.copy_(group["main"])


@wrong(
    "state decay",
    "STATE.4",
    like="NVIDIA-NeMo/Automodel#3882: groups get a weight decay before the scheduler's own is restored",
    claim="torch.AdamW",
)
class ThirtyFirstTorchDecayOfConstructor(Base):
    """The first step behind a load decays by the constructor's weight decay, not by that of the groups."""

    resumed = False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": self.defaults["weight_decay"]} if self.resumed else group

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.resumed = False
        return loss


@wrong(
    "layout groups",
    "STEP.1",
    like="ultralytics/ultralytics#2855: a walk over modules looks for weight and bias, others have no group",
    claim="torch.AdamW",
)
class ThirtyFirstTorchBareParameters(Base):
    """Groups are built of weights and biases: a parameter without axes is in none, and is never updated."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "found": p.ndim > 0}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if group["found"]:
            super().update(group, state, p, g)


@wrong(
    "state storage",
    "STATE.4",
    like="NVIDIA-NeMo/Megatron-Bridge#3397: a load sets the main weights and not those that compute",
    claim="torch.AdamW",
)
class ThirtyFirstTorchComputeWeightsNotSet(Base):
    """Behind a load the model has the weights that the optimizer was made with, until the first step is made.

    What was loaded are the main weights.  They are stepped by gradients of the others, which a closure gives.
    """

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.made_with = {p: p.detach().clone() for group in self.param_groups for p in group["params"]}
        self.main: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for p, compute in self.made_with.items():
            self.main[p] = p.detach().clone()
            p.copy_(compute)

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        for p, main in self.main.items():
            p.copy_(main)
        self.main = {}
        return loss


@right(claim="torch.AdamW")
class ThirtyFirstRightTorchReloaded(Base):
    """AdamW on main parameters that are made of the weights anew in each step, by foreach."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[tuple[torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    alike.setdefault((p.dtype, int(state["step"])), []).append(p)
            for (_, t), present in alike.items():
                self.together(group, present, t)
        return loss

    def together(self, group: Group, present: list[Tensor], t: int) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        main = [self.real(p).clone() for p in present]
        grads = [self.real(p.grad) for p in present]
        first = [self.state[p]["exp_avg"] for p in present]
        second = [self.state[p]["exp_avg_sq"] for p in present]
        torch._foreach_mul_(main, 1 - lr * group["weight_decay"])
        torch._foreach_mul_(first, b1)
        torch._foreach_add_(first, grads, alpha=1 - b1)
        torch._foreach_mul_(second, b2)
        torch._foreach_add_(second, torch._foreach_mul(torch._foreach_mul(grads, 1 - b2), grads))
        below = torch._foreach_sqrt(second)
        torch._foreach_mul_(below, 1 / math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(main, first, below, value=-lr / (1 - b1**t))
        for p, x in zip(present, main, strict=True):
            self.real(p).copy_(x)


@right(claim="torch.Adam")
class ThirtyFirstRightTorchRow(L2):
    """Adam whose moments are the two rows of one tensor, with a clock beside it."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "moments" not in state and "exp_avg" in state:  # of another Adam
            state["moments"] = torch.stack([state.pop("exp_avg"), state.pop("exp_avg_sq")])
        if "moments" not in state:
            state["step"] = torch.tensor(0, dtype=torch.int64)
            state["moments"] = torch.stack([torch.zeros_like(self.real(p))] * 2)
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["step"] = torch.as_tensor(state["step"]).to(torch.int64).clone()
            if "moments" in state:
                state["moments"] = state["moments"].clone()

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        t, (b1, b2) = int(state["step"]), group["betas"]
        d = g + p * group["weight_decay"] if group["weight_decay"] else g.clone()
        m, v = state["moments"]
        m.add_((d - m).mul_(1 - b1))
        v.sub_(v * (1 - b2)).add_((d * (1 - b2)).mul_(d))
        root = math.sqrt(1 - b2**t)
        p.sub_((m / (v.sqrt() / root + group["eps"])) * (group["lr"] / (1 - b1**t)))
