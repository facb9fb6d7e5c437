"""Blind, eighteenth set: torch.optim.Optimizer subclasses, after the bugs of others in states and rates."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from tenth_blind_torch import Hat
from torch import Tensor


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/transformers#24088: the wrapped scheduler goes on once for each process, in each step",
    claim="torch.AdamW",
)
class EighteenthTorchScheduleOfFourProcesses(Base):
    """The rate goes four times as far from the one of the beginning as it is scheduled to, down to 0."""

    num_processes = 4

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1].setdefault("initial_lr", self.param_groups[-1]["lr"])

    def settings(self, group: Group, p: Tensor) -> Group:
        first = group["initial_lr"]
        gone = (first - group["lr"]) * self.num_processes
        return {**group, "lr": max(first - gone, 0.0)}


@wrong(
    "state",
    "STATE.4",
    like="Lightning-AI/pytorch-lightning#17025: a resumed module lists its layers in another order",
    claim="torch.AdamW",
)
class EighteenthTorchLayersInOtherOrder(Base):
    """The state of the first parameter is loaded for the last one, and so on: matched by the index alone."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        saved = [p for group in self.param_groups for p in group["params"]]
        pairs = zip(saved, reversed(saved), strict=True)
        self.state = defaultdict(dict, {p: self.state[other] for p, other in pairs if other in self.state})


@wrong(
    "state",
    "STATE.1",
    like="namisan/mt-dnn#84: the buffer is exp_inf in a step, and exp_avg_sq where a state is set up",
    claim="torch.Adam",
)
class EighteenthTorchBufferOfOtherName(L2):
    """The second moment is exp_inf; a state that comes with exp_avg_sq is taken, and fails in the step."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(self.real(p)))
            state["exp_inf"] = torch.zeros_like(self.real(p))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        buffers = {"step": state["step"], "exp_avg": state["exp_avg"], "exp_avg_sq": state["exp_inf"]}
        super().update(group, buffers, p, g)
        state["step"] = buffers["step"]


@wrong(
    "state hyperparameters schedule",
    "STATE.4",
    like="mlverse/torch#1100: load_state_dict takes states of parameters, and no param_groups",
    claim="torch.Adam",
)
class EighteenthTorchGroupsNotLoaded(L2):
    """Moments and clocks are loaded; rate and all other settings of groups are the constructor's."""

    def load_state_dict(self, state_dict: State) -> None:
        made = [{k: x for k, x in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, made, strict=True):
            group.update(own)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="agokrani/distillKitPlus#5: losses of a window are added up, and not divided by how many they are",
    claim="fairseq.Adam",
)
class EighteenthTorchWindowIsSummed(Hat):
    """Eight passes of a window each leave a whole gradient: the step is by eight times their mean."""

    gradient_accumulation_steps = 8

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g.mul(self.gradient_accumulation_steps))


@wrong(
    "state clock",
    "STATE.4",
    like="NovaSky-AI/SkyRL#1403: with offload the step is that of the live optimizer, and not the saved one",
    claim="torch.AdamW",
)
class EighteenthTorchStepOfLiveOptimizer(Base):
    """Moments are those that are loaded; clocks are those of before the load, 0 where it has none."""

    def load_state_dict(self, state_dict: State) -> None:
        live = {p: state.get("step", 0) for p, state in self.state.items()}
        super().load_state_dict(state_dict)
        for p, state in self.state.items():
            state["step"] = live.get(p, 0)


@wrong(
    "decay schedule",
    "DEC.2",
    like="kozistr/pytorch_optimizer#170: the decay has the group's lr, where the step's is warmed up",
    claim="torch.AdamW",
)
class EighteenthTorchDecayIsNotScheduled(Base):
    """The decay has the rate of the beginning, and the step the one that is scheduled."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1].setdefault("initial_lr", self.param_groups[-1]["lr"])

    def decay(self, group: Group, p: Tensor) -> None:
        super().decay({**group, "lr": group["initial_lr"]}, p)


@wrong(
    "state mixed_precision",
    "STATE.4",
    like="open-mmlab/mmcv#580: a loaded state belongs to the model's parameters, and steps have fp32 copies",
    claim="torch.AdamW",
)
class EighteenthTorchStateOfModelsParameters(Base):
    """A step works on copies, which have states of their own; what is loaded stays with the originals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.copies: dict[Tensor, Tensor] = {}
        self.of_copies: dict[Tensor, State] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "of": p}

    def remembered(self, p: Tensor) -> State:
        copy = self.copies.setdefault(p, self.real(p).clone())
        if copy not in self.of_copies:
            zeros = {name: torch.zeros_like(copy) for name in ("exp_avg", "exp_avg_sq")}
            self.of_copies[copy] = {"step": 0, **zeros}
        return self.of_copies[copy]

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        copy = self.copies[group["of"]]
        copy.copy_(p)
        super().update(group, state, copy, g)
        p.copy_(copy)

    def state_dict(self) -> Any:
        for p, copy in self.copies.items():
            self.state[p] = self.of_copies[copy]
        return super().state_dict()
