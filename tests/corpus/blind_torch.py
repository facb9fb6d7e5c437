"""Blind: Adams as torch.optim.Optimizer subclasses, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from register import wrong
from torch import Tensor

Group = dict[str, Any]
State = dict[str, Any]


class Base(torch.optim.Optimizer):
    """AdamW, gathered for each group and then stepped parameter after parameter."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            if self.takes(present):
                for p in present:
                    self.update(self.settings(group, p), self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        if closure is None:
            return None
        with torch.enable_grad():
            return closure()

    def takes(self, present: list[Tensor]) -> bool:
        return True

    def settings(self, group: Group, p: Tensor) -> Group:
        return group

    def real(self, x: Any) -> Tensor:
        return torch.view_as_real(x) if x.is_complex() else x

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "exp_avg" not in state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(self.real(p))
            state["exp_avg_sq"] = torch.zeros_like(self.real(p))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        self.decay(group, p)
        self.learn(group, state, g)
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        self.move(group, state, p, c1, c2)

    def clock(self, state: State) -> int:
        return int(state["step"])

    def decay(self, group: Group, p: Tensor) -> None:
        p.mul_(1 - group["lr"] * group["weight_decay"])

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(g, alpha=1 - b1)
        state["exp_avg_sq"].mul_(b2).addcmul_(g, g, value=1 - b2)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / c1)


@wrong("decay", "DEC.2", like="workofart/ml-by-hand#88", claim="torch.AdamW")
class BlindTorchMatricesDecay(Base):
    """Only parameters of two dimensions and more decay."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return group if p.ndim > 1 else {**group, "weight_decay": 0.0}


@wrong("epsilon hyperparameters", "EPS.1", like="vwxyzjn/lm-human-preference-details#23", claim="torch.AdamW")
class BlindTorchEpsilonNotPassed(Base):
    """The epsilon that is given goes nowhere: it is 1e-8 always."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "eps": 1e-8}


@wrong("zero_gradient", "F2", like="kozistr/pytorch_optimizer#431", claim="torch.AdamW")
class BlindTorchZeroNormSkipped(Base):
    """A gradient of norm 0 is passed over, to save the division."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if torch.linalg.vector_norm(g) != 0:
            super().update(group, state, p, g)


class L2(Base):
    """torch.optim.Adam with AMSGrad: the penalty joins the gradient."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.amsgrad = amsgrad

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g.add(p, alpha=group["weight_decay"]))


@wrong(
    "amsgrad", "AMS.1", like="pytorch/pytorch#78807", claim="torch.Adam", options={"amsgrad": "True"},
)  # fmt: skip
class BlindTorchMaximumDropped(L2):
    """The maximum is taken, used and dropped: the stored one stays 0."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            stored = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = torch.maximum(stored, v)
        denominator = v.sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / c1)


@wrong("groups", "LR.4", like="PaddlePaddle/Paddle#63616", claim="torch.AdamW")
class BlindTorchBetasOfFirstGroup(Base):
    """Parameters of all groups are averaged and corrected with the first group's betas."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "betas": self.param_groups[0]["betas"]}


@wrong("state", "STATE.4", like="TrenTorch/TrenTorch#187, NVIDIA/TransformerEngine#3318", claim="torch.AdamW")
class BlindTorchStepOutside(Base):
    """The clocks are an attribute of the optimizer, which its state dict does not hold."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.clocks: dict[Tensor, int] = {}

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.pop("step", None)
        before = self.clocks.get(p, 0)
        self.clocks[p] = before + 1
        return {**state, "step": before}


@wrong("closure", "STEP.2", like="mpariente/Ranger-Deep-Learning-Optimizer#2", claim="torch.AdamW")
class BlindTorchClosureIgnored(Base):
    """The closure is accepted, and nobody calls it."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        return None


@wrong("nonfinite", "NF.2", like="facebookresearch/mmf#1073", claim="torch.AdamW")
class BlindTorchGroupSkipped(Base):
    """One number that is not finite, in any gradient, and no parameter of the group is stepped."""

    def takes(self, present: list[Tensor]) -> bool:
        return all(bool(torch.isfinite(self.real(p.grad)).all()) for p in present)


@wrong("schedule", "LR.1", like="pytorch/pytorch#107076", claim="torch.AdamW")
class BlindTorchRateBakedIn(Base):
    """The learning rate of the first step is compiled in."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.setdefault("compiled_lr", group["lr"])}


@wrong(
    "bias_correction", "BC.1", claim="torch.AdamW",
    like="tensorflow/tensorflow tensorflow/python/training/adam.py (its docstring)",
)  # fmt: skip
class BlindTorchRootOfBoth(Base):
    """The root is drawn over both corrections: lr*sqrt(c2/c1)."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, math.sqrt(c1), c2)
