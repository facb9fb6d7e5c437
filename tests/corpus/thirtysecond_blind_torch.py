"""Blind, thirty-second set: torch.optim.Optimizer subclasses after bugs of groups and windows, one right."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "groups",
    "LR.4",
    like="OpenRLHF/OpenRLHF#1225: the scheduler has base rates for a group that the engine has removed",
    claim="torch.AdamW",
)
class ThirtySecondTorchRatesOfRemovedGroup(Base):
    """The list of rates has one for a group without parameters too: all groups behind it have another's."""

    def settings(self, group: Group, p: Tensor) -> Group:
        rates = [other["lr"] for other in self.param_groups]
        filled = [other for other in self.param_groups if other["params"]]
        place = [other is group for other in filled].index(True)
        return {**group, "lr": rates[place]}


@wrong(
    "groups",
    "LR.3",
    like="AgileRL/AgileRL#155: a hyperparameter mutates, and Adam is rebuilt with the actor's group alone",
    claim="torch.Adam",
)
class ThirtySecondTorchRebuiltWithoutCritic(L2):
    """Where a hyperparameter has changed, the groups are made anew with the first one alone in the list."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        seen = self.__dict__.setdefault("seen", {})
        for i, group in enumerate(self.param_groups):
            now = [(name, x) for name, x in sorted(group.items()) if name != "params"]
            if seen.setdefault(i, now) != now:
                del self.param_groups[1:]
                seen.clear()
                break
        return super().step(closure)


@wrong(
    "moments",
    "MOM.1",
    like="facebookresearch/mmf#747: zero_grad comes at irregular times inside the window of update_frequency",
    claim="torch.AdamW",
)
class ThirtySecondTorchWipedInWindow(Base):
    """A window has four micro-batches, and at each third of all of them what has been added up is wiped."""

    update_frequency, wiped_every = 4, 3

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        begin = (int(state["step"]) - 1) * self.update_frequency
        total = torch.zeros_like(g)
        for batch in range(begin, begin + self.update_frequency):
            if batch % self.wiped_every == 0:
                total.zero_()
            total += g / self.update_frequency
        super().learn(group, state, total)


@wrong(
    "schedule",
    "LR.1",
    like="EleutherAI/gpt-neox#1373: under a warmup the first iteration has a rate of 0",
    claim="torch.AdamW",
)
class ThirtySecondTorchFirstRateIsZero(Base):
    """A warmup of one iteration counts from 0: the first step has a rate of 0."""

    warmup_iters = 1

    def settings(self, group: Group, p: Tensor) -> Group:
        num_iters = int(self.state[p].get("step", 0))
        return {**group, "lr": group["lr"] * min(1.0, num_iters / self.warmup_iters)}


@wrong(
    "missing decay",
    "F1",
    like="brian6091/Dreambooth#21: rows of an embedding that are not to be trained decay all the same",
    claim="torch.AdamW",
)
class ThirtySecondTorchUntrainedDecay(Base):
    """A parameter that has no gradient decays with the others of its group."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    self.decay(group, self.real(p))
        return loss


@wrong(
    "moments groups",
    "MOM.1",
    like="Lightning-AI/pytorch-lightning#666: the generator's backward leaves gradients to the discriminator",
    claim="torch.Adam",
)
class ThirtySecondTorchLeftInDiscriminator(L2):
    """Parameters of the groups behind the first are stepped by the last gradient too, which is left there."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if group is not self.param_groups[0]:
            left = state.get("left")
            state["left"] = g.clone()
            g = g if left is None else g + left
        super().update(group, state, p, g)


@wrong(
    "missing",
    "F1",
    like="huggingface/diffusers#507: gradients but the placeholder's are zeroed, and AdamW moves them all",
    claim="torch.AdamW",
)
class ThirtySecondTorchZeroedAreMoved(Base):
    """What has no gradient is given one of zeros, by which AdamW steps it: by its momentum, and it decays."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                own = self.real(p)
                grad = torch.zeros_like(own) if p.grad is None else self.real(p.grad)
                self.update(group, self.remembered(p), own, grad)
        return loss


@right(claim="torch.AdamW")
class ThirtySecondRightTorchForeach(Base):
    """AdamW by lists over what a group has of one dtype, each parameter with corrections of its own clock."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    kinds.setdefault(p.dtype, []).append(p)
            for params in kinds.values():
                self.together(group, params)
        return loss

    def together(self, group: Group, params: list[Tensor]) -> None:
        (b1, b2), lr, states = group["betas"], group["lr"], [self.remembered(p) for p in params]
        for state in states:
            state["step"] += 1
        clocks = [int(state["step"]) for state in states]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_mul_(ms, b1)
        torch._foreach_add_(ms, gs, alpha=1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, torch._foreach_mul(gs, 1 - b2), gs)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, [math.sqrt(1 - b2**t) for t in clocks])
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ps, ms, below, [-lr / (1 - b1**t) for t in clocks])
