"""Blind, twelfth set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from ninth_blind_torch import Scaled
from register import right, wrong
from torch import Tensor


@wrong(
    "state decay",
    "STATE.4",
    like="pytorch/pytorch#144972: an older state has no decoupled_weight_decay, which is then False",
    claim="torch.AdamW",
)
class TwelfthTorchOlderState(Base):
    """A saved state does not say that decay is decoupled: behind a load the penalty joins the gradient."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True

    def state_dict(self) -> State:
        saved: State = super().state_dict()
        for group in saved["param_groups"]:
            group.pop("decoupled_weight_decay", None)
        return saved

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group.setdefault("decoupled_weight_decay", False)

    def decay(self, group: Group, p: Tensor) -> None:
        if group["decoupled_weight_decay"]:
            super().decay(group, p)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        penalty = 0.0 if group["decoupled_weight_decay"] else group["weight_decay"]
        super().update(group, state, p, g.add(p, alpha=penalty) if penalty else g)


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#125708, #121186: to load makes a step with zeros, by which the parameters decay",
    claim="torch.AdamW",
)
class TwelfthTorchLoadSteps(Base):
    """To load a state where there is none makes one by a step of zeros first, and the parameters decay."""

    def load_state_dict(self, state_dict: State) -> None:
        if not self.state:
            self.step_of_zeros()
        super().load_state_dict(state_dict)

    def step_of_zeros(self) -> None:
        parameters = [p for group in self.param_groups for p in group["params"]]
        grads = [p.grad for p in parameters]
        for p in parameters:
            p.grad = torch.zeros_like(p)
        self.step()
        for p, g in zip(parameters, grads, strict=True):
            p.grad = g


@wrong(
    "state schedule",
    "STATE.4",
    like="torch-points3d/torch-points3d#630: schedulers that are made behind the load reset the rate",
    claim="torch.Adam",
)
class TwelfthTorchRateReset(L2):
    """To load a state sets the learning rate to that of the beginning, whatever it was when it was saved."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        for group in self.param_groups:
            group["initial_lr"] = group["lr"]

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["lr"] = group["initial_lr"]


@wrong(
    "loss_scale",
    "SCALE.1",
    like="pytorch/pytorch#123428, #123429: a grad_scale that is set is ignored, once unscale_ was called",
    claim="torch.Adam",
)
class TwelfthTorchOwnScaleIgnored(Scaled):
    """A loss scale that is set is taken for one that is undone already, and divides nothing."""

    def unscaled(self, g: Tensor) -> Tensor:
        return g


@wrong(
    "maximize",
    "MAX.1",
    like="pytorch/pytorch#109992: maximize is True among the defaults, and False in the groups",
    claim="torch.AdamW",
    options={"maximize": "True"},
)
class TwelfthTorchGroupsMinimize(Base):
    """To maximize is noted among the defaults, and the groups, which are read, say that it is not."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        for group in self.param_groups:
            group.setdefault("maximize", False)
        self.defaults["maximize"] = maximize

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, -g if group["maximize"] else g)


@right(claim="torch.AdamW")
class TwelfthRightTorchTable(Base):
    """AdamW whose moments of a parameter are the columns of one table, with a row for each number."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "table" not in state:
            state["step"], state["table"] = 0, self.real(p).new_zeros(self.real(p).numel(), 2)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2 = group["betas"]
        table, row = state["table"], g.reshape(-1)
        table[:, 0].lerp_(row, 1 - b1)
        table[:, 1].mul_(b2).addcmul_(row, row, value=1 - b2)
        c1, c2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        change = (table[:, 0] / c1) / (table[:, 1].sqrt() / math.sqrt(c2) + group["eps"])
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.sub_(change.reshape(p.shape), alpha=group["lr"])


@right(claim="torch.Adam")
class TwelfthRightTorchPenalty(L2):
    """Adam with L2, whose penalty is a loss of its own that autograd takes the gradient of."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g + self.slope(p, float(group["weight_decay"])))

    def slope(self, p: Tensor, weight_decay: float) -> Tensor:
        with torch.enable_grad():
            leaf = p.detach().clone().requires_grad_()
            penalty = (0.5 * weight_decay * leaf * leaf).sum()
        return torch.autograd.grad(penalty, leaf)[0]
