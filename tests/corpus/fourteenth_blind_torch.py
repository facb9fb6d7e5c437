"""Blind, fourteenth set: torch.optim.Optimizer subclasses, after the bugs of others, and a right one."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "schedule hyperparameters",
    "LR.1",
    like="offbit/evo-design#3: weight_decay is used instead of lr where the optimizer is made",
    claim="torchao.AdamW",
)
class FourteenthTorchRateIsDecay(Base):
    """The optimizer is made with the weight decay for a learning rate, until a new rate is set."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, weight_decay, betas, eps, weight_decay)


@wrong(
    "amsgrad",
    "AMS.1",
    like="NVIDIA-NeMo/Speech#775: Adam is made without eps and amsgrad, which the settings have",
    claim="torchao.Adam",
    options={"amsgrad": "True"},
)
class FourteenthTorchMaximumNotPassed(L2):
    """The flag for the maximum is an argument that is not handed on: the second moment is used as it is."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = torch.maximum(top, v, out=top)
        p.addcdiv_(state["exp_avg"], v.sqrt().div_(math.sqrt(c2)).add_(group["eps"]), value=-group["lr"] / c1)


@wrong(
    "layout schedule",
    "STEP.1",
    like="MoonshotAI/Moonlight#40: the rate is adjusted by two axes, and the decay has it as it was",
    claim="flashoptim.FlashAdamW",
)
class FourteenthTorchRateOfTwoAxes(Base):
    """From two axes on, the step is multiplied by a fifth of the root of the longer one of the first two."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        ratio = 0.2 * math.sqrt(max(p.shape[:2])) if p.ndim >= 2 else 1.0
        super().move({**group, "lr": group["lr"] * ratio}, state, p, c1, c2)


@right(claim="torch.AdamW")
class FourteenthRightTorchAxesReversed(Base):
    """AdamW whose moments lie in memory with their axes in reverse order."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "exp_avg" not in state:
            real = self.real(p)
            back = tuple(reversed(range(real.ndim)))
            first, second = (real.new_zeros(tuple(reversed(real.shape))).permute(back) for _ in range(2))
            state.update(step=0, exp_avg=first, exp_avg_sq=second)
        return state
