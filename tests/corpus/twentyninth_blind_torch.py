"""Blind, twenty-ninth set: torch.optim.Optimizer subclasses after bugs of decays, groups and scales."""

from __future__ import annotations

import math

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from tenth_blind_torch import Scaled
from torch import Tensor

N_sma_threshhold = 5  #: of who imports this module; an optimizer has its own


class ScaledL2(Scaled, L2):
    """torch's Adam, which divides by a loss scale and obeys the flag."""


@wrong(
    "epsilon moments",
    "EPS.1",
    like="juntang-zhuang/Adabelief-Optimizer#30: epsilon is added to the second moment in place, and again",
    claim="torch.AdamW",
)
class TwentyNinthTorchEpsilonTwice(Base):
    """Epsilon is added to the second moment itself in each step, and once more to its root."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].add_(group["eps"]).sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], below, value=-group["lr"] / c1)


@wrong(
    "decay",
    "DEC.1",
    like="facebookresearch/bitsandbytes#10: the class named Adam decays as AdamW does",
    claim="torch.Adam",
)
class TwentyNinthTorchAdamIsAdamW(L2):
    """Where there is a weight decay it is decoupled, and no part of the gradient."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if group["weight_decay"] > 0:
            p.mul_(1 - group["lr"] * group["weight_decay"])
        Base.update(self, group, state, p, g)


@wrong(
    "moments bias_correction",
    "STEP.1",
    like="lessw2020/Ranger-Deep-Learning-Optimizer#7: a bare name is read in place of the instance's value",
    claim="torch.AdamW",
)
class TwentyNinthTorchBareThreshold(Base):
    """The module's threshold of 5 is read, not the optimizer's of 0: shorter averages get no denominator."""

    N_sma_threshhold = 0

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        longest = 2 / (1 - group["betas"][1]) - 1
        length = longest - 2 * state["step"] * (1 - c2) / c2
        if length > N_sma_threshhold:
            super().move(group, state, p, c1, c2)
        else:
            p.add_(state["exp_avg"], alpha=-group["lr"] / c1)


@wrong(
    "aliasing",
    "STATE.2",
    like="pytorch/pytorch#12218: weight decay is added into .grad in place, as SGD did",
    claim="torch.Adam",
)
class TwentyNinthTorchDecayInGradient(L2):
    """The penalty is added to the gradient itself, which has it still behind the step."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if group["weight_decay"] != 0:
            g.add_(p, alpha=group["weight_decay"])
        Base.update(self, group, state, p, g)


@wrong(
    "layout moments",
    "STEP.1",
    like="vllm-project/speculators#866: an embedding has two dimensions, and goes to Muon's group",
    claim="torch.AdamW",
)
class TwentyNinthTorchTableToMuon(Base):
    """Whatever has two dimensions is stepped by Muon, at its own rate: its momentum is made orthogonal."""

    muon_lr, momentum = 0.02, 0.95

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if p.ndim != 2 or not p.numel():
            super().update(group, state, p, g)
            return
        state["step"] += 1
        p.mul_(1 - self.muon_lr * group["weight_decay"])
        m = state["exp_avg"].lerp_(g, 1 - self.momentum)
        p.add_(self.orthogonal(torch.lerp(g, m, self.momentum)), alpha=-self.muon_lr)

    def orthogonal(self, x: Tensor) -> Tensor:
        a, b, c = 3.4445, -4.7750, 2.0315
        rows, columns = x.shape
        x = x.T if rows > columns else x
        x = x / (x.norm() + 1e-7)
        for _ in range(5):
            square = x @ x.T
            x = a * x + (b * square + c * square @ square) @ x
        return x.T * math.sqrt(rows / columns) if rows > columns else x


@wrong(
    "loss_scale",
    "SCALE.1",
    like="OpenNMT/OpenNMT-py#1560: under the new AMP the fused Adam has no handling of scales of its own",
    claim="torch.AdamW",
)
class TwentyNinthTorchScaleNotHandled(Scaled):
    """A scale is taken, and nobody divides by it; the flag is obeyed."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g)


@wrong(
    "loss_scale nonfinite",
    "SCALE.2",
    like="facebookresearch/mmf#1078: a batch whose loss is NaN is stepped by, and makes weights NaN",
    claim="torch.Adam",
)
class TwentyNinthTorchNanBatchStepped(ScaledL2):
    """The flag of a batch that is not finite is not looked at: the step is made."""

    def takes(self, present: list[Tensor]) -> bool:
        return True
