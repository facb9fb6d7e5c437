"""Blind, twenty-eighth set: torch.optim.Optimizer subclasses after bugs of decays, rates and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "decay",
    "DEC.5",
    like="huggingface/transformers#18757: the parameter decays behind the step, by its new value",
    claim="torch.AdamW",
)
class TwentyEighthBTorchDecayBehind(Base):
    """The decay is that of the parameter as the step has left it."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        if group["weight_decay"] > 0:
            p.add_(p, alpha=-group["lr"] * group["weight_decay"])


@wrong(
    "epsilon hyperparameters",
    "EPS.1",
    like="dgriff777/rl_a3c_pytorch#29: the epsilon of the shared Adam is 1e-3",
    claim="torch.Adam",
)
class TwentyEighthBTorchSharedEpsilon(L2):
    """The shared Adam has an epsilon of 1e-3 of its own, in the place of the one that is given."""

    shared_eps = 1e-3

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "eps": self.shared_eps}


@wrong(
    "layout",
    "STEP.1",
    like="pytorch/pytorch#145674: a learning rate that is a tensor of one element, and has a dimension",
    claim="torch.AdamW",
)
class TwentyEighthBTorchRateHasDimension(Base):
    """The rate is a tensor of one dimension, which a parameter without a dimension cannot be stepped by."""

    def rate(self, group: Group, p: Tensor) -> Tensor:
        return torch.as_tensor(group["lr"], dtype=p.dtype).reshape(1)

    def decay(self, group: Group, p: Tensor) -> None:
        p.mul_(1 - self.rate(group, p) * group["weight_decay"])

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.sub_((self.rate(group, p) / c1) * (state["exp_avg"] / denominator))


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="pytorch/pytorch#120376: parameters of bf16 are rounded to the nearest, and small updates are lost",
    claim="torch.AdamW",
)
class TwentyEighthBTorchNearestBrain(Base):
    """What is written back is rounded to the nearest number of bfloat16: a small update leaves no trace."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        p.copy_(p.to(torch.bfloat16))


@wrong(
    "moments layout",
    "MOM.1",
    like="huggingface/lerobot#2470: the shared encoder is in the actor's optimizer and in the critic's",
    claim="torch.Adam",
)
class TwentyEighthBTorchSharedEncoder(L2):
    """The first parameter is in two optimizers, each with moments of its own: it is stepped twice."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g)
        encoder = self.param_groups[0]["params"][0]
        if self.state.get(encoder) is state:
            names = ("exp_avg", "exp_avg_sq")
            if "actor" not in state:
                state["actor"] = {"step": 0, **{name: torch.zeros_like(state[name]) for name in names}}
            super().update(group, state["actor"], p, g)


@wrong(
    "loss_scale",
    "SCALE.1",
    like="hpcaitech/ColossalAI#527: the CPU's Adam divides by the loss scale, and so does who calls it",
    claim="torch.AdamW",
)
class TwentyEighthBTorchUnscaledTwice(Scaled):
    """Gradients are divided by the loss scale before the step, and in the step once more."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g if self.grad_scale is None else g / self.grad_scale)


@wrong(
    "hyperparameters",
    "LR.4",
    like="eriklindernoren/PyTorch-YOLOv3#298: rate and decay of the config are never handed to Adam",
    claim="torch.Adam",
)
class TwentyEighthBTorchConfigNotPassed(L2):
    """The rate and the decay that are given go nowhere: Adam has its own, which are 1e-3 and 0."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, betas=betas, eps=eps, amsgrad=amsgrad)


@right(claim="torch.AdamW")
class TwentyEighthBRightTorchRateOfNoDimension(Base):
    """AdamW whose rate may be a tensor of one element, of which it takes away the dimension."""

    def rate(self, group: Group, divisor: float, p: Tensor) -> Tensor:
        lr: Any = group["lr"]
        whole = torch.as_tensor(lr, dtype=torch.float64).reshape(())
        return (whole / divisor).to(p.dtype)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.add_(g - m, alpha=1 - b1)
        v.mul_(b2).add_(((1 - b2) * g) * g)
        t = int(state["step"])
        below = v.sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"])
        decayed = p - self.rate(group, 1.0, p) * (group["weight_decay"] * p)
        p.copy_(decayed - self.rate(group, 1 - b1**t, p) * (m / below))
