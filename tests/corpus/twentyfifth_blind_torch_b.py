"""Blind, twenty-fifth set: torch.optim.Optimizer subclasses after bugs in groups, stores and loads."""

from __future__ import annotations

from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "groups decay",
    "LR.4",
    like="huggingface/peft#1915: LoRA+ gives its groups a decay each, and passes one as the default as well",
    claim="torch.AdamW",
)
class TwentyFifthBTorchDefaultDecayToo(Base):
    """A group whose decay is 0 decays by the optimizer's default, which is meant for others."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": group["weight_decay"] or self.defaults["weight_decay"]}


@wrong(
    "groups",
    "LR.4",
    like="kohya-ss/sd-scripts#890: the text encoder hardly changes where the U-Net is trained as well",
    claim="torch.AdamW",
)
class TwentyFifthBTorchTextEncoderRests(Base):
    """Gradients of all groups but the first do not come through, and are zeros: decay alone moves these."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "detached": group is not self.param_groups[0]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, torch.zeros_like(g) if group["detached"] else g)


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="NVIDIA-NeMo/Automodel#3444: steps of 6e-6 on bf16 parameters round back to what was there",
    claim="torch.AdamW",
)
class TwentyFifthBTorchDirectOnBfloat(Base):
    """Parameters and moments are those of a bfloat16 model: what a step makes of them is rounded to it."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g)
        for x in (p, state["exp_avg"], state["exp_avg_sq"]):
            x.copy_(x.to(torch.bfloat16))


@wrong(
    "moments layout",
    "MOM.1",
    like="goodfire-ai/spd#546: gradients are scaled for a later average, by a wrong factor in one pool",
    claim="torch.Adam",
)
class TwentyFifthBTorchFactorOfPool(L2):
    """The later half of the parameters is a pool whose gradients are multiplied by 16, and stay so."""

    pool_size = 16

    def settings(self, group: Group, p: Tensor) -> Group:
        params = [q for each in self.param_groups for q in each["params"]]
        place = [q is p for q in params].index(True)
        return {**group, "factor": self.pool_size if place >= len(params) // 2 else 1}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        averaged = g * group["factor"]
        super().update(group, state, p, averaged)


@wrong(
    "state schedule",
    "STATE.4",
    like="pytorch/pytorch#129683: what is no tensor, as lr, is not loaded from a distributed checkpoint",
    claim="torch.AdamW",
)
class TwentyFifthBTorchTensorsAreLoaded(Base):
    """A load takes over tensors alone: rates and the like stay those of the optimizer that loads."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]))
        return state

    def load_state_dict(self, state_dict: State) -> None:
        fresh = [
            {name: x for name, x in group.items() if name != "params" and not torch.is_tensor(x)}
            for group in self.param_groups
        ]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, fresh, strict=True):
            group.update(own)


@wrong(
    "groups layout",
    "LR.4",
    like="kozistr/pytorch_optimizer#465: a state is looked up by a key that lacks the group's index",
    claim="torch.AdamW",
)
class TwentyFifthBTorchKeyWithoutGroup(Base):
    """A state's key is the place within a group: the n-th parameters of all groups have one and the same."""

    def key(self, p: Tensor) -> int:
        places = [i for group in self.param_groups for i, q in enumerate(group["params"]) if q is p]
        return places[0]

    def remembered(self, p: Tensor) -> Any:
        i = self.key(p)
        entry = next(group["params"][i] for group in self.param_groups if i < len(group["params"]))
        return super().remembered(entry)
