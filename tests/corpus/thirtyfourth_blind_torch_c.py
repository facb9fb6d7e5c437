"""Blind, thirty-fourth set, second half: torch.optim.Optimizer subclasses after bugs of resumed runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


class Initial(Base):
    """AdamW whose groups know the rate that they were made with, as schedulers write it into them."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])


@wrong(
    "state schedule",
    "STATE.4",
    like="kohya-ss/sd-scripts#1653: with warmup-stable-decay a resume has the initial rate",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchInitialRate(Initial):
    """Behind a load the rate of each group is the one that it was made with, and not what it had become."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["lr"] = group["initial_lr"]


@wrong(
    "state schedule",
    "STATE.4",
    like="radixark/miles#1627: the scheduler that was restored is stepped again by all that came before",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchProgressTwice(Initial):
    """Behind a load the decay of the rate up to there counts a second time, in each step from then on."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            first = group["initial_lr"]
            group["counted_again"] = group["lr"] / first if first else 1.0

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * group.get("counted_again", 1.0)}


@wrong(
    "state schedule",
    "STATE.4",
    like="tyshiwo1/DiM-DiffusionMamba#5: weights and statistics are resumed, and the scheduler is not",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchRatesFromStart(Base):
    """Behind a load the rates begin again with that of the first step, and those that followed it."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["ahead"] = group.get("rates", ())

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            ahead = group.get("ahead", ())
            group["rate"] = ahead[0] if ahead else group["lr"]
            group["ahead"] = ahead[1:]
            group["rates"] = (*group.get("rates", ()), group["rate"])
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["rate"]}


@wrong(
    "state",
    "STATE.4",
    like="facebookresearch/fairseq#1683: a resumed state is not where FusedAdam wants it, which fails",
    claim="torch.Adam",
)
class ThirtyFourthBTorchStateElsewhere(L2):
    """What is loaded stays on the host, and the first step refuses it: it lies elsewhere than the weights."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        self.on_host: set[int] = set()
        super().__init__(params, *args, **kwargs)

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.on_host = {id(x) for own in self.state.values() for x in own.values() if isinstance(x, Tensor)}

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        if self.on_host & {id(state["exp_avg"]), id(state["exp_avg_sq"])}:
            raise RuntimeError("expected exp_avg and exp_avg_sq on the device of the parameter")
        super().learn(group, state, g)


@wrong(
    "state",
    "STATE.4",
    like="philtabor/Actor-Critic-Methods-Paper-To-Code#4: checkpoints have the networks, and no optimizer",
    claim="torch.Adam",
)
class ThirtyFourthBTorchNetworksOnly(L2):
    """A checkpoint has nothing of the optimizer: behind a load moments and clocks begin anew."""

    def state_dict(self) -> State:
        return {**super().state_dict(), "state": {}}


@right(claim="torch.AdamW")
class ThirtyFourthBRightTorchRatesKept(Initial):
    """AdamW whose groups keep a first rate and a count, saved and loaded as those of a scheduler would be."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            group["last_epoch"] = group.get("last_epoch", -1) + 1
            for p in filter(lambda p: p.grad is not None, group["params"]):
                self.stepped(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def stepped(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr, m, v = group["betas"], group["lr"], state["exp_avg"], state["exp_avg_sq"]
        state["step"] += 1
        c1, c2 = (-math.expm1(self.clock(state) * math.log(b)) if b else 1.0 for b in (b1, b2))
        m.lerp_(g, 1 - b1)
        v.mul_(b2).add_((g * (1 - b2)).mul_(g))
        below = v.sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.add_(p, alpha=-lr * group["weight_decay"]).sub_(m.div(below), alpha=lr / c1)
