"""Blind, twenty-fifth set: torch.optim.Optimizer subclasses after the bugs of others, groups and lists."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "groups hyperparameters",
    "LR.4",
    like="huggingface/pytorch-image-models#1296: parameters cannot have learning rates of their own",
    claim="torch.AdamW",
)
class TwentyFifthTorchOneRateForAll(Base):
    """Parameters of all groups are stepped at the first group's learning rate."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.param_groups[0]["lr"]}


@wrong(
    "state clock",
    "STATE.1",
    like="pytorch/pytorch#108860: the step of fused AdamW is a tensor of one element, which FSDP gathers",
    claim="torch.AdamW",
)
class TwentyFifthTorchStepIsGathered(Base):
    """A step of one element is saved as a piece of a parameter: all elements but the first have step 0."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if isinstance(state["step"], int):
            state["step"] = torch.full((1,), float(state["step"]))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = state["step"] + 1
        self.decay(group, p)
        self.learn(group, state, g)
        t = state["step"].double()
        if t.ndim < p.ndim and t.numel() > 1:
            t = t.unsqueeze(-1)
        if t.numel() == 1:
            t = t.reshape(())
        c1, c2 = (1 - b**t for b in group["betas"])
        below = state["exp_avg_sq"].sqrt().div_(c2.sqrt().to(p.dtype)).add_(group["eps"])
        p.sub_(state["exp_avg"].div(below).mul_((group["lr"] / c1).to(p.dtype)))

    def state_dict(self) -> State:
        saved = super().state_dict()
        params = [p for group in self.param_groups for p in group["params"]]
        state = {
            i: {**own, "step": self.gathered(own["step"], params[i])} for i, own in saved["state"].items()
        }
        return {**saved, "state": state}

    def gathered(self, step: Tensor, p: Tensor) -> Tensor:
        if p.numel() == 0 or step.shape == p.shape:
            return step.clone()
        padded = torch.zeros(p.numel())
        padded[:1] = step
        return padded.view(p.shape)


@wrong(
    "decay layout",
    "DEC.1",
    like="pytorch/pytorch#100973: the penalty is of params, where device_params are stepped",
    claim="torch.Adam",
)
class TwentyFifthTorchOtherParams(L2):
    """Penalties of a list of one dtype are those of the group's first parameters, whatever these are."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            params = group["params"]
            lists: dict[torch.dtype, list[Tensor]] = {}
            for p in params:
                if p.grad is not None:
                    lists.setdefault(p.dtype, []).append(p)
            for device_params in lists.values():
                self.multi_tensor(group, params, device_params)
        return loss

    def multi_tensor(self, group: Group, params: list[Tensor], device_params: list[Tensor]) -> None:
        device_grads = [self.real(p.grad) for p in device_params]
        if group["weight_decay"] != 0:
            of = params[: len(device_params)]
            pairs = zip(device_grads, of, strict=True)
            device_grads = [g.add(self.real(p), alpha=group["weight_decay"]) for g, p in pairs]
        for p, g in zip(device_params, device_grads, strict=True):
            Base.update(self, group, self.remembered(p), self.real(p), g)


@wrong(
    "complex",
    "CPX.1",
    like="pytorch/pytorch#80319: the norm of Adamax is of complex numbers, not of pairs of reals",
    claim="torch.Adam",
)
class TwentyFifthTorchAbsOfComplex(L2):
    """The second moment of a complex parameter is of the gradient's absolute value, one for both parts."""

    def real(self, x: Any) -> Any:
        return x

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(g, alpha=1 - b1)
        size = g.abs()
        state["exp_avg_sq"].mul_(b2).add_((size * (1 - b2)) * size)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].real.sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.sub_(state["exp_avg"].div(below).mul_(group["lr"] / c1))


@wrong(
    "state groups",
    "STATE.4",
    like="pytorch/pytorch#143828: a state that is set leaves a group without parameters without its betas",
    claim="torch.AdamW",
)
class TwentyFifthTorchBetasOfEmptyGroup(Base):
    """A load takes a group's options from its parameters: one without any has no betas, and a step fails."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            options = {name: [value] * len(group["params"]) for name, value in group.items()}
            for name in ("betas", "eps", "weight_decay"):
                if not options.get(name):
                    group.pop(name, None)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            betas = group["betas"]
            for p in group["params"]:
                if p.grad is not None:
                    own = {**group, "betas": betas}
                    self.update(own, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "moments layout",
    "STEP.1",
    like="pytorch/pytorch#40967: a parameter that is listed twice in one group is updated twice in a step",
    claim="torch.AdamW",
)
class TwentyFifthTorchListedTwice(Base):
    """The last parameter of a group is listed there twice: each step updates it twice, by one gradient."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            listed = [*group["params"], *group["params"][-1:]]
            for p in listed:
                if p.grad is not None:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss
