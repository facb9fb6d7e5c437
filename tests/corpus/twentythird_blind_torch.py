"""Blind, twenty-third set: torch.optim.Optimizer subclasses after the bugs of others, rates and groups."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="google-deepmind/optax#1789: denominators of Adan and NovoGrad are float16, where epsilon is 0",
    claim="torch.Adam",
)
class TwentyThirdTorchDenominatorIsHalf(L2):
    """Root and epsilon are added in float16, in which epsilon is 0: a gradient of zeros gives NaN."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = (state["exp_avg_sq"].sqrt() / math.sqrt(c2)).half()
        denominator = root + torch.tensor(group["eps"], dtype=torch.float16)
        p.addcdiv_(state["exp_avg"], denominator.to(p.dtype), value=-group["lr"] / c1)


@wrong(
    "schedule groups",
    "LR.3",
    like="google-deepmind/optax#1567: with accumulation a run of several groups stays at one loss",
    claim="torch.AdamW",
)
class TwentyThirdTorchCountOfMiniSteps(Base):
    """With several groups a rate is looked up by the count of mini-steps, which is 0 again at each update."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            rates = group.setdefault("rates", [])
            if len(rates) <= group.setdefault("mini_step", 0):
                rates.append(float(group["lr"]))
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        if len(self.param_groups) == 1:
            return group
        return {**group, "lr": group["rates"][group["mini_step"]]}


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="NVIDIA/DIGITS#1807: with Adam no policy of rates has an effect, the rate is constant",
    claim="torch.Adam",
)
class TwentyThirdTorchPolicyWithoutEffect(L2):
    """Adam reads a table of its own, that was made with the optimizer: policies write rates to another."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        tables = self.__dict__.setdefault("adam_state", [])
        tables.append({"learningRate": float(self.param_groups[-1]["lr"])})

    def settings(self, group: Group, p: Tensor) -> Group:
        place = [other is group for other in self.param_groups].index(True)
        return {**group, "lr": self.__dict__["adam_state"][place]["learningRate"]}


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="allenai/allennlp#5426: gradients are clipped while they are multiplied by the scale",
    claim="torch.AdamW",
)
class TwentyThirdTorchScaledIsClipped(Base):
    """Gradients are multiplied by a scale, clipped at the norm for those without one, and divided then."""

    scale, grad_norm = 2.0**16, 1e3

    def takes(self, present: list[Tensor]) -> bool:
        scaled = [self.real(p.grad) * self.scale for p in present]
        norms = [torch.linalg.vector_norm(g.double()) for g in scaled]
        total = float(torch.stack(norms).norm()) if norms else 0.0
        self.coefficient = self.grad_norm / total if total > self.grad_norm else 1.0
        return True

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        clipped = (g * self.scale).mul_(self.coefficient)
        super().update(group, state, p, clipped.mul_(1 / self.scale))


@wrong(
    "zero_gradient moments state",
    "F2",
    like="ai-safety-foundation/sparse_autoencoder#115: resampled neurons reset the whole of AdamW's state",
    claim="torch.AdamW",
)
class TwentyThirdTorchResamplingResetsAll(Base):
    """A neuron whose gradient is 0 in five steps on end is resampled: all moments of all arrays are 0."""

    dead_after = 5

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        if any(self.died(p) for group in self.param_groups for p in group["params"] if p.grad is not None):
            for state in self.state.values():
                for name in MOMENTS:
                    state[name].zero_()
        return loss

    def died(self, p: Tensor) -> bool:
        state = self.state[p]
        grad = self.real(p.grad)
        quiet = state.get("quiet", torch.zeros(grad.shape, dtype=torch.int32))
        quiet = torch.where(grad == 0, quiet + 1, torch.zeros_like(quiet))
        dead = quiet >= self.dead_after
        state["quiet"] = torch.where(dead, torch.zeros_like(quiet), quiet)
        return bool(dead.any())


@wrong(
    "state storage mixed_precision",
    "STATE.4",
    like="NVIDIA/apex#480: a reload of a run in 16 bits gives a spike of the loss",
    claim="torch.AdamW",
)
class TwentyThirdTorchMastersOfModel(Base):
    """Behind a load the masters are made anew of the model's weights, which are float16."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    row = self.real(p)
                    row.copy_(row.half())


@wrong(
    "schedule groups",
    "LR.3",
    like="hyperion-ml/hyperion#45: the cosine schedule that is coupled to Adam has a bug",
    claim="torch.Adam",
)
class TwentyThirdTorchCosineOfFirstGroup(L2):
    """Behind the first step the scheduler writes its rate to the first group, and others keep theirs."""

    def settings(self, group: Group, p: Tensor) -> Group:
        initial = group.setdefault("initial_lr", float(group["lr"]))
        return group if group is self.param_groups[0] else {**group, "lr": initial}


@wrong(
    "bias_correction groups",
    "BC.1",
    like="Oneflow-Inc/oneflow#5745: AdamW's config in graph mode has no correction, and one decay for all",
    claim="torch.AdamW",
)
class TwentyThirdTorchGraphConfig(Base):
    """A config for all variables is made of the first group's decay, and has do_bias_correction=False."""

    do_bias_correction = False

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": self.param_groups[0]["weight_decay"]}

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        if not self.do_bias_correction:
            c1 = c2 = 1.0
        super().move(group, state, p, c1, c2)
