"""Blind, thirteenth set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from ninth_blind_torch import Scaled
from register import right, wrong
from torch import Tensor


@wrong(
    "loss_scale",
    "SCALE.2",
    like="csarofeen/pytorch#17: each device's found_inf is handed to the kernels of its own parameters alone",
    claim="torch.Adam",
)
class ThirteenthTorchEachOverflowAlone(Scaled):
    """Where the flag is up, only a parameter whose own gradient has overflowed is left out."""

    def takes(self, present: list[Tensor]) -> bool:
        return True

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not self.flagged() or bool(torch.isfinite(g).all()):
            super().update(group, state, p, g)


@wrong(
    "closure",
    "STEP.2",
    like="PrimeIntellect-ai/prime-rl#3109: step(closure) hands the closure on to the step of every chunk",
    claim="torch.AdamW",
)
class ThirteenthTorchClosurePerGroup(Base):
    """Each group is a step of its own, which calls the closure again."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        groups, loss = self.param_groups, None
        for group in groups:
            self.param_groups = [group]
            loss = super().step(closure)
        self.param_groups = groups
        return loss


@wrong(
    "groups",
    "LR.4",
    like="pytorch/pytorch#141884: what a group's options leave out has the class's default, not that given",
    claim="torch.Adam",
)
class ThirteenthTorchDefaultsOfClass(L2):
    """What a group does not name has the default of the class, whatever the constructor was given."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        options = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
        groups: list[Any] = [{**options, **group} if isinstance(group, dict) else group for group in params]
        super().__init__(groups, *args, **kwargs)


@wrong(
    "groups",
    "LR.4",
    like="Oneflow-Inc/oneflow#8698: add_param_group makes no state, and the next step is a KeyError",
    claim="torch.AdamW",
)
class ThirteenthTorchGroupWithoutState(Base):
    """The states are made with the optimizer, and to step a group that is added later is a KeyError."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        for group in self.param_groups:
            for p in group["params"]:
                super().remembered(p)

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        return state


@wrong(
    "state",
    "STATE.4",
    like="facebookresearch/fairscale#380: the order in which states came in may not match that of the groups",
    claim="deepspeed.CPUAdam",
)
class ThirteenthTorchOrderOfArrival(Base):
    """States are saved in the order in which they were made, and numbered as the parameters are."""

    def state_dict(self) -> State:
        saved: State = super().state_dict()
        return {**saved, "state": dict(enumerate(saved["state"].values()))}


@wrong(
    "schedule state",
    "LR.1",
    like="NVIDIA/apex#766: a load makes param_groups anew for one of two optimizers, and not the other",
    claim="flashoptim.FlashAdamW",
)
class ThirteenthTorchGroupsOfOld(Base):
    """Behind a load, steps have the settings of the groups that were there before it."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.inner_groups = self.param_groups

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        shown, self.param_groups = self.param_groups, self.inner_groups
        try:
            return super().step(closure)
        finally:
            self.param_groups = shown


@wrong(
    "state",
    "STATE.4",
    like="HorizonRobotics/alf#1607: with rng_state in it, len(state) is 1, and the moments are not made",
    claim="torch.Adam",
)
class ThirteenthTorchStateNotEmpty(L2):
    """To load marks the state of each parameter; one that had none is then a KeyError in its first step."""

    def remembered(self, p: Tensor) -> State:
        return super().remembered(p) if len(self.state[p]) == 0 else self.state[p]

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["rng_state"] = None


@right(claim="torch.Adam")
class ThirteenthRightTorchGradientUnscaled(Scaled):
    """Adam that leaves the gradient without its loss scale where it found it, as PyTorch's fused one does."""

    def takes(self, present: list[Tensor]) -> bool:
        if self.flagged():
            return False
        for p in present if self.grad_scale is not None else ():
            p.grad = self.left(p.grad)
        return True

    def left(self, gradient: Any) -> Tensor:
        unscaled = super().unscaled(self.real(gradient))
        whole = torch.view_as_complex(unscaled) if gradient.is_complex() else unscaled
        return gradient.copy_(whole) if gradient.is_contiguous() else whole

    def unscaled(self, g: Tensor) -> Tensor:
        return g


@right(claim="torch.AdamW")
class ThirteenthRightTorchOneForEach(torch.optim.Optimizer):
    """AdamW that makes one of PyTorch's own for each parameter and step, which works on its states."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            settings = {name: group[name] for name in ("lr", "betas", "eps", "weight_decay")}
            for p in group["params"]:
                if p.grad is not None:
                    inner = torch.optim.AdamW([p], **settings)
                    inner.state = self.state
                    inner.step()
        return loss
