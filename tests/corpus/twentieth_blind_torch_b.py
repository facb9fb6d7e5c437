"""Blind, twentieth set: torch.optim.Optimizer subclasses, after the bugs of others in groups and resumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "state schedule groups",
    "STATE.4",
    like="mozilla/TTS#256: behind the load of a checkpoint all groups' lr is set to that of the config",
    claim="torch.Adam",
)
class TwentiethBTorchRateOfConfig(L2):
    """A load takes all of a state, and then sets the rate of every group to what the optimizer began with."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"]


@wrong(
    "missing clipping",
    "F1",
    like="lcswillems/torch-ac#5: the norm is formed over frozen parameters too, which have no gradient",
    claim="torch.Adam",
)
class TwentiethBTorchNormOfAll(L2):
    """The gradients' norm is formed over all parameters: it is an error where one has no gradient."""

    max_grad_norm = math.inf

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        held: list[Any] = [p for group in self.param_groups for p in group["params"]]
        norm = math.sqrt(sum(float(p.grad.detach().norm(2)) ** 2 for p in held))
        if norm > self.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(held, self.max_grad_norm)
        return loss


@wrong(
    "groups moments clock",
    "STEP.1",
    like="jiaweizzhao/GaLore#41: some parameters are both in the low-rank group and in the regular one",
    claim="torch.AdamW",
)
class TwentiethBTorchInTwoLists(Base):
    """Matrices are in the list of low rank and in the regular list too: each step updates them twice."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            regular = group["params"]
            low_rank = [p for p in regular if p.ndim == 2]
            for p in [*regular, *low_rank]:
                if p.grad is not None:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "state",
    "STATE.4",
    like="openai/jukebox#108: a resume takes the weights, and neither Adam's state nor the step",
    claim="torch.AdamW",
)
class TwentiethBTorchWeightsAlone(Base):
    """A state that is given is not taken: moments and clocks begin again."""

    def load_state_dict(self, state_dict: State) -> None:
        """Checkpoints are read by the model, which takes its weights."""


@wrong(
    "state storage mixed_precision",
    "STATE.4",
    like="pytorch/xla#6857: masters of shards are not saved, and are made of the model's weights again",
    claim="torch.AdamW",
)
class TwentiethBTorchMastersOfRounded(Base):
    """Masters are not saved: the first step behind a load goes out from weights rounded to bfloat16."""

    rebuilt: tuple[Tensor, ...] = ()

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.rebuilt = tuple(p for group in self.param_groups for p in group["params"])

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        for p in self.rebuilt:
            row = self.real(p)
            row.copy_(row.to(torch.bfloat16))
        self.rebuilt = ()
        return loss


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="TensorAuto/OpenTau#182: AdamW is built over a policy in bfloat16, without masters",
    claim="torch.AdamW",
)
class TwentiethBTorchAllInBfloat(Base):
    """Weights, gradients and moments are bfloat16, and nothing wider is kept beside them."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        names = ("exp_avg", "exp_avg_sq")
        weight = p.to(torch.bfloat16)
        narrow = {"step": state["step"], **{name: state[name].to(torch.bfloat16) for name in names}}
        super().update(group, narrow, weight, g.to(torch.bfloat16))
        p.copy_(weight)
        state["step"] = narrow["step"]
        for name in names:
            state[name].copy_(narrow[name])


@wrong(
    "clock",
    "CLK.1",
    like="mlfoundations/open_lm#102: the global step is read out of one parameter's state, or not there",
    claim="torch.AdamW",
)
class TwentiethBTorchStepOfFirstState(Base):
    """The step is read out of the state's first entry, for all parameters: the count of that one."""

    def clock(self, state: State) -> int:
        first = next(iter(self.state.values()))
        return int(first.get("step", 0)) or 1
