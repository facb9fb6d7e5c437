"""Blind, twenty-sixth set: torch.optim.Optimizer subclasses after the bugs of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "schedule",
    "LR.1",
    like="verl-project/verl#3674: the scheduler is stepped behind the update, the first of which has rate 0",
    claim="torch.AdamW",
)
class TwentySixthTorchFirstRateIsZero(Base):
    """The rate in force is 0 before the first update, and is set behind each: every rate comes one late."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["scheduled_lr"] = float(group["lr"])
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.setdefault("scheduled_lr", 0.0)}


@wrong(
    "state storage mixed_precision",
    "STATE.4",
    like="NVIDIA/Model-Optimizer#2322: on resume no masters are set up, and a run goes on in bfloat16",
    claim="torch.AdamW",
)
class TwentySixthTorchResumedInBfloat16(Base):
    """Behind a load there are no masters: each step rounds the parameters to bfloat16."""

    has_masters = True

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.has_masters = False

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g)
        if not self.has_masters:
            p.copy_(p.bfloat16())


@wrong(
    "amsgrad",
    "AMS.1",
    like="pytorch/pytorch#49864: in AdaBelief's rectified branch amsgrad has no effect",
    claim="torch.Adam",
    options={"amsgrad": "True"},
)
class TwentySixthTorchRectifiedHasNoMaximum(L2):
    """A maximum is kept, and divides only as long as the average is too short to be rectified."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v, b2, t = state["exp_avg_sq"], group["betas"][1], self.clock(state)
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            torch.maximum(top, v, out=top)
            n_sma = 2 / (1 - b2) - 1 - 2 * t * b2**t / c2
            v = v if n_sma >= 5 else top
        denominator = v.sqrt().div_(c2**0.5).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / c1)


@wrong(
    "schedule",
    "LR.1",
    like="automl/Auto-PyTorch#210: the scheduler of epochs is stepped in each batch",
    claim="torch.Adam",
)
class TwentySixthTorchEpochInEachBatch(L2):
    """A rate falls by a twentieth with each step, where it is to fall so with each epoch of many steps."""

    gamma = 0.95

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["epoch"] = group.get("epoch", 0) + 1
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * self.gamma ** group.get("epoch", 0)}


@wrong(
    "groups",
    "LR.4",
    like="deepspeedai/DeepSpeed#8440: two groups are made of the config, those of the caller are flattened",
    claim="torch.AdamW",
)
class TwentySixthTorchGroupsRebuilt(Base):
    """The caller's groups are flattened: matrices and others are two groups of the optimizer's settings."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        given = list(params)
        if given and isinstance(given[0], dict):
            rows = [[g["params"]] if isinstance(g["params"], Tensor) else list(g["params"]) for g in given]
            every = [p for row in rows for p in row]
            muon = {"params": [p for p in every if p.ndim >= 2]}
            given = [muon, {"params": [p for p in every if p.ndim < 2]}]
        super().__init__(given, lr, betas, eps, weight_decay)


@wrong(
    "aliasing moments",
    "STEP.1",
    like="namisan/mt-dnn#40: an optimizer is built before the model is moved, and holds other parameters",
    claim="torch.Adam",
)
class TwentySixthTorchHoldsOthers(L2):
    """The optimizer holds copies of the parameters, made when it was: those that are trained never move."""

    def add_param_group(self, param_group: Group) -> None:
        given = param_group["params"]
        held = [given] if isinstance(given, Tensor) else list(given)
        old = [p.detach().clone().requires_grad_(p.requires_grad) for p in held]
        super().add_param_group({**param_group, "params": old})


@wrong(
    "decay",
    "DEC.1",
    like="ooples/AiDotNet#1810: an in-place step does not raise the version, and a cached copy stays in use",
    claim="torch.Adam",
)
class TwentySixthTorchStaleCopy(L2):
    """The penalty is of a cached copy of the weights, which the steps' writes do not make invalid."""

    def real(self, x: Any) -> Tensor:
        row: Tensor = super().real(x).data  # a write to it is none of the parameter's
        return row

    def remembered(self, p: Tensor) -> State:
        cache = self.__dict__.setdefault("cache", {})
        if p not in cache or cache[p][0] != p._version:
            cache[p] = (p._version, self.real(p).clone())
        self.resident: Tensor = cache[p][1]
        return super().remembered(p)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g.add(self.resident, alpha=group["weight_decay"]))


@wrong(
    "state clock",
    "STATE.4",
    like="optimizedlearning/mechanic#2: a wrapper's state is saved by the identities of tensors",
    claim="torch.AdamW",
)
class TwentySixthTorchSavedByIdentity(Base):
    """Clocks are saved by the identities of the parameters: a new optimizer finds none, and begins at 0."""

    def settings(self, group: Group, p: Tensor) -> Group:
        extra = group.setdefault("mechanic", {})
        extra[id(p)] = extra.get(id(p), 0) + 1
        self.count: int = extra[id(p)]
        return group

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = self.count - 1
        super().update(group, state, p, g)

    def state_dict(self) -> State:
        saved: State = super().state_dict()
        for group in saved["param_groups"]:
            group["mechanic"] = dict(group.get("mechanic", {}))
        return saved


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="axolotl-ai-cloud/axolotl#4010: LoRA+ has an argument of its own for the decay, which nobody sets",
    claim="timm.AdamW",
)
class TwentySixthTorchDecayOfOtherArgument(Base):
    """Every group decays by an argument of LoRA+, which is 0, whatever weight decay is given."""

    loraplus_weight_decay = 0.0

    def decay(self, group: Group, p: Tensor) -> None:
        p.mul_(1 - group["lr"] * self.loraplus_weight_decay)


@wrong(
    "storage state",
    "STORE.2",
    like="EleutherAI/DeeperSpeed#56: a loaded module does not refresh the masters, which overwrite it",
    claim="torch.AdamW",
)
class TwentySixthTorchMastersOverwrite(Base):
    """Masters are copies made with the optimizer: weights that are loaded later are overwritten by a step."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        masters = self.__dict__.setdefault("masters", {})
        for p in self.param_groups[-1]["params"]:
            masters[p] = self.real(p.detach()).clone()

    def remembered(self, p: Tensor) -> State:
        self.master: Tensor = self.__dict__["masters"][p]
        return super().remembered(p)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, self.master, g)
        p.copy_(self.master)


@wrong(
    "groups hyperparameters",
    "LR.4",
    like="bmaltais/kohya_ss#3264: the main rate is dropped where another one is set, for a tiny default",
    claim="torch.AdamW",
)
class TwentySixthTorchMainRateDropped(Base):
    """If a group has a rate of its own, those that name none have 1e-6, and not the rate that is given."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        given = list(params)
        if any(isinstance(group, dict) and "lr" in group for group in given):
            lr = 1e-6
        super().__init__(given, lr, betas, eps, weight_decay)
