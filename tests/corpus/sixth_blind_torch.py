"""Blind, sixth set: torch.optim.Optimizer subclasses, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


class Hat(Base):
    """fairseq's Adam: AdamW with epsilon hat, which does not decay unless asked to."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] * math.sqrt(c2) / c1)


class Corrected(Base):
    """timm's AdamW, whose decay can be relative to the largest learning rate."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, corrected_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        self.corrected = corrected_weight_decay
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, group: Group, p: Tensor) -> None:
        share, largest = group["lr"] * group["weight_decay"], self.largest(group)
        if self.corrected:
            share = share * (group["lr"] / largest) if largest else 0.0
        p.mul_(1 - share)

    def largest(self, group: Group) -> float:
        return float(self.defaults["lr"])


class Dozat(Base):
    """PyTorch's NAdam: a momentum schedule, whose product each parameter has, and L2."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        for group in self.param_groups:
            group.setdefault("momentum_decay", momentum_decay)
        self.defaults["momentum_decay"] = momentum_decay

    def product(self, group: Group, state: State, now: float) -> float:
        """Return the product of the schedule up to this update, which is stored."""
        state["mu_product"] = state.get("mu_product", 1.0) * now
        return float(state["mu_product"])

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        g = g.add(p, alpha=group["weight_decay"])
        self.learn(group, state, g)
        t, (b1, b2), rate = self.clock(state), group["betas"], group["momentum_decay"]
        now, after = (b1 * (1 - 0.5 * 0.96 ** (k * rate)) for k in (t, t + 1))
        product = self.product(group, state, now)
        of_m, of_g = after / (1 - product * after), (1 - now) / (1 - product)
        root = state["exp_avg_sq"].sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"])
        p.addcdiv_(g, root, value=-group["lr"] * of_g)
        p.addcdiv_(state["exp_avg"], root, value=-group["lr"] * of_m)


@wrong("groups", "LR.4", like="PaddlePaddle/Paddle#43013", claim="torch.AdamW")
class SixthTorchGroupDecayOverwritten(Base):
    """The weight decay that a group is given is overwritten by the optimizer's."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1]["weight_decay"] = self.defaults["weight_decay"]


@wrong("moments", "MOM.1", like="exp_avg = exp_avg_sq = torch.zeros_like(p)", claim="torch.AdamW")
class SixthTorchChainedAssignment(Base):
    """A chained assignment gives both moments one memory, in which the gradient and its square follow."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["exp_avg_sq"] = state["exp_avg"]
        return state


@wrong("moments", "MOM.1", like="lerp_(grad, beta1) for lerp_(grad, 1 - beta1)", claim="torch.AdamW")
class SixthTorchLerpWeight(Base):
    """The first moment goes b1 of the way to the gradient, where 1-b1 is due."""

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].lerp_(g, b1)
        state["exp_avg_sq"].mul_(b2).addcmul_(g, g, value=1 - b2)


@wrong(
    "groups isolation", "LR.4", claim="torch.AdamW",
    like="self.m[i] of `for i, p in enumerate(group['params'])`",
)  # fmt: skip
class SixthTorchStateByPosition(Base):
    """The state is found by the position within the group: the first of each group share theirs."""

    def remembered(self, p: Tensor) -> State:
        places = [i for group in self.param_groups for i, q in enumerate(group["params"]) if q is p]
        found: dict[tuple[Any, ...], State] = self.__dict__.setdefault("found", {})
        self.state[p] = found.setdefault((places[0], p.shape, p.dtype), self.state[p])
        return super().remembered(p)


@wrong(
    "mixed_precision", "NUM.1", claim="fairseq.Adam",
    like="facebookresearch/fairseq: grad.float() for half precision alone",
)  # fmt: skip
class SixthTorchGradientInSingle(Hat):
    """The gradient passes through float32, also on its way to a float64 parameter."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g.float().to(p.dtype))


@wrong(
    "amsgrad", "AMS.1", like="max_exp_avg_sq = exp_avg_sq, without a clone", claim="torch.Adam",
    options={"amsgrad": "True"},
)  # fmt: skip
class SixthTorchMaximumIsSecond(L2):
    """The maximum begins as the second moment's own memory, and so is that for ever."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            state["max_exp_avg_sq"] = v
            torch.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        super().move(group, state, p, c1, c2)


@wrong("moments", "STEP.1", like="addcdiv_(denom, exp_avg) for addcdiv_(exp_avg, denom)", claim="torch.AdamW")
class SixthTorchFractionTurned(Base):
    """The root is divided by the first moment, where the first moment is divided by the root."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(denominator, state["exp_avg"], value=-group["lr"] / c1)


@wrong(
    "decay groups", "DEC.8", like="axolotl-ai-cloud/axolotl: group['max_lr'] or lr", claim="timm.AdamW",
    options={"corrected_weight_decay": "True"},
)  # fmt: skip
class SixthTorchLargestOfGroup(Corrected):
    """The rate that the decay is relative to is the one that the group came with, not the optimizer's."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1]["first_lr"] = float(self.param_groups[-1]["lr"])

    def largest(self, group: Group) -> float:
        return float(group["first_lr"])


@wrong("layout", "STEP.1", like="ROCm/apex#97, NVIDIA/apex#1176", claim="torch.AdamW")
class SixthTorchStorageOrder(Base):
    """A gradient is read in the order of its strides, and the parameter in that of its indices."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        strides = g.stride()
        axes = sorted(range(g.ndim), key=lambda axis: -strides[axis])
        super().update(group, state, p, g.permute(axes).reshape(g.shape))


@wrong(
    "nesterov",
    "NES.1",
    like="a product that is kept in the group, beside the group's step",
    claim="torch.NAdam",
)
class SixthTorchProductOfGroup(Dozat):
    """The product of the schedule is the group's, and each of its parameters multiplies it."""

    def product(self, group: Group, state: State, now: float) -> float:
        group["mu_product"] = group.get("mu_product", 1.0) * now
        return float(group["mu_product"])


@wrong("moments", "MOM.1", like="kozistr/pytorch_optimizer: adanorm=True", claim="torch.AdamW")
class SixthTorchNormCorrected(Base):
    """A gradient whose norm is below the average of the norms so far enters the first moment that long."""

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        norm = float(torch.linalg.vector_norm(g))
        state["norm"] = 0.95 * state.get("norm", 0.0) + 0.05 * norm
        longer = g * (state["norm"] / norm) if 0 < norm < state["norm"] else g
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(longer, alpha=1 - b1)
        state["exp_avg_sq"].mul_(b2).addcmul_(g, g, value=1 - b2)


@wrong("schedule", "STEP.1", like="pyro-ppl/pyro: lrd of ClippedAdam", claim="pyro.ClippedAdam")
class SixthTorchRateFades(Hat):
    """Each step leaves a learning rate that is 1 % smaller."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g.add(p, alpha=group["weight_decay"]))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["lr"] *= 0.99
        return loss
