"""Blind, thirty-seventh set: torch.optim.Optimizer subclasses after bugs of loads and masters; right ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "groups",
    "LR.4",
    like="Akegarasu/lora-scripts#96: DAdaptation refuses a second group that has another lr",
    claim="torch.AdamW",
)
class ThirtySeventhTorchOtherRateRefused(Base):
    """A step raises an error where a group has another rate than the greatest, unless that is 0."""

    def takes(self, present: list[Tensor]) -> bool:
        lr = max(group["lr"] for group in self.param_groups)
        for group in self.param_groups:
            if group["lr"] not in (lr, 0.0):
                raise RuntimeError(
                    "different lr values in parameter groups are only supported for values of 0"
                )
        return True


@wrong(
    "state layout",
    "STATE.4",
    like="PrimeIntellect-ai/prime-rl#3252: a dummy parameter without elements never gets Adam's state",
    claim="torch.AdamW",
)
class ThirtySeventhTorchDummyHasNoState(Base):
    """An array without elements gets no state in a step, and a load wants one of it: that is a KeyError."""

    def remembered(self, p: Tensor) -> State:
        if p.numel():
            return super().remembered(p)
        return {"step": 0, "exp_avg": self.real(p).clone(), "exp_avg_sq": self.real(p).clone()}

    def load_state_dict(self, state_dict: State) -> None:
        numbers = [i for group in state_dict["param_groups"] for i in group["params"]]
        params = [p for group in self.param_groups for p in group["params"]]
        for i, p in zip(numbers, params, strict=False):
            if state_dict["state"] and not p.numel():
                _ = state_dict["state"][i]
        super().load_state_dict(state_dict)


@wrong(
    "state schedule",
    "STATE.4",
    like="pytorch/torchtitan#4598: a cached state dict has stale rates, which a load brings",
    claim="torch.AdamW",
)
class ThirtySeventhTorchCachedRates(Base):
    """A state that is saved has the rates of the groups as they were made: a load brings these back."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.cache_state_dict = [float(group["lr"]) for group in self.param_groups]

    def state_dict(self) -> Any:
        saved = super().state_dict()
        for group, lr in zip(saved["param_groups"], self.cache_state_dict, strict=False):
            group["lr"] = lr
        return saved


@wrong(
    "state storage",
    "STATE.4",
    like="NVIDIA/Megatron-LM#174: masters are cloned before the model is read, and written back over it",
    claim="torch.AdamW",
)
class ThirtySeventhTorchMastersBeforeRead(Base):
    """Masters are cloned as the optimizer is made: its steps are written over weights that come later."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.fp32_from_float16 = {p: p.detach().clone() for g in self.param_groups for p in g["params"]}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                main = self.fp32_from_float16.setdefault(p, p.detach().clone())
                if p.grad is not None:
                    self.update(group, self.remembered(p), self.real(main), self.real(p.grad))
                    p.copy_(main)
        return loss


@wrong(
    "closure",
    "STEP.2",
    like="seungeunrho/minimalRL#9: rollouts on the shared model, which other workers step meanwhile",
    claim="torch.Adam",
)
class ThirtySeventhTorchSharedModel(L2):
    """Before the closure computes gradients, another worker steps the shared parameters by its last ones."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        workers: dict[Tensor, State] = self.__dict__.setdefault("workers", {})
        if closure is not None:
            for group in self.param_groups:
                for p in group["params"]:
                    if p in workers:
                        self.update(group, workers[p], self.real(p), workers[p]["grad"])
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.rollout(workers.setdefault(p, {"step": 0}), self.real(p.grad))
        return loss

    def rollout(self, worker: State, g: Tensor) -> None:
        worker["grad"] = g.clone()
        for name in ("exp_avg", "exp_avg_sq"):
            worker.setdefault(name, torch.zeros_like(g))


@wrong(
    "state storage",
    "STATE.4",
    like="ISEEKYAN/Megatron-LM#104: behind a load the shards of the optimizer are not those of the weights",
    claim="torch.AdamW",
)
class ThirtySeventhTorchShardsNotRefreshed(Base):
    """The first step behind a load begins at the values that the parameters had as the optimizer was made."""

    stale: Any = frozenset()

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.shards = {p: p.detach().clone() for group in self.param_groups for p in group["params"]}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.stale = set(self.shards)

    def settings(self, group: Group, p: Tensor) -> Group:
        if p in self.stale:
            self.stale.discard(p)
            p.copy_(self.shards[p])
        return group


@right(claim="torch.Adam")
class ThirtySeventhRightTorchMastersRefreshed(L2):
    """Adam on main copies that are refreshed from the parameters in each step, and copied back behind it."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            main = {p: self.real(p).clone() for p in group["params"] if p.grad is not None}
            for p, copy in main.items():
                self.update(group, self.remembered(p), copy, self.real(p.grad))
            for p, copy in main.items():
                self.real(p).copy_(copy)
        return loss

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.copy_(m + (1 - b1) * (g - m))
        v.copy_(b2 * v + ((1 - b2) * g) * g)


@right(claim="torch.AdamW")
class ThirtySeventhRightTorchNumbersAsTensors(Base):
    """AdamW whose numbers of a step are tensors of float64 without axes, and whose clock is one too."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float64)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = state["step"] + 1
        b1, b2, lr, eps, decay = (
            torch.as_tensor(x, dtype=torch.float64)
            for x in (*group["betas"], group["lr"], group["eps"], group["weight_decay"])
        )
        size = lr / (1 - b1 ** state["step"])
        unroot = torch.rsqrt(1 - b2 ** state["step"])
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.add_((g - m) * (1 - b1))
        v.mul_(b2).add_((g * (1 - b2)).mul_(g))
        below = torch.sqrt(v).mul_(unroot).add_(eps)
        p.sub_(p * (lr * decay)).sub_(m.div(below).mul_(size))
