"""Blind, thirty-third set: torch.optim.Optimizer subclasses after bugs of saving and of whose arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state",
    "STATE.4",
    like="ktonal/mimikit#30: checkpoints do not hold the optimizer, its moments are lost on resume",
    claim="torch.Adam",
)
class ThirtyThirdTorchCheckpointOfModel(L2):
    """A checkpoint has the groups and nothing of the state: a run that is resumed begins anew."""

    def state_dict(self) -> Any:
        return {**super().state_dict(), "state": {}}


@wrong(
    "state",
    "STATE.4",
    like="Denys88/rl_games#328: full states lack the optimizer of the central value network",
    claim="torch.Adam",
)
class ThirtyThirdTorchCentralValueForgotten(L2):
    """The last of several parameters is another network's: its moments and its clock are not saved."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        numbers = [i for group in saved["param_groups"] for i in group["params"]]
        if len(numbers) > 1:
            saved["state"] = {i: own for i, own in saved["state"].items() if i != numbers[-1]}
        return saved


@wrong(
    "layout moments",
    "STEP.1",
    like="siddancha/streaming-flow-policy#15: Adam is made over another network than the trained one",
    claim="torch.AdamW",
)
class ThirtyThirdTorchOtherNetwork(Base):
    """What is stepped are the parameters of another network, a copy that gets no gradients: nothing moves."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        others: dict[Tensor, Tensor] = self.__dict__.setdefault("others", {})
        for group in self.param_groups:
            for p in group["params"]:
                other = others.setdefault(p, p.detach().clone())
                if other.grad is not None:
                    self.update(group, self.remembered(other), self.real(other), self.real(other.grad))
        return loss


@wrong(
    "closure",
    "STEP.2",
    like="rail-berkeley/rlkit#109: the critic steps before the actor's loss has been backpropagated",
    claim="torch.Adam",
)
class ThirtyThirdTorchCriticStepsBefore(L2):
    """The first parameter is stepped, and then the closure is called again for the gradients of the rest."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"]]
        self.some(pairs[:1])
        if closure is not None and len(pairs) > 1:
            loss = self.asked(closure)
        self.some(pairs[1:])
        return loss

    def some(self, pairs: list[tuple[Group, Tensor]]) -> None:
        for group, p in pairs:
            if p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))


@wrong(
    "state groups",
    "STATE.4",
    like="Lightning-AI/pytorch-lightning#21902: groups that a run has appended come back frozen",
    claim="torch.AdamW",
)
class ThirtyThirdTorchAppendedStayFrozen(Base):
    """Behind a load the parameters of all groups but the first are frozen, and are not stepped."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        appended = [p for group in self.param_groups[1:] for p in group["params"]]
        self.requires_no_grad = set(appended)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        frozen: set[Tensor] = self.__dict__.get("requires_no_grad", set())
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p not in frozen:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "layout",
    "STEP.1",
    like="juliusfrost/dreamer-pytorch#79: the value network's optimizer has the parameters of another one",
    claim="torch.Adam",
)
class ThirtyThirdTorchValueNotItsOwn(L2):
    """The optimizer of the last parameter has the first one: that is stepped twice, and the last never."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"]]
        for group, p in pairs[:-1] if len(pairs) > 1 else pairs:
            if p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        if len(pairs) > 1 and pairs[0][1].grad is not None:
            actor, group = pairs[0][1], pairs[-1][0]
            self.update(group, self.of_value(actor), self.real(actor), self.real(actor.grad))
        return loss

    def of_value(self, p: Tensor) -> State:
        zeros = (torch.zeros_like(self.real(p)) for _ in range(2))
        made = dict(zip(("exp_avg", "exp_avg_sq"), zeros, strict=True))
        own: State = self.state[p].setdefault("value_optimizer", {"step": 0, **made})
        return own


@right(claim="torch.Adam")
class ThirtyThirdRightTorchFlatRow(L2):
    """Adam over one row for all parameters of a group that are alike; the row is built in each step."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            rows: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] = int(state["step"]) + 1
                    rows.setdefault((self.real(p).dtype, state["step"]), []).append(p)
            for (_, t), params in rows.items():
                self.row(group, params, t)
        return loss

    def row(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), names = group["betas"], ("exp_avg", "exp_avg_sq")
        parts = [[self.real(p) for p in params], *([self.state[p][name] for p in params] for name in names)]
        x, m, v = (torch.cat([a.reshape(-1) for a in part]) for part in parts)
        g = torch.cat([self.real(p.grad).reshape(-1) for p in params]) + group["weight_decay"] * x
        m = torch.lerp(m, g, 1 - b1)
        v = b2 * v + ((1 - b2) * g) * g
        root = v.sqrt() / math.sqrt(1 - b2**t)
        x = x - (group["lr"] / (1 - b1**t)) * (m / (root + group["eps"]))
        for part, row in zip(parts, (x, m, v), strict=True):
            for a, piece in zip(part, row.split([a.numel() for a in part]), strict=True):
                a.copy_(piece.view(a.shape))
