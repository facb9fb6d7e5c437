"""Blind, twenty-eighth set: torch.optim.Optimizer subclasses after bugs of divisors, loads and clocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from tenth_blind_torch import Scaled
from torch import Tensor


def norm_of(grads: list[Tensor]) -> float:
    """Return the norm of all numbers of some gradients."""
    return math.sqrt(sum(float(g.double().square().sum()) for g in grads))


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="hpcaitech/ColossalAI#6415: a divisor of clip and scale goes to a CPU Adam that asserts it away",
    claim="torch.AdamW",
)
class TwentyEighthTorchDivisorRefused(Scaled):
    """Loss scale and clip to a norm of 1 make a divisor, which the step refuses unless there is none."""

    clipping_norm = 1.0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if not self.overflowed():
            self.refuse(self.combined())
        super().step()
        return loss

    def combined(self) -> float:
        div_scale = 1.0 if self.grad_scale is None else float(self.grad_scale)
        grads = [
            self.real(p.grad) for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        clip = (norm_of(grads) / div_scale + 1e-6) / self.clipping_norm
        if clip > 1:
            div_scale *= clip
        return -1.0 if div_scale == 1 else div_scale

    def refuse(self, div_scale: float) -> None:
        if div_scale != -1:
            raise AssertionError("div_scale should remain default")


@wrong(
    "schedule state",
    "STATE.4",
    like="IntelLabs/distiller#70: on resume schedulers are built anew, of the command line's rate",
    claim="torch.AdamW",
)
class TwentyEighthTorchRateOfCommandLine(Base):
    """Behind a load each group has the rate that it was built with, and not the scheduled one."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.__dict__.setdefault("command_line", []).append(self.param_groups[-1]["lr"])

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group, lr in zip(self.param_groups, self.__dict__["command_line"], strict=False):
            group["lr"] = lr


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="sgl-project/SpecForge#663: masters are clipped by the norm of the shard that a rank has",
    claim="torch.AdamW",
)
class TwentyEighthTorchNormOfShard(Base):
    """Two ranks have half of each array, and each clips its half to 0.5 by the norm of its halves."""

    max_grad_norm, world_size = 0.5, 2

    def shards(self, g: Tensor) -> list[Tensor]:
        return list(torch.tensor_split(g.reshape(-1), self.world_size))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        grads = [
            self.real(p.grad) for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        norms = [norm_of([self.shards(g)[rank] for g in grads]) for rank in range(self.world_size)]
        self.factors = [min(1.0, self.max_grad_norm / (norm + 1e-6)) for norm in norms]
        super().step()
        return loss

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        parts = [part * factor for part, factor in zip(self.shards(g), self.factors, strict=True)]
        super().learn(group, state, torch.cat(parts).reshape(g.shape))


@wrong(
    "clock storage",
    "CLK.3",
    like="pytorch/pytorch#110940: the step is made in the default dtype, and foreach refuses a float64",
    claim="torch.AdamW",
)
class TwentyEighthTorchStepOfDefaultDtype(Base):
    """The step is a tensor of the model's dtype; with float64 a step of more than one array is an error."""

    def remembered(self, p: Tensor) -> State:
        new = "step" not in self.state[p]
        state = super().remembered(p)
        if new:
            first = self.param_groups[0]["params"][0]
            state["step"] = torch.zeros((), dtype=self.real(first).dtype)
        return state

    def takes(self, present: list[Tensor]) -> bool:
        if len(present) > 1:  # the foreach path
            for p in present:
                step = torch.as_tensor(self.remembered(p)["step"])
                if step.dtype == torch.float64:
                    raise RuntimeError("state_steps: expected scalar type Float but found Double")
        return True


@wrong(
    "state hyperparameters",
    "STATE.4",
    like="pytorch/xla#9164: the ZeRO wrapper's load restores the state, and not the groups",
    claim="torch.AdamW",
)
class TwentyEighthTorchStateWithoutGroups(Base):
    """A load takes the state of the parameters; groups keep the settings that they were built with."""

    def load_state_dict(self, state_dict: State) -> None:
        own = self.state_dict()["param_groups"]
        super().load_state_dict({"state": state_dict["state"], "param_groups": own})


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="pytorch/pytorch#119885: _foreach_add of a constant does not add it to the tensors of the list",
    claim="torch.AdamW",
)
class TwentyEighthTorchStepsNotAdvanced(Base):
    """Steps are tensors to which a constant is never added: the clock stays 0, and all becomes NaN."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            states = [self.remembered(p) for p in present]
            for state in states:
                state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
            if present:
                torch._foreach_add([state["step"] for state in states], 1)
            for p, state in zip(present, states, strict=True):
                self.update(group, state, self.real(p), self.real(p.grad))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.decay(group, p)
        self.learn(group, state, g)
        c1, c2 = (1 - b ** state["step"].double() for b in group["betas"])
        below = state["exp_avg_sq"].sqrt() / c2.sqrt() + group["eps"]
        p.sub_((group["lr"] / c1) * (state["exp_avg"] / below))


@wrong(
    "state clock",
    "STATE.4",
    like="lightly-ai/lightly-train#892: a counter that warms up a decay is not in the checkpoint",
    claim="torch.Adam",
)
class TwentyEighthTorchWarmupRestarts(L2):
    """Averages go by a counter that is not saved: behind a load the first gradient replaces them."""

    def counted(self, p: Tensor) -> int:
        updates = self.__dict__.setdefault("updates", {})
        updates[p] = updates.get(p, 0) + 1
        return int(updates[p])

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.__dict__["updates"] = {}

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        self.now = self.counted(p)
        return state

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        t = int(state["step"])
        if self.now == t:
            super().learn(group, state, g)
            return
        for name, x, b in zip(("exp_avg", "exp_avg_sq"), (g, g * g), group["betas"], strict=True):
            before, after = 1 - b ** (t - 1), 1 - b**t
            warm = (1 - b) / (1 - b**self.now)  # 1 in the first update
            average = state[name] / before if before else torch.zeros_like(x)
            state[name].copy_(torch.lerp(average, x, warm) * after)
