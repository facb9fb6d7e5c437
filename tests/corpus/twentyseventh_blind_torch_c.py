"""Blind, twenty-seventh set: torch.optim.Optimizer subclasses after bugs in loads, rates and windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state layout",
    "STATE.4",
    like="dotnet/TorchSharp#1151: a saved state does not say which parameter of a group an entry belongs to",
    claim="torch.Adam",
)
class TwentySeventhBTorchNoMapping(L2):
    """Entries are saved in the order in which they were made, and are loaded in that of the parameters."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        saved["state"] = dict(enumerate(saved["state"].values()))
        return saved


@wrong(
    "clipping aliasing",
    "STATE.2",
    like="VGraphRNN/VGRNN#4: gradients are clipped behind opt.step()",
    claim="torch.Adam",
)
class TwentySeventhBTorchClippedTooLate(L2):
    """The step has the gradients as they are, and behind it they are scaled to a norm of 10, in place."""

    clip = 10.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        if grads:
            norm = math.sqrt(sum(float(g.abs().square().sum()) for g in grads))
            if norm > self.clip:
                for g in grads:
                    g.mul_(self.clip / norm)
        return loss


@wrong(
    "groups",
    "LR.4",
    like="kohya-ss/sd-scripts#1929: of groups with rates of their own the first one's rate is taken",
    claim="torch.AdamW",
)
class TwentySeventhBTorchOneRate(Base):
    """The rate is read once in a step, from the first group, and serves in all groups."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.rate = self.param_groups[0]["lr"]
        return super().step(closure)

    def decay(self, group: Group, p: Tensor) -> None:
        p.mul_(1 - self.rate * group["weight_decay"])

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move({**group, "lr": self.rate}, state, p, c1, c2)


@wrong(
    "moments",
    "MOM.1",
    like="Morizeyao/GPT2-Chinese#101: windows are counted anew in each piece, which leaves gradients over",
    claim="torch.AdamW",
)
class TwentySeventhBTorchLeftFromPiece(Base):
    """Behind five windows a piece ends, and half a window more is left over: it goes into the next step."""

    windows, part = 5, 0.5

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        left = state.pop("left", None)
        if (int(state["step"]) + 1) % self.windows == 0:
            state["left"] = self.part * g
        super().update(group, state, p, g if left is None else g + left)


@wrong(
    "state decay",
    "STATE.4",
    like="NVIDIA/Megatron-LM#5212: on a load the scheduler writes its decay, before its fields are restored",
    claim="torch.AdamW",
)
class TwentySeventhBTorchDecayWritten(Base):
    """Behind a load all groups have the weight decay with which the optimizer was made."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["weight_decay"] = self.defaults["weight_decay"]


@wrong(
    "state layout",
    "STATE.4",
    like="lucidrains/DALLE2-pytorch#115: parameters are split by decay, and moments come to other ones",
    claim="torch.AdamW",
)
class TwentySeventhBTorchSplitByDecay(Base):
    """With a weight decay the saved state numbers matrices first, and a load numbers as they were given."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        if not any(group["weight_decay"] for group in self.param_groups):
            return saved
        params = [p for group in self.param_groups for p in group["params"]]
        order = sorted(range(len(params)), key=lambda i: params[i].ndim < 2)
        saved["state"] = {new: saved["state"][old] for new, old in enumerate(order) if old in saved["state"]}
        return saved


@right(claim="torch.AdamW")
class TwentySeventhBRightTorchMultiTensor(Base):
    """AdamW that joins the gradients of a group in one row, of which each parameter takes a view."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            for dtype in dict.fromkeys(p.dtype for p in present):
                own = [p for p in present if p.dtype == dtype]
                whole = torch.cat([self.real(p.grad).reshape(-1) for p in own])
                begin = 0
                for p in own:
                    w = self.real(p)
                    g = whole[begin : begin + w.numel()].view(w.shape)
                    begin += w.numel()
                    self.update(group, self.remembered(p), w, g)
        return loss

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).add_((g * (1 - b2)).mul_(g))


@right(claim="torch.Adam")
class TwentySeventhBRightTorchNewTensors(L2):
    """Adam with L2 out of place, whose rate is a tensor of the parameter's dtype."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["step"] += 1
        t = int(state["step"])
        d = g + group["weight_decay"] * p
        m = b1 * state["exp_avg"] + (1 - b1) * d
        v = b2 * state["exp_avg_sq"] + ((1 - b2) * d) * d
        size = torch.tensor(group["lr"] / (1 - b1**t), dtype=p.dtype)
        p.copy_(p - size * (m / ((v.sqrt() / math.sqrt(1 - b2**t)) + group["eps"])))
        state["exp_avg"], state["exp_avg_sq"] = m, v
