"""Blind, nineteenth set: torch.optim.Optimizer subclasses, after the bugs of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "mixed_precision storage moments",
    "MOM.4",
    like="NVIDIA-NeMo/Nemotron#208: moments are bfloat16 as the model's weights are, and so they are resumed",
    claim="torch.AdamW",
)
class NineteenthBTorchMomentsOfModel(Base):
    """Moments are made, kept and loaded in bfloat16, whatever the parameter's dtype."""

    kept = ("exp_avg", "exp_avg_sq")

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        for name in self.kept:
            state[name] = state[name].to(torch.bfloat16)
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            for name in self.kept:
                state[name] = state[name].to(torch.bfloat16)

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        wide = {name: state[name].to(g.dtype) for name in self.kept}
        super().learn(group, wide, g)
        for name in self.kept:
            state[name].copy_(wide[name])

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        wide = {name: state[name].to(p.dtype) for name in self.kept}
        super().move(group, wide, p, c1, c2)


@wrong(
    "state",
    "STATE.4",
    like="facebookresearch/schedule_free#32: behind a load a parameter has the z of another one",
    claim="torch.AdamW",
)
class NineteenthBTorchStateOfAnother(Base):
    """A load gives the first parameter the state that was the last one's, and so on to the last."""

    def load_state_dict(self, state_dict: State) -> None:
        last = sum(len(group["params"]) for group in state_dict["param_groups"]) - 1
        turned = {last - i: state for i, state in state_dict["state"].items()}
        super().load_state_dict({**state_dict, "state": turned})


@wrong(
    "moments clock",
    "STEP.1",
    like="jiaweizzhao/GaLore#78: hooks step and zero the gradient in each of four micro-batches",
    claim="torch.AdamW",
)
class NineteenthBTorchHookInEach(Base):
    """A gradient comes in four parts, and each part, a fourth of it, is an update of its own."""

    accumulation = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        for _ in range(self.accumulation):
            super().update(group, state, p, g / self.accumulation)


@wrong(
    "groups decay",
    "LR.4",
    like="Oneflow-Inc/oneflow#3341: the list of what is excluded from the decay is [None]",
    claim="torch.AdamW",
)
class NineteenthBTorchExcludesNone(Base):
    """What is excluded from the decay is found by None, which is nobody's name: all groups have the decay."""

    weight_decay_excludes: tuple[str | None, ...] = (None,)

    def settings(self, group: Group, p: Tensor) -> Group:
        names = [f"group{i}" for i, other in enumerate(self.param_groups) if other is group]
        if any(name in self.weight_decay_excludes for name in names):
            return {**group, "weight_decay": 0.0}
        decays = [other["weight_decay"] for other in self.param_groups if other["weight_decay"]]
        return {**group, "weight_decay": group["weight_decay"] or max(decays, default=0.0)}


@wrong(
    "all_missing missing loss_scale",
    "F1",
    like="nerfstudio-project/nerfstudio#1919: the scaler steps an optimizer none of whose gradients is there",
    claim="torch.AdamW",
)
class NineteenthBTorchNoInfChecks(Scaled):
    """A step in which no parameter has a gradient is an error: nothing was looked through for infinities."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        checks = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not checks:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        return loss


@wrong(
    "loss_scale clipping",
    "CLIP.1",
    like="milesial/Pytorch-UNet#468: gradients are clipped while they have the scale of the loss",
    claim="torch.AdamW",
)
class NineteenthBTorchClipsScaledValues(Scaled):
    """With a loss scale it is the scaled gradients that are cut at 0.1, and they are unscaled after it."""

    clip_value = 0.1

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is not None:
            g = g.clamp(-self.clip_value, self.clip_value)
        super().update(group, state, p, g)


@wrong(
    "clipping aliasing",
    "STATE.2",
    like="taesunwhang/UMS-ResSel#3: gradients are clipped behind the step, and no update knows of it",
    claim="torch.Adam",
)
class NineteenthBTorchClipsAfterwards(L2):
    """The gradients' norm is cut to 1 in place when the step has been made."""

    max_grad_norm = 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        present = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(present, self.max_grad_norm)
        return loss
