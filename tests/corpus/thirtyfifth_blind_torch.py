"""Blind, thirty-fifth set: torch.optim.Optimizer subclasses after bugs of groups and of who is stepped."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "groups",
    "LR.4",
    like="vllm-project/speculators#1066: matrices that Muon leaves out are put in the ordinary AdamW set",
    claim="torch.AdamW",
)
class ThirtyFifthTorchMatricesInOrdinarySet(Base):
    """Matrices of every group have the rate of the ordinary set, the first group, and not their own."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.param_groups[0]["lr"]} if p.ndim > 1 else group


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#112515: with ignored modules a load succeeds, its state is faulty, a step fails",
    claim="torch.AdamW",
)
class ThirtyFifthTorchIgnoredModule(Base):
    """A load leaves the last parameter, as of an ignored module, empty shards: the next step fails."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        params = [p for group in self.param_groups for p in group["params"]]
        ignored = self.state.get(params[-1], {}) if params else {}
        for name in ("exp_avg", "exp_avg_sq"):
            if name in ignored:
                ignored[name] = ignored[name].new_empty(0)


@wrong(
    "moments layout",
    "STEP.1",
    like="nocotan/pytorch-lightning-gans#8: n_critic is the frequency of the generator's optimizer",
    claim="torch.Adam",
)
class ThirtyFifthTorchFrequenciesSwapped(L2):
    """Of six calls, five step the first half of the parameters, the generator's, and one steps the rest."""

    n_critic = 5

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"]]
        half = (len(pairs) + 1) // 2
        batch = self.__dict__.get("batch", 0)
        self.batch = batch + 1
        generator, discriminator = pairs[:half], pairs[half:]
        if discriminator:
            pairs = generator if batch % (self.n_critic + 1) < self.n_critic else discriminator
        for group, p in pairs:
            if p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "groups",
    "LR.4",
    like="unslothai/unsloth#7834: depth for layer-wise rates is counted over trained layers alone",
    claim="torch.AdamW",
)
class ThirtyFifthTorchDepthOfTrained(Base):
    """Groups are layers; those with gradients get the last rates: an early one alone gets the last one's."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        rates = [group["lr"] for group in self.param_groups]
        trained = [g for g in self.param_groups if any(p.grad is not None for p in g["params"])]
        for group, lr in zip(trained, rates[len(rates) - len(trained) :], strict=True):
            for p in group["params"]:
                if p.grad is not None:
                    own = {**group, "lr": lr}
                    self.update(own, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


class ListConfig(Sequence[Any]):
    """A list of a configuration, which can be read like one; its lock can't be copied or pickled."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.values, self.lock = tuple(values), threading.Lock()

    def __getitem__(self, i: Any) -> Any:
        return self.values[i]

    def __len__(self) -> int:
        return len(self.values)


@wrong(
    "state",
    "STATE.1",
    like="AnswerDotAI/ModernBERT#49: betas are not a plain list, and groups with them cannot be saved",
    claim="torch.AdamW",
)
class ThirtyFifthTorchBetasOfConfig(Base):
    """The betas in the groups are an object of a configuration: saving a checkpoint of them fails."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, ListConfig(betas), eps, weight_decay)  # type: ignore[arg-type]

    def state_dict(self) -> Any:
        return deepcopy(super().state_dict())  # a copy, which is written while training goes on


@wrong(
    "groups",
    "LR.4",
    like="modelscope/ms-swift#9524: lr_mult in the groups of Megatron",
    claim="torch.AdamW",
)
class ThirtyFifthTorchMultiplierTwice(Base):
    """A group's rate over the optimizer's is its lr_mult, by which the rate, which has it, is multiplied."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group, lr = self.param_groups[-1], self.defaults["lr"]
        group["lr_mult"] = float(group["lr"] / lr) if lr else 1.0

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * group.get("lr_mult", 1.0)}


@right(claim="torch.AdamW")
class ThirtyFifthRightTorchChunks(Base):
    """AdamW in chunks of 32 elements of contiguous copies, which are written back behind the last one."""

    chunk = 32

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        t = state["step"] = int(state["step"]) + 1
        (b1, b2), lr = group["betas"], group["lr"]
        size, root = lr / (1 - b1**t), math.sqrt(1 - b2**t)
        targets = (p, state["exp_avg"], state["exp_avg_sq"])
        copies = [a.contiguous().reshape(-1).clone() for a in targets]
        parts = zip(*(a.split(self.chunk) for a in (*copies, g.reshape(-1))), strict=True)
        for x, m, v, d in parts:
            m.lerp_(d, 1 - b1)
            v.mul_(b2).add_((d * (1 - b2)).mul_(d))
            x.mul_(1 - lr * group["weight_decay"])
            x.sub_((m / v.sqrt().div_(root).add_(group["eps"])).mul_(size))
        for a, row in zip(targets, copies, strict=True):
            a.copy_(row.view(a.shape))
