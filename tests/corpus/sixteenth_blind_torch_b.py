"""Blind, sixteenth set: torch.optim.Optimizer subclasses, after bugs of others in schedules and groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import wrong
from tenth_blind_torch import Scaled
from torch import Tensor


class Advanced(Base):
    """AdamW whose rate falls by a tenth each time its schedule is advanced by mistake."""

    gamma = 0.9

    def advance(self) -> None:
        for group in self.param_groups:
            group["advanced"] = group.get("advanced", 0) + 1

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * self.gamma ** group.get("advanced", 0)}


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/accelerate#963: the schedule moves with each micro-batch of an accumulation",
    claim="torch.AdamW",
)
class SixteenthBTorchMovesWithMicroBatches(Base):
    """Two micro-batches make a step, and the rate moves away from its first value twice as fast."""

    micro_batches = 2

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1].setdefault("initial_lr", self.param_groups[-1]["lr"])

    def settings(self, group: Group, p: Tensor) -> Group:
        first = group["initial_lr"]
        return {**group, "lr": max(0.0, first + self.micro_batches * (group["lr"] - first))}


@wrong(
    "groups",
    "LR.4",
    like="Lightning-AI/lit-llama#254: AdamW is given all parameters in one group, norms and biases too",
    claim="torch.AdamW",
)
class SixteenthBTorchOneGroup(Base):
    """Groups without decay have the decay of those with one."""

    def settings(self, group: Group, p: Tensor) -> Group:
        if group["weight_decay"]:
            return group
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@wrong(
    "coefficients",
    "NUM.4",
    like="pytorch/pytorch#88173: with a step that is a float32 tensor beta ** step is a float32 number",
    claim="torch.AdamW",
)
class SixteenthBTorchPowerOfTensor(Base):
    """Powers of the betas are formed in single precision, as the step is a tensor of float32."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        step = torch.tensor(float(state["step"]), dtype=torch.float32)
        first, second = (1 - torch.pow(beta, step) for beta in group["betas"])
        super().move(group, state, p, first.item(), second.item())


@wrong(
    "schedule loss_scale",
    "SCALE.2",
    like="Lightning-AI/pytorch-lightning#18828: the schedule is advanced also where the scaler skips a step",
    claim="torch.AdamW",
)
class SixteenthBTorchAdvancedWhereSkipped(Scaled, Advanced):
    """A skipped step advances the schedule: all further steps have nine tenths of their rate."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        if self.overflowed():
            self.advance()
        return loss


@wrong(
    "schedule",
    "LR.1",
    like="NVIDIA-NeMo/Megatron-Bridge#5399: the scheduler is not advanced before the first step",
    claim="torch.AdamW",
)
class SixteenthBTorchRateOfStepBefore(Base):
    """Each step has the rate of the step before it, and the first one has 0."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.get("warmed", 0.0)}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["warmed"] = group["lr"]
        return loss


@wrong(
    "groups",
    "LR.4",
    like="VectorInstitute/mmlearn#2: parameters of one dimension decay, for which there is to be a group",
    claim="torch.AdamW",
)
class SixteenthBTorchVectorsDecay(Base):
    """Of a group without decay vectors and scalars decay all the same, and matrices do not."""

    def settings(self, group: Group, p: Tensor) -> Group:
        if group["weight_decay"] or p.ndim > 1:
            return group
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@wrong(
    "missing",
    "F1",
    like="discuss.pytorch.org/t/153740: what was frozen by requires_grad=False still has its last gradient",
    claim="torch.AdamW",
)
class SixteenthBTorchOldGradientOfFrozen(Base):
    """A parameter without a gradient is stepped by the last one that it had."""

    old: dict[Tensor, Tensor] | None = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss, old = self.asked(closure), self.old or {}
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    old[p] = p.grad.clone()
                if p in old:
                    self.update(group, self.remembered(p), self.real(p), self.real(old[p]))
        self.old = old
        return loss


@wrong(
    "schedule missing",
    "LR.1",
    like="huggingface/accelerate#2828: step_was_skipped is False for micro-steps in which nothing is stepped",
    claim="torch.AdamW",
)
class SixteenthBTorchAdvancedWhereNothingSteps(Advanced):
    """A step in which no parameter has a gradient advances the schedule."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        if all(p.grad is None for group in self.param_groups for p in group["params"]):
            self.advance()
        return loss
