"""Blind, thirty-eighth set, second half: torch.optim.Optimizer subclasses after bugs of saves and loads."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state missing",
    "STATE.4",
    like="verl-project/verl#7283: what never had a gradient is rebuilt with an empty dict for its state",
    claim="torch.AdamW",
)
class ThirtyEighthBTorchEmptyRebuilt(Base):
    """A load gives parameters without a state an empty one, and their first gradient after it is an error."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                self.state.setdefault(p, {})

    def remembered(self, p: Tensor) -> State:
        return self.state[p] if p in self.state else super().remembered(p)


@wrong(
    "state storage",
    "MOM.4",
    like="pytorch/ao#3314: a load casts all that floats in an 8-bit state to the parameter's dtype",
    claim="torch.AdamW",
)
class ThirtyEighthBTorchScaleCast(Base):
    """A moment has a scale in float32; a load casts it to the parameter's dtype, which a step refuses."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if "scale" not in state:
            state["scale"] = torch.zeros((), dtype=torch.float32)
        return state

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        scale = state["scale"]
        if scale.dtype != torch.float32:
            raise RuntimeError(f"expected a scale of torch.float32, but it is {scale.dtype}")
        super().learn(group, state, g)
        if g.numel():
            scale.copy_(state["exp_avg"].abs().max())


@wrong(
    "state groups",
    "STATE.4",
    like="technicolor-research/dsve-loc#16: a group that was added in mid-training is not there on a resume",
    claim="torch.Adam",
)
class ThirtyEighthBTorchAddedGroupGone(L2):
    """A load goes to the groups that there were at the start: with one that was added, nothing fits."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.at_start = len(self.param_groups)

    def load_state_dict(self, state_dict: State) -> None:
        del self.param_groups[self.at_start :]
        super().load_state_dict(state_dict)


@wrong(
    "state aliasing",
    "STATE.4",
    like="huggingface/optimum-neuron#694: under ZeRO-1 the first step after a save fails",
    claim="torch.AdamW",
)
class ThirtyEighthBTorchSaveTakesShards(Base):
    """A save takes the moments out of the optimizer, which has none of them in its next step."""

    def state_dict(self) -> State:
        saved = super().state_dict()
        saved["state"] = {key: dict(state) for key, state in saved["state"].items()}
        for state in self.state.values():
            state.update(exp_avg=None, exp_avg_sq=None)
        return saved


@wrong(
    "state",
    "STATE.4",
    like="dotnet/TorchSharp#760: save and load keep the model, and Adam's state is reset",
    claim="torch.Adam",
)
class ThirtyEighthBTorchStateReset(L2):
    """A save has the groups, and no state: behind a load moments and clock begin at 0."""

    def state_dict(self) -> State:
        return {**super().state_dict(), "state": {}}


@right(claim="torch.AdamW")
class ThirtyEighthBRightTorchFilledIn(Base):
    """AdamW in pieces of sixteen numbers, whose loads fill in fresh states for what never had a gradient."""

    piece = 16

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                self.remembered(p)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2 = group["betas"]
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        rows = [x.clone().reshape(-1) for x in (p, g, state["exp_avg"], state["exp_avg_sq"])]
        for x, d, m, v in zip(*(row.split(self.piece) for row in rows), strict=True):
            m += (1 - b1) * (d - m)
            v += (1 - b2) * d * d - (1 - b2) * v
            ratio = m / (v.sqrt() / math.sqrt(c2) + group["eps"])
            x -= group["lr"] * group["weight_decay"] * x + (group["lr"] / c1) * ratio
        for a, row in zip((p, state["exp_avg"], state["exp_avg_sq"]), (rows[0], *rows[2:]), strict=True):
            a.copy_(row.view(a.shape))
