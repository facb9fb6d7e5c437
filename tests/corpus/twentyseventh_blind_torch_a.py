"""Blind, twenty-seventh set: torch subclasses after bugs of clips, temperatures and skips, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "decay",
    "DEC.2",
    like="kozistr/pytorch_optimizer#43: the updates of Ranger and Ranger21 were wrong",
    claim="torch.AdamW",
)
class TwentySeventhTorchDecayInStepSize(Base):
    """The decay joins the update, which is multiplied by rate and correction of the first moment."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        update = state["exp_avg"].div(below).add_(p, alpha=group["weight_decay"])
        p.add_(update, alpha=-group["lr"] / c1)


@wrong(
    "aliasing clipping",
    "STATE.2",
    like="awslabs/graphstorm#1382: gradients are clipped behind the step, which has no effect on it",
    claim="torch.AdamW",
)
class TwentySeventhTorchClippedBehindStep(Base):
    """Behind the step the gradients themselves are cut to a norm of 1."""

    max_grad_norm = 1.0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(params, self.max_grad_norm)
        return loss


@wrong(
    "state",
    "STATE.4",
    like="ray-project/ray#62755: alpha and its Adam are outside of what is restored",
    claim="torch.Adam",
)
class TwentySeventhTorchAlphaFromStart(L2):
    """On a load parameters of one number go back to their start value, and lose moments and clock."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        alphas = self.__dict__.setdefault("alphas", {})
        alphas.update({p: p.detach().clone() for p in self.param_groups[-1]["params"] if p.numel() == 1})

    @torch.no_grad()
    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for p, start in self.__dict__["alphas"].items():
            p.copy_(start)
            self.state.pop(p, None)


@wrong(
    "moments",
    "STEP.1",
    like="cybertronai/pytorch-lamb#6: a layer of zeros has a trust ratio of 0, and never moves",
    claim="torch.AdamW",
)
class TwentySeventhTorchZerosStay(Base):
    """A step is multiplied by a trust, which is 0 where the norm of the array or of its step is 0."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        step = state["exp_avg"] / below
        trust = 0.0 if bool((p == 0).all()) or bool((step == 0).all()) else 1.0
        if trust:
            p.add_(step, alpha=-trust * group["lr"] / c1)


@wrong(
    "nonfinite",
    "NF.2",
    like="espnet/espnet#3283: behind a skipped step the accumulated gradients, NaN among them, are kept",
    claim="torch.AdamW",
)
class TwentySeventhTorchSkipKeepsNan(Base):
    """A NaN skips the step without zeroing what is accumulated, so that all later steps are skipped."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        sums: dict[Tensor, Tensor] = self.__dict__.setdefault("sums", {})
        present = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for _, p in present:
            sums[p] = sums[p] + p.grad if p in sums else p.grad.clone()
        if all(bool(torch.isfinite(self.real(total)).all()) for total in sums.values()):
            for group, p in present:
                self.update(group, self.remembered(p), self.real(p), self.real(sums[p]))
            sums.clear()
        return loss


@right(claim="torch.Adam")
class TwentySeventhRightTorchTensorClock(L2):
    """torch's Adam with a clock that is a tensor of float32, and lerp for the first moment."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
        return state

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).addcmul_(g * (1 - b2), g)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = (state["exp_avg_sq"].sqrt() / math.sqrt(c2)).add_(group["eps"])
        p.sub_(state["exp_avg"].div(below).mul_(group["lr"] / c1))


@right(claim="torch.AdamW")
class TwentySeventhRightTorchFlattened(Base):
    """AdamW over one row for each dtype of a group: moments are gathered in it, stepped, and scattered."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    kinds.setdefault((self.real(p).dtype, int(state["step"])), []).append(p)
            for (_, t), params in kinds.items():
                self.together(group, params, t)
        return loss

    def together(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), states = group["betas"], [self.state[p] for p in params]
        places = [
            [self.real(p) for p in params],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
        ]
        p, m, v = (torch.cat([x.reshape(-1) for x in row]) for row in places)
        g = torch.cat([self.real(q.grad).reshape(-1) for q in params])
        m = b1 * m + (1 - b1) * g
        v = b2 * v + ((1 - b2) * g) * g
        below = v.sqrt() / math.sqrt(1 - b2**t) + group["eps"]
        p = p * (1 - group["lr"] * group["weight_decay"]) - (group["lr"] / (1 - b1**t)) * (m / below)
        for row, new in zip(places, (p, m, v), strict=True):
            for x, part in zip(row, new.split([x.numel() for x in row]), strict=True):
                x.copy_(part.reshape(x.shape))


@right(claim="torch.Adam")
class TwentySeventhRightTorchOwnFormat(L2):
    """Adam whose checkpoint has an option for each group, which is filled in where an older one lacks it."""

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("decoupled_weight_decay", False)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        if group.get("decoupled_weight_decay", False):
            p.mul_(1 - group["lr"] * group["weight_decay"])
        else:
            g = g + p * group["weight_decay"]
        self.learn(group, state, g)
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        self.move(group, state, p, c1, c2)
