"""Blind, twenty-second set: torch.optim.Optimizer subclasses after bugs in rates, scales, groups, saves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import wrong
from tenth_blind_torch import Hat, Scaled
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="meta-pytorch/torchtune#2254: with bf16 parameters and a low rate updates are rounded away",
    claim="torch.AdamW",
)
class TwentySecondBTorchParametersInBfloat(Base):
    """A parameter is rounded to bfloat16 behind each update, to the nearest: a small update is lost."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g)
        p.copy_(p.to(torch.bfloat16))


@wrong(
    "schedule",
    "LR.3",
    like="devilismyfriend/StableTuner#60: steps that are plain already are divided by the accumulation",
    claim="torch.AdamW",
)
class TwentySecondBTorchTotalTooLarge(Base):
    """The schedule is four times too long: the rate that is set for a step comes at four times its number."""

    accumulation_steps = 4

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            group.setdefault("rates", []).append(float(group["lr"]))
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        rates = group["rates"]
        return {**group, "lr": rates[(len(rates) - 1) // self.accumulation_steps]}


@wrong(
    "loss_scale",
    "SCALE.1",
    like="hirofumi0810/neural_sp#136: in mixed precision the loss scale does not match the accumulation",
    claim="torch.AdamW",
)
class TwentySecondBTorchUnscaledEachPass(Scaled):
    """Two passes bring half a gradient each, and behind each the sum is divided by the loss scale."""

    accum_grad_n_steps = 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is not None:
            accumulated = torch.zeros_like(g)
            for _ in range(self.accum_grad_n_steps):
                accumulated.add_(g / self.accum_grad_n_steps)
                accumulated.div_(self.grad_scale)
            g = accumulated
        Base.update(self, group, state, p, g)


@wrong(
    "state",
    "STATE.4",
    like="facebookresearch/fairseq#755: a run with the FP16 optimizer cannot be resumed from its checkpoint",
    claim="fairseq.Adam",
)
class TwentySecondBTorchFlatMaster(Hat):
    """A state is saved as that of one flat fp32 parameter, which a load of several refuses."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        states = list(saved["state"].values())
        if states:
            flat = {name: torch.cat([own[name].reshape(-1) for own in states]) for name in MOMENTS}
            saved["state"] = {0: {"step": states[0]["step"], **flat}}
        saved["param_groups"] = [{**saved["param_groups"][0], "params": [0]}]
        return saved

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        for name in MOMENTS:
            state[name] = state[name].view_as(self.real(p))
        return state


@wrong(
    "groups schedule",
    "LR.4",
    like="OpenRLHF/OpenRLHF#1253: an empty group is stripped when the scheduler has base rates for two",
    claim="torch.AdamW",
)
class TwentySecondBTorchEmptyGroupStripped(Base):
    """The first step drops groups without elements, and the n-th that is left has the n-th rate of before."""

    stripped = False

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if not self.stripped:
            self.strip()
        return super().step(closure)

    def strip(self) -> None:
        base_lrs = [group["lr"] for group in self.param_groups]
        filled = [group for group in self.param_groups if any(p.numel() for p in group["params"])]
        self.param_groups[:] = filled
        for group, lr in zip(self.param_groups, base_lrs, strict=False):
            group["lr"] = lr
        self.stripped = True


@wrong(
    "groups decay",
    "LR.4",
    like="deepspeedai/DeepSpeedExamples#755: of the norms only a literal LayerNorm.weight does not decay",
    claim="torch.AdamW",
)
class TwentySecondBTorchNormsDecay(Base):
    """Vectors of a group without weight decay, norms by another name, decay as the decaying group does."""

    def settings(self, group: Group, p: Tensor) -> Group:
        if group["weight_decay"] or p.ndim != 1:
            return group
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@wrong(
    "state sharding",
    "STATE.4",
    like="pytorch/pytorch#84654: behind a load ranks gather exp_avg of one and exp_avg_sq of another",
    claim="torch.AdamW",
)
class TwentySecondBTorchKeysInOtherOrder(Base):
    """Behind a load the second half of each array, another rank's, is saved under the other moment's name."""

    loaded = False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.loaded = True

    def state_dict(self) -> Any:
        saved = super().state_dict()
        if self.loaded:
            saved["state"] = {index: self.gathered(own) for index, own in saved["state"].items()}
        return saved

    def gathered(self, own: State) -> State:
        orders = MOMENTS, MOMENTS[::-1]  # what the two ranks' states list, beside the step
        halves = [[own[name].reshape(-1).chunk(2)[rank:][:1] for name in orders[rank]] for rank in (0, 1)]
        whole = {
            name: torch.cat([*halves[0][k], *halves[1][k]]).view_as(own[name])
            for k, name in enumerate(MOMENTS)
        }
        return {**own, **whole}
