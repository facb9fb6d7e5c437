"""Blind, twenty-seventh set: torch.optim.Optimizer subclasses after bugs of sides, loads and ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


class Projected(Base):
    """AdamW whose wide matrices are stepped in a basis of signed unit vectors, and turned back."""

    def signs(self, n: int, like: Tensor) -> Tensor:
        return torch.where(torch.arange(n) % 2 == 0, 1.0, -1.0).to(like.dtype)

    def is_left(self, low: Tensor) -> bool:
        """Return whether a step is multiplied from the left to turn it back."""
        return False

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        if p.ndim != 2 or p.shape[0] > p.shape[1]:
            super().move(group, state, p, c1, c2)
            return
        m = (state["exp_avg"] * self.signs(p.shape[1], p)).flip(1)
        v = state["exp_avg_sq"].flip(1)
        low = m / v.sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        if self.is_left(low):
            whole = low.flip(0) * self.signs(p.shape[0], p)[:, None]
        else:
            whole = low.flip(1) * self.signs(p.shape[1], p)
        p.add_(whole, alpha=-group["lr"] / c1)


@right(claim="torch.AdamW")
class TwentySeventhRightTorchSideIsKnown(Projected):
    """AdamW with a basis of signed unit vectors for wide matrices: a step is turned back on its own side."""


@wrong(
    "layout",
    "STEP.1",
    like="modelscope/ms-swift#10146: the side of a projection is told from the shape of what is projected",
    claim="torch.AdamW",
)
class TwentySeventhTorchSideOfSquare(Projected):
    """The side is told from the shape: a square matrix' step is turned back from the left."""

    def is_left(self, low: Tensor) -> bool:
        return low.shape[0] >= low.shape[1]


@wrong(
    "state",
    "STATE.4",
    like="OpenNMT/OpenNMT-py#615: train_from does not put Adam's saved state back",
    claim="torch.Adam",
)
class TwentySeventhTorchGroupsAloneLoaded(L2):
    """A load takes the groups; the state of the parameters is empty behind it."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict({"state": {}, "param_groups": state_dict["param_groups"]})
        self.state.clear()


@wrong(
    "aliasing",
    "STEP.1",
    like="pytorch/pytorch#150183: with differentiable=True leaves are written in place outside no_grad",
    claim="torch.Adam",
)
class TwentySeventhTorchLeavesInGraph(L2):
    """A step is made with gradients switched on: writing to a parameter that requires one is an error."""

    differentiable = True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        with torch.set_grad_enabled(self.differentiable):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "bias_correction hyperparameters",
    "BC.3",
    like="huggingface/transformers#9751: a parameter's own step size is written to the group's lr",
    claim="torch.Adam",
)
class TwentySeventhTorchRateWrittenBack(L2):
    """A parameter's corrected rate is written to its group, where the next one and the next step begin."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = math.sqrt(c2)
        group["lr"] = group["lr"] * root / c1
        below = state["exp_avg_sq"].sqrt().add_(group["eps"] * root)
        p.addcdiv_(state["exp_avg"], below, value=-group["lr"])


@wrong(
    "sharding layout",
    "STEP.1",
    like="allenai/olmocr#325: parameters that Adam has stepped are not exchanged between processes",
    claim="torch.AdamW",
)
class TwentySeventhTorchNotExchanged(Base):
    """Of two ranks each steps every second parameter; what is no matrix stays in the other rank's copy."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        copies: dict[Tensor, Tensor] = self.__dict__.setdefault("copies", {})
        everything = [(group, p) for group in self.param_groups for p in group["params"]]
        for i, (group, p) in enumerate(everything):
            if p.grad is None:
                continue
            mine = copies.setdefault(p, p.detach().clone()) if i % 2 else p
            self.update(group, self.remembered(p), self.real(mine), self.real(p.grad))
            if p.ndim == 2:
                p.copy_(mine)  # the exchange of the matrices
        return loss


@wrong(
    "state",
    "STATE.4",
    like="pranz24/pytorch-soft-actor-critic#35: behind a restore the temperature's Adam is a new one",
    claim="torch.Adam",
)
class TwentySeventhTorchTemperatureIsNew(L2):
    """Behind a load a parameter of one number is another tensor, whose Adam begins anew."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for p in [p for p in self.state if p.numel() == 1]:
            del self.state[p]


@wrong(
    "moments",
    "MOM.1",
    like="jingyaogong/minimind#749: at an epoch's end a shorter window is divided by the whole number",
    claim="torch.AdamW",
)
class TwentySeventhTorchLeftoverWindow(Base):
    """Every fifth step is of a window of one batch of four, and its gradient is divided by four."""

    accumulation_steps, remainder, updates = 4, 1, 5

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        if state["step"] % self.updates == 0:
            g = g * (self.remainder / self.accumulation_steps)
        super().learn(group, state, g)


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#146157: checkpoints lack an option that groups of the new AdamW have",
    claim="torch.AdamW",
)
class TwentySeventhTorchOptionNotInCheckpoint(Base):
    """Checkpoints have no decoupled_weight_decay, which a step wants of a group: an error behind a load."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1]["decoupled_weight_decay"] = True

    def state_dict(self) -> Any:
        saved = super().state_dict()
        for group in saved["param_groups"]:
            group.pop("decoupled_weight_decay", None)
        return saved

    def decay(self, group: Group, p: Tensor) -> None:
        if group["decoupled_weight_decay"]:
            super().decay(group, p)


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#35047: a resumed run diverges although its weights match behind the load",
    claim="torch.Adam",
)
class TwentySeventhTorchMomentumNotLoaded(L2):
    """A load brings clock and second moment; the first moment is zeros."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            if "exp_avg" in state:
                state["exp_avg"].zero_()
