"""Blind, seventh set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from sixth_blind_torch import Dozat, Hat
from torch import Tensor


@wrong("groups", "LR.4", like="{**self.param_groups[0], **new_group}", claim="torch.AdamW")
class SeventhTorchGroupAfterFirst(Base):
    """What a group does not name is the first group's, where it should be the optimizer's."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        for name, value in self.param_groups[0].items() if self.param_groups else ():
            param_group.setdefault(name, value)
        super().add_param_group(param_group)


@wrong("groups schedule", "LR.3", like="microsoft/hi-ml#611", claim="torch.AdamW")
class SeventhTorchFirstGroupScheduled(Base):
    """A change of the learning rate reaches the first group alone."""

    def settings(self, group: Group, p: Tensor) -> Group:
        if group is self.param_groups[0]:
            return group
        return {**group, "lr": group.setdefault("first_lr", group["lr"])}


@wrong(
    "bias_correction layout", "BC.2", claim="torch.AdamW",
    like="pytorch/pytorch#78807: what one path does and the other does not",
)  # fmt: skip
class SeventhTorchManyUncorrected(Base):
    """A group of two parameters and more takes another path, where the second moment is not corrected."""

    many = False

    def takes(self, present: list[Tensor]) -> bool:
        self.many = len(present) > 1
        return True

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, 1.0 if self.many else c2)


@wrong("state", "STATE.4", like="deepspeedai/DeepSpeed#7786", claim="torch.AdamW")
class SeventhTorchLoadsIntoStepped(Base):
    """A load fills what has a state already: before the first step it is lost."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        stepped = set(self.state)
        super().load_state_dict(state_dict)
        for p in set(self.state) - stepped:
            del self.state[p]


@wrong(
    "decay", "DEC.2", claim="torch.NAdam", options={"decoupled_weight_decay": "True"},
    like="pytorch/pytorch torch/optim/nadam.py, of one path alone",
)  # fmt: skip
class SeventhTorchNadamCoupled(Dozat):
    """The flag that asks for decoupled decay is accepted, and the penalty joins the gradient all the same."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, momentum_decay)


@right(claim="transformers4.AdamW")
class SeventhRightTorchLater(Hat):
    """transformers' AdamW: the updated parameter loses a part of itself by an interpolation to 0."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        p.sub_(p, alpha=group["lr"] * group["weight_decay"])


@right(claim="timm.NAdamW")
class SeventhRightTorchSameTime(Base):
    """timm's NAdamW: gradient and moment are the rows of a matrix, which a row of weights multiplies."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["seen"] = g
        super().update(group, state, p, g)
        del state["seen"]

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        b1 = group["betas"][0]
        ahead = torch.stack([b1 * state["exp_avg"], (1 - b1) * state["seen"]]).sum(0)
        root = state["exp_avg_sq"].sqrt().mul_(1 / math.sqrt(c2)).add_(group["eps"])
        p.add_((ahead / root).mul_(-group["lr"] / c1))


@right(claim="torch.Adam", options={"amsgrad": "True", "maximize": "True"})
class SeventhRightTorchAscent(L2):
    """PyTorch's AMSGrad to maximize: gradient, moment and maximum go through one function of pure tensors."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, maximize: bool = False,
    ) -> None:  # fmt: skip
        self.maximize = maximize
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g.neg() if self.maximize else g)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            old: Tensor = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = state["max_exp_avg_sq"] = torch.where(old > v, old, v)
        step = (state["exp_avg"] / (v.sqrt() / math.sqrt(c2) + group["eps"])) * (group["lr"] / c1)
        p.copy_(p - step)


@right(claim="torch.Adam", options={"decoupled_weight_decay": "True"})
class SeventhRightTorchDecoupled(L2):
    """PyTorch's Adam with a flag: the penalty's place is chosen from a table of two functions."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        ways = {True: (self.decayed, self.as_it_is), False: (self.kept, self.penalized)}
        self.first, self.then = ways[decoupled_weight_decay]

    def decayed(self, group: Group, p: Tensor, g: Tensor) -> None:
        p.sub_(p * (group["lr"] * group["weight_decay"]))

    def kept(self, group: Group, p: Tensor, g: Tensor) -> None:
        pass

    def as_it_is(self, group: Group, p: Tensor, g: Tensor) -> Tensor:
        return g

    def penalized(self, group: Group, p: Tensor, g: Tensor) -> Tensor:
        return g.add(p, alpha=group["weight_decay"])

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        g = self.then(group, p, g)
        self.first(group, p, g)
        state["step"] += 1
        self.learn(group, state, g)
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        self.move(group, state, p, c1, c2)


@right(claim="torch.AdamW")
class SeventhRightTorchTiles(Base):
    """Parameter, gradient and moments are padded to tiles of 48 elements, which are stepped as a matrix."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        count = p.numel()
        rows = [
            torch.nn.functional.pad(a.reshape(-1), (0, -count % 48)).view(-1, 48)
            for a in (p, g, state["exp_avg"], state["exp_avg_sq"])
        ]
        own = {"exp_avg": rows[2], "exp_avg_sq": rows[3]}
        self.decay(group, rows[0])
        self.learn(group, own, rows[1])
        self.move(group, own, rows[0], c1, c2)
        for old, new in ((p, rows[0]), (state["exp_avg"], rows[2]), (state["exp_avg_sq"], rows[3])):
            old.copy_(new.reshape(-1)[:count].view(old.shape))
