"""Blind, twenty-sixth set: torch.optim.Optimizer subclasses after bugs in rates and states, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat
from torch import Tensor


@wrong(
    "schedule",
    "LR.3",
    like="amoudgl/pygoturn#16: the scheduler steps in every inner batch while the count is at its boundary",
    claim="torch.AdamW",
)
class TwentySixthBTorchDecaysThreeTimes(Base):
    """Where a rate falls by a factor it falls by the third power of it, once for each of three batches."""

    inner_batches = 3

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            last, lr = group.setdefault("last_lr", group["lr"]), group["lr"]
            again = group.setdefault("again", 1.0)
            if lr < last:
                group["again"] = again * (lr / last) ** (self.inner_batches - 1)
            group["last_lr"] = lr
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] * group.get("again", 1.0)}


@wrong(
    "state schedule",
    "STATE.4",
    like="microsoft/InnerEye-DeepLearning#311: the scheduler's state is not saved, and its rates begin anew",
    claim="torch.Adam",
)
class TwentySixthBTorchScheduleRestarts(L2):
    """Behind a load the rates are those that the run had from its first step on, one after the other."""

    last_epoch: int | None = None  # of the scheduler that a recovered run makes

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.last_epoch = -1

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if self.last_epoch is None:
            for group in self.param_groups:
                group["rates"] = [*group.get("rates", []), group["lr"]]
        else:
            self.last_epoch += 1
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        rates = group.get("rates", [])
        if self.last_epoch is None or self.last_epoch >= len(rates):
            return group
        return {**group, "lr": rates[self.last_epoch]}


@wrong(
    "isolation state",
    "STATE.3",
    like="mlverse/torch#559: Adam's state is an attribute of the parameter, and a new Adam goes on from it",
    claim="torch.Adam",
)
class TwentySixthBTorchStateOnParameter(L2):
    """Moments and clock hang on the parameter: a fresh Adam of the same one begins with those of another."""

    def remembered(self, p: Tensor) -> State:
        if not self.state[p] and hasattr(p, "adam"):
            self.state[p] = p.adam
        state = super().remembered(p)
        p.adam = state  # type: ignore[attr-defined]
        return state


@wrong(
    "storage",
    "MOM.4",
    like="areal-project/AReaL#1292: both moments are made in bfloat16, and nothing says so",
    claim="torch.AdamW",
)
class TwentySixthBTorchMomentsInBrain(Base):
    """Moments are kept and averaged in bfloat16; parameters and the arithmetic of their step are not."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = state[name].to(torch.bfloat16)
        return state

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        super().learn(group, state, g.to(torch.bfloat16))

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        wide = {name: state[name].to(p.dtype) for name in ("exp_avg", "exp_avg_sq")}
        super().move(group, {**state, **wide}, p, c1, c2)


@right(claim="torch.AdamW")
class TwentySixthBRightTorchCommands(Base):
    """AdamW that first encodes a step as a list of commands, and runs them when all are encoded."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        commands: list[Callable[[], None]] = []
        for group in self.param_groups:
            for p in (q for q in group["params"] if q.grad is not None):
                state = self.remembered(p)
                state["step"] += 1
                self.encode(commands, group, state, self.real(p), self.real(p.grad))
        for command in commands:
            command()
        return loss

    def encode(
        self, commands: list[Callable[[], None]], group: Group, state: State, p: Tensor, g: Tensor
    ) -> None:
        (b1, b2), lr, t = group["betas"], group["lr"], int(state["step"])
        m, v = state["exp_avg"], state["exp_avg_sq"]
        below = torch.empty_like(v)
        kept, inverse, size = 1 - lr * group["weight_decay"], 1 / math.sqrt(1 - b2**t), lr / (1 - b1**t)
        commands += [
            lambda: self.run(m.lerp_, g, 1 - b1),
            lambda: self.run(v.mul_(b2).addcmul_, g * (1 - b2), g),
            lambda: self.run(below.copy_(v).sqrt_().mul_(inverse).add_, group["eps"]),
            lambda: self.run(p.mul_, kept),
            lambda: self.run(p.sub_, (m / below).mul_(size)),
        ]

    def run(self, operation: Callable[..., Tensor], *given: Any) -> None:
        operation(*given)


@right(claim="torch.Adam")
class TwentySixthBRightTorchOneTensor(L2):
    """Adam whose moments of a parameter are the two rows of one tensor while they are averaged."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        g = g + group["weight_decay"] * p
        both = torch.stack([state["exp_avg"], state["exp_avg_sq"]])
        betas = torch.tensor([b1, b2], dtype=torch.float64).to(both.dtype)
        both *= betas.view(2, *[1] * p.ndim)
        both += torch.stack([(1 - b1) * g, ((1 - b2) * g) * g])
        state["step"] += 1
        c1, c2 = (-math.expm1(state["step"] * math.log(b)) if b else 1.0 for b in (b1, b2))
        state["exp_avg"].copy_(both[0])
        state["exp_avg_sq"].copy_(both[1])
        p -= (lr / c1) * (both[0] / (both[1].sqrt() / math.sqrt(c2) + group["eps"]))


@right(claim="fairseq.Adam")
class TwentySixthBRightTorchTransposed(Hat):
    """fairseq's Adam of contiguous copies, which are written back to whatever strides there are."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        kept = {name: state[name].contiguous().clone() for name in ("exp_avg", "exp_avg_sq")}
        own = {"step": state["step"], **kept}
        row = p.contiguous().clone()
        super().update(group, own, row, g.contiguous())
        p.copy_(row)
        for name in kept:
            state[name].copy_(own[name])
        state["step"] = own["step"]
