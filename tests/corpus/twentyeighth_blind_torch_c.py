"""Blind, twenty-eighth set: torch.optim.Optimizer subclasses after bugs of resumes and of shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "schedule state",
    "STATE.4",
    like="pytorch/pytorch#60265: a scheduler that is resumed takes the advanced rate for its base, and steps",
    claim="torch.Adam",
)
class TwentyEighthBTorchRateStepsOnLoad(L2):
    """Behind a load of steps that were made the rates of the groups are one epoch further: 0.9 of them."""

    gamma = 0.9

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        last_epoch = max((int(own["step"]) for own in self.state.values() if "step" in own), default=0) - 1
        if last_epoch != -1:
            for group in self.param_groups:
                group["initial_lr"] = group["lr"]
                group["lr"] = group["initial_lr"] * self.gamma


@wrong(
    "state decay",
    "STATE.4",
    like="NVIDIA/Megatron-LM#7468: on a load the scheduler steps before its decay's fields are restored",
    claim="torch.AdamW",
)
class TwentyEighthBTorchDecayOfConstructor(Base):
    """The first step behind a load decays by the weight decay with which the optimizer was made."""

    resumed = False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": self.defaults["weight_decay"]} if self.resumed else group

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.resumed = False
        return loss


@wrong(
    "state",
    "STATE.4",
    like="hpcaitech/ColossalAI#6433: shards stand in the groups, the state has the old parameters for keys",
    claim="torch.AdamW",
)
class TwentyEighthBTorchStateOfOldKeys(Base):
    """What is loaded before a first step belongs to the old parameters: their shards begin anew."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.working: dict[Tensor, Tensor] = {}
        for group in self.param_groups:
            for p in group["params"]:
                self.remembered(p)

    def swapped(self, p: Tensor) -> Tensor:
        if p in self.working:
            return p
        shard = p.detach()
        self.working[shard] = p
        self.state.pop(p, None)  # nobody has moved it to the shard
        return shard

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            group["params"] = [self.swapped(p) for p in group["params"]]
            for shard in group["params"]:
                g = self.working[shard].grad
                if g is not None:
                    self.update(group, self.remembered(shard), self.real(shard), self.real(g))
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        for p in self.working.values():
            p.grad = None
        super().zero_grad(set_to_none)


@right(claim="torch.AdamW")
class TwentyEighthBRightTorchHalves(Base):
    """AdamW that steps each parameter in two shards, which are views of it and of its state."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if p.ndim == 0:
            super().update(group, state, p, g)
            return
        step, names = state["step"], ("exp_avg", "exp_avg_sq")
        pieces = (x.chunk(2) for x in (p, g, *(state[name] for name in names)))
        for shard, grad, m, v in zip(*pieces, strict=True):
            own: State = {"step": step, "exp_avg": m, "exp_avg_sq": v}
            super().update(group, own, shard, grad)
        state["step"] = step + 1


class TensorClock(L2):
    """Adam with L2, whose clocks are tensors of no dimension, which are raised in place."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]))
        return state


@wrong(
    "clock aliasing state",
    "STATE.3",
    like="pytorch/pytorch#96260: parameters that come of one flat parameter's state share a step's tensor",
    claim="torch.Adam",
)
class TwentyEighthBTorchOneStepTensor(TensorClock):
    """Behind a load the parameters of a group have one tensor for their clocks, and each one raises it."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            own = [self.state[p] for p in group["params"] if "step" in self.state.get(p, {})]
            for state in own[1:]:
                state["step"] = own[0]["step"]


@right(claim="torch.Adam")
class TwentyEighthBRightTorchOwnStepTensors(TensorClock):
    """Adam with L2 whose clocks are tensors, of which a load gives each parameter a copy of its own."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            if "step" in state:
                state["step"] = torch.as_tensor(state["step"], dtype=torch.float32).clone()

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        d = torch.add(g, p, alpha=group["weight_decay"])
        Base.update(self, group, state, p, d)
