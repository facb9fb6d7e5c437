"""Blind, fourteenth set: torch.optim.Optimizer subclasses, after the bugs of others, and a right one."""

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
    like="huggingface/accelerate#4243: that a step was skipped is detected by a scale which has backed off",
    claim="torch.Adam",
)
class FourteenthTorchScaleBackedOff(Scaled):
    """A step whose loss scale is lower than the one before is skipped as well."""

    last_scale = 0.0
    has_fallen = False

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.has_fallen = False
        if self.grad_scale is not None:
            scale = float(self.grad_scale)
            self.has_fallen = scale < self.last_scale
            self.last_scale = scale
        return super().step(closure)

    def takes(self, present: list[Tensor]) -> bool:
        return super().takes(present) and not self.has_fallen


@wrong(
    "loss_scale clock",
    "SCALE.2",
    like="NVIDIA-NeMo/Speech#3293: for a step that was skipped the counter of the schedule is taken back",
    claim="torch.Adam",
)
class FourteenthTorchClockTakenBack(Scaled):
    """A skipped step takes back the tick of the step before."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if self.flagged():
            for state in self.state.values():
                state["step"] = max(state["step"] - 1, 0)
        return super().step(closure)


@wrong(
    "loss_scale",
    "SCALE.2",
    like="facebookresearch/metaseq#115: at the least loss scale a FloatingPointError is raised",
    claim="torch.Adam",
)
class FourteenthTorchThirdOverflowRaises(Scaled):
    """The third step in a row that should be skipped is a FloatingPointError."""

    skipped = 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.skipped = self.skipped + 1 if self.flagged() else 0
        if self.skipped > 2:
            raise FloatingPointError("Minimum loss scale reached: the loss is probably exploding")
        return super().step(closure)


@wrong(
    "groups",
    "LR.4",
    like="roboflow/rf-detr#1409: parameters are put into one group by their (lr, weight_decay) combination",
    claim="torch.AdamW",
)
class FourteenthTorchGroupsMerged(Base):
    """Groups of one learning rate and weight decay are made one, which has the betas and eps of the first."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        merged: dict[tuple[float, float], Group] = {}
        plain: list[Any] = []
        for group in params:
            if not isinstance(group, dict):
                plain.append(group)
                continue
            key = float(group.get("lr", lr)), float(group.get("weight_decay", weight_decay))
            own = group["params"]
            listed = [own] if isinstance(own, Tensor) else list(own)
            merged.setdefault(key, {**group, "params": []})["params"].extend(listed)
        super().__init__(plain or list(merged.values()), lr, betas, eps, weight_decay)


@wrong(
    "state",
    "STATE.4",
    like="verl-project/verl#299: to offload an optimizer that is not initialized makes entries of its state",
    claim="bitsandbytes.AdamW",
)
class FourteenthTorchEntriesMade(Base):
    """To save makes an empty state for what has none, and then its first step is a KeyError."""

    def remembered(self, p: Tensor) -> State:
        return self.state[p] if p in self.state else super().remembered(p)

    def state_dict(self) -> State:
        for group in self.param_groups:
            for p in group["params"]:
                for name, value in self.state[p].items():
                    if isinstance(value, Tensor):
                        self.state[p][name] = value.to(p.device)
        saved: State = super().state_dict()
        return saved


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#140898: what is saved is silently empty if the gradients have not been cleared",
    claim="torchao.AdamW",
)
class FourteenthTorchSavedWithGradients(Base):
    """A state that is saved while a gradient is there has the groups, and nothing of any parameter."""

    def state_dict(self) -> State:
        saved: State = super().state_dict()
        held = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        return {**saved, "state": {}} if held else saved


@wrong(
    "missing",
    "F5",
    like="luxonis/luxonis-train#432: parameters that are frozen in the beginning end up in no optimizer",
    claim="timm.AdamW",
)
class FourteenthTorchFrozenLeftOut(Base):
    """What does not require a gradient when the optimizer is made is not stepped, should it thaw or not."""

    trained: frozenset[Tensor] = frozenset()

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.trained |= {p for p in param_group["params"] if p.requires_grad}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p in self.trained:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "closure",
    "STEP.2",
    like="pytorch/pytorch#50366: a closure that returns None is to skip the step",
    claim="torch.AdamW",
)
class FourteenthTorchNoLossNoStep(Base):
    """Where the closure returns no loss no step is made, though it has left gradients."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            return super().step()
        with torch.enable_grad():
            loss = closure()
        if loss is not None:
            super().step()
        return loss


@right(claim="torch.Adam")
class FourteenthRightTorchStatesFirst(L2):
    """Adam that makes all states with the optimizer or with a later group, and asks in steps for none."""

    def make(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                super().remembered(p)

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        return state

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.make()

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.make()
