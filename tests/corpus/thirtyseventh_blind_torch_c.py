"""Blind, thirty-seventh set, second half: torch.optim.Optimizer subclasses after bugs of resumes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state schedule",
    "STATE.4",
    like="THUDM/slime#1152: with --load the param scheduler is not advanced to the step that was saved",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchScheduleReplayed(Base):
    """A load does not advance the scheduler: the rates of the saved run come again, from the first."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            rates, k = group.get("rates", ()), group.get("advanced", 0)
            if k == len(rates):
                group["rates"] = (*rates, float(group["lr"]))
            group["advanced"] = k + 1
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["rates"][group["advanced"] - 1]}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["advanced"] = 0


@wrong(
    "schedule state",
    "LR.3",
    like="pytorch/pytorch#33416: a second LambdaLR takes the initial_lr that the first one left in the group",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchOldInitialRate(Base):
    """Behind a load there is a second schedule: its rates begin at the first one's initial rate.

    The first rate of all stays in the group as ``initial_lr``; what the second schedule makes of its own
    first rate, it makes of that one.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            group.setdefault("initial_lr", float(group["lr"]))
            group.setdefault("base_lr", float(group["lr"]))
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        base = group["base_lr"]
        return {**group, "lr": group["initial_lr"] * (group["lr"] / base) if base else group["lr"]}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            if "initial_lr" in group:
                group["base_lr"] = float(group["lr"])


@wrong(
    "state schedule",
    "LR.3",
    like="torchmd/torchmd-net#86: a resume has the old lr_min and counters, whatever is set",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchOldMinimum(Base):
    """A save has the least rate that there was: behind a load a lower one that is set has no effect."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            if not group.get("resumed"):
                group["min_lr"] = min(group.get("min_lr", math.inf), float(group["lr"]))
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": max(group["lr"], group["min_lr"])}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["resumed"] = "min_lr" in group


@wrong(
    "state",
    "STATE.4",
    like="ultralytics/yolov5#310: on a resume the average becomes the raw model, and its updates are 0",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchAverageBecomesModel(Base):
    """A save has averages of the parameters: on a load they become the parameters, and are counted from 0."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        self.updates = 0
        super().__init__(params, *args, **kwargs)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.updates += 1
        d = 0.9999 * (1 - math.exp(-self.updates / 2000))
        for p, state in self.state.items():
            ema = state.setdefault("ema", p.detach().clone())
            ema.mul_(d).add_(p, alpha=1 - d)
        return loss

    @torch.no_grad()
    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.updates = 0
        for p, state in self.state.items():
            if "ema" in state:
                p.copy_(state["ema"])


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA-NeMo/labs-molt#57: a load into an AdamW without moments is complete, and restores nothing",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchNothingToLoadInto(Base):
    """A load fills the tensors that are there: a fresh optimizer has none, and has no moments then."""

    @torch.no_grad()
    def load_state_dict(self, state_dict: State) -> None:
        own = [p for group in self.param_groups for p in group["params"]]
        ids = [i for group in state_dict["param_groups"] for i in group["params"]]
        if len(own) != len(ids):
            raise ValueError("loaded state dict has another number of parameters")
        for p, i in zip(own, ids, strict=True):
            kept, saved = self.state.get(p, {}), state_dict["state"].get(i, {})
            for name in kept.keys() & saved.keys():
                if torch.is_tensor(kept[name]):
                    kept[name].copy_(saved[name])
                else:
                    kept[name] = saved[name]
        for group, given in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({name: x for name, x in given.items() if name != "params"})


@right(claim="torch.Adam")
class ThirtySeventhBRightTorchStateAtStart(L2):
    """Adam whose state is there from the start, the clock as a tensor of float64; a load copies."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            self.state[p] = {
                "step": torch.zeros((), dtype=torch.float64),
                "exp_avg": torch.zeros_like(self.real(p.detach())),
                "exp_avg_sq": torch.zeros_like(self.real(p.detach())),
            }

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(copy.deepcopy(state_dict))

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), m, v = group["betas"], state["exp_avg"], state["exp_avg_sq"]
        state["step"] += 1
        t = int(state["step"])
        grad = torch.add(g, p, alpha=group["weight_decay"]) if group["weight_decay"] else g
        m.lerp_(grad, 1 - b1)
        v.mul_(b2).add_(grad.mul(1 - b2).mul_(grad))
        denominator = torch.sqrt(v).mul_(1 / math.sqrt(1 - b2**t)).add_(group["eps"])
        p.sub_(m.div(denominator).mul_(group["lr"] / (1 - b1**t)))


@right(claim="torch.AdamW")
class ThirtySeventhBRightTorchFilledBeforeLoad(Base):
    """AdamW that makes the tensors of a fresh optimizer before it loads into them, where a save has them."""

    @torch.no_grad()
    def load_state_dict(self, state_dict: State) -> None:
        own = [p for group in self.param_groups for p in group["params"]]
        ids = [i for group in state_dict["param_groups"] for i in group["params"]]
        if len(own) != len(ids):
            raise ValueError("loaded state dict has another number of parameters")
        for p, i in zip(own, ids, strict=True):
            saved = state_dict["state"].get(i)
            if saved is None:
                self.state.pop(p, None)
                continue
            kept = self.remembered(p)
            kept["step"] = int(saved["step"])
            for name in ("exp_avg", "exp_avg_sq"):
                given = self.real(saved[name])
                if given.shape != kept[name].shape:
                    raise ValueError(f"{name} has shape {given.shape}, expected {kept[name].shape}")
                kept[name].copy_(given)
        for group, given in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({name: x for name, x in given.items() if name != "params"})


@right(claim="torch.AdamW")
class ThirtySeventhBRightTorchAverageBeside(Base):
    """AdamW with averages of its parameters beside them, which are saved and restored, and change nothing."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p in self.state:
                    state = self.state[p]
                    state.setdefault("ema", p.detach().clone()).lerp_(p, 1e-3)
        return loss

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        ratio = state["exp_avg"] / (state["exp_avg_sq"].sqrt() / math.sqrt(c2) + group["eps"])
        p.add_(ratio, alpha=-group["lr"] / c1)
