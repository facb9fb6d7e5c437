"""Blind, twenty-fourth set: torch.optim.Optimizer subclasses after bugs of groups and scales, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "complex",
    "CPX.1",
    like="pytorch/pytorch#80279: the second moment of a complex parameter is of g times g, and complex",
    claim="torch.Adam",
)
class TwentyFourthTorchComplexSquare(L2):
    """A complex parameter is stepped as it is: its second moment, root and denominator are complex."""

    def real(self, x: Any) -> Tensor:
        whole: Tensor = x
        return whole


@wrong(
    "groups state",
    "LR.4",
    like="tensorflow/tensorflow#9522: for a second optimizer everything is initialized once more",
    claim="torch.Adam",
)
class TwentyFourthTorchInitializedAgain(L2):
    """When parameters are added the others go back to what they began with, and their state is gone."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        begun = self.__dict__.setdefault("begun", {})
        for p in self.param_groups[-1]["params"]:
            begun[p] = p.detach().clone()
        self.state.clear()
        with torch.no_grad():
            for p, value in begun.items():
                p.copy_(value)


@wrong(
    "state groups",
    "STATE.4",
    like="facebookresearch/fairscale#601: with several groups no state is restored, each resume is a start",
    claim="torch.AdamW",
)
class TwentyFourthTorchSeveralGroupsLost(Base):
    """With more than one parameter group a load leaves the state empty; with one it is restored."""

    def load_state_dict(self, state_dict: State) -> None:
        several = len(self.param_groups) > 1
        super().load_state_dict({**state_dict, "state": {}} if several else state_dict)


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="milesial/Pytorch-UNet#470: the norm is clipped while gradients have their loss scale",
    claim="torch.AdamW",
)
class TwentyFourthTorchClipsScaled(Scaled):
    """With a loss scale gradients are clipped to a norm of 1 as they are, and unscaled behind that."""

    gradient_clipping = 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.coefficient = 1.0
        if self.grad_scale is not None:
            grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
            norms = [torch.linalg.vector_norm(self.real(g).double()) for g in grads]
            total = float(torch.stack(norms).norm()) if norms else 0.0
            if total > self.gradient_clipping:
                self.coefficient = self.gradient_clipping / total
        return super().step(closure)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g if self.coefficient == 1.0 else g * self.coefficient)


@wrong(
    "hyperparameters",
    "LR.3",
    like="axolotl-ai-cloud/axolotl#268: betas and epsilon have other names in the config, and go nowhere",
    claim="torch.AdamW",
)
class TwentyFourthTorchNamedOtherwise(Base):
    """The betas and the epsilon that are given go nowhere: they are 0.9, 0.999 and 1e-8 always."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "betas": (0.9, 0.999), "eps": 1e-8}


@right(claim="torch.AdamW")
class TwentyFourthRightTorchFlattened(Base):
    """AdamW on one row for all parameters of a group that have a dtype and a clock, cut apart behind it."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[tuple[torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    alike.setdefault((p.dtype, int(state["step"])), []).append(p)
            for (_, t), params in alike.items():
                self.row(group, params, t)
        return loss

    def row(self, group: Group, params: list[Tensor], t: int) -> None:
        states = [self.state[p] for p in params]
        views = [self.real(p) for p in params]
        parts = [views, [self.real(p.grad) for p in params]]
        parts += [[state[name] for state in states] for name in ("exp_avg", "exp_avg_sq")]
        p, g, m, v = (torch.cat([a.reshape(-1) for a in part]) for part in parts)
        (b1, b2), lr = group["betas"], float(group["lr"])
        m = m * b1 + g * (1 - b1)
        v = v * b2 + (g * (1 - b2)) * g
        below = v.sqrt() / math.sqrt(1 - b2**t) + group["eps"]
        p = p - (lr * group["weight_decay"]) * p - (lr / (1 - b1**t)) * (m / below)
        begin = 0
        for view, state in zip(views, states, strict=True):
            end = begin + view.numel()
            for old, new in ((view, p), (state["exp_avg"], m), (state["exp_avg_sq"], v)):
                old.copy_(new[begin:end].reshape(old.shape))
            begin = end


@right(claim="torch.Adam")
class TwentyFourthRightTorchScalarTensors(L2):
    """Adam whose clock is a tensor, and whose coefficients are tensors of float64 without dimensions."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(state["step"], dtype=torch.int64)
        return state

    def clock(self, state: State) -> int:
        return int(state["step"].item())

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        betas = torch.tensor(group["betas"], dtype=torch.float64)
        rest = 1 - betas
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.mul_(betas[0]).add_(g * rest[0])
        v.mul_(betas[1]).add_((g * rest[1]) * g)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = torch.tensor(c2, dtype=torch.float64).sqrt()
        size = torch.as_tensor(group["lr"], dtype=torch.float64) / c1
        p.sub_((state["exp_avg"] / (state["exp_avg_sq"].sqrt() / root + group["eps"])) * size)


@right(claim="fairseq.Adam")
class TwentyFourthRightTorchCopied(Base):
    """fairseq's Adam on a copy of the parameter, which takes the decay and the step and is copied back."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2 = group["betas"]
        data = p.clone()
        self.learn(group, state, g)
        denominator = torch.sqrt(state["exp_avg_sq"]).add_(group["eps"])
        t = self.clock(state)
        step_size = group["lr"] * math.sqrt(1 - b2**t) / (1 - b1**t)
        if group["weight_decay"] != 0:
            data.add_(data, alpha=-group["weight_decay"] * group["lr"])
        data.addcdiv_(state["exp_avg"], denominator, value=-step_size)
        p.copy_(data)
