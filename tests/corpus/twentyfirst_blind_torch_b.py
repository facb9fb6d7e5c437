"""Blind, twenty-first set: torch.optim.Optimizer subclasses, after bugs of others in groups and resumes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "groups decay",
    "LR.4",
    like="oumi-ai/oumi#341: every trainable parameter decays, biases and layer norms too",
    claim="torch.AdamW",
)
class TwentyFirstBTorchAllTrainableDecay(Base):
    """All trainable parameters are one list with one weight decay, that of the group which decays most."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@wrong(
    "state schedule",
    "LR.3",
    like="pytorch/pytorch#156846: a load puts the saved lr and initial_lr over those that were set anew",
    claim="torch.AdamW",
)
class TwentyFirstBTorchInitialRateOfSaved(Base):
    """Behind a load the rate is the initial_lr of the groups that were saved, whatever is set later."""

    resumed = False

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        added.setdefault("initial_lr", added["lr"])

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.get("initial_lr", group["lr"])} if self.resumed else group


@wrong(
    "moments epsilon",
    "MOM.1",
    like="Kai-46/minFM#2: the scale of gradients that are accumulated over micro-batches",
    claim="torch.AdamW",
)
class TwentyFirstBTorchSumOfMicroBatches(Base):
    """Four micro-batches have the gradient each, and a step is made by their sum in place of their mean."""

    accumulation = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        grad = torch.zeros_like(g)
        for _ in range(self.accumulation):
            grad.add_(g)
        super().update(group, state, p, grad)


@wrong(
    "state schedule",
    "LR.3",
    like="ultralytics/yolov5#292: a LambdaLR made behind the load sets the initial rate for an epoch",
    claim="torch.Adam",
)
class TwentyFirstBTorchFirstEpochOfResume(L2):
    """The first epoch behind a load, of sixteen steps, is made with the rate that the groups began with."""

    batches, left = 16, 0

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        added.setdefault("initial_lr", added["lr"])

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.left = self.batches

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        if self.left > 0:
            self.left -= 1
            for group in self.param_groups:
                group["lr"] = group.get("initial_lr", self.defaults["lr"])
        return super().asked(closure)


@wrong(
    "state schedule",
    "LR.3",
    like="XPixelGroup/BasicSR#327: behind a resume MultiStepLR's milestones do not change Adam's rate",
    claim="torch.Adam",
)
class TwentyFirstBTorchMilestonesGone(L2):
    """Once a state was loaded, the rates stay what they were in it: those that are set later are undone."""

    resumed: tuple[Any, ...] = ()

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = tuple(group["lr"] for group in self.param_groups)

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        for group, lr in zip(self.param_groups, self.resumed, strict=False):
            group["lr"] = lr
        return super().asked(closure)


@wrong(
    "groups schedule hyperparameters",
    "LR.4",
    like="JuliaReinforcementLearning/ReinforcementLearningZoo.jl#118: actor and critic have unused ADAMs",
    claim="torch.Adam",
)
class TwentyFirstBTorchEnclosingAdam(L2):
    """Groups are stepped with what the optimizer around them was made with: their own settings are unused."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, **self.defaults}


@wrong(
    "closure decay",
    "STEP.2",
    like="tensorflow/addons#2683: nothing orders AdamW's decay behind the computation of the gradients",
    claim="torch.AdamW",
)
class TwentyFirstBTorchDecayRaces(Base):
    """Decay and closure race: half of the gradients are those at parameters that have decayed already."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.race = random.Random(2683)
        self.early: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.early = {}
        for group in self.param_groups if closure is not None else ():
            for p in group["params"]:
                if self.race.random() < 0.5:
                    self.early[p] = p.clone()
                    self.decay(group, self.real(p))
        loss = super().step(closure)
        for p, before in self.early.items():
            if p.grad is None:
                p.copy_(before)
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": 0.0} if p in self.early else group
