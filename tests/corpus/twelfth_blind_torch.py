"""Blind, twelfth set: torch.optim.Optimizer subclasses, after the bugs of others, and a right one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat, Scaled
from torch import Tensor


@wrong(
    "decay decay_order",
    "DEC.5",
    like="aiqm/torchani#261: the decay should come before the parameters are updated",
    claim="fairseq.Adam",
)
class TwelfthTorchDecayOfUpdated(Hat):
    """The parameter decays when it has been updated."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        super().decay(group, p)


@wrong(
    "clipping",
    "CLIP.1",
    like="NVIDIA/apex#1512: the norm is of scaled gradients, and its factor meets unscaled ones",
    claim="torch.AdamW",
)
class TwelfthTorchFactorOfScaled(Scaled):
    """Gradients lose their loss scale, and are multiplied by what clips them with it to a norm of 1."""

    factor = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        total = math.hypot(*(float(torch.linalg.vector_norm(g)) for g in grads))
        self.factor = min(1.0, 1.0 / (total + 1e-6))
        return loss

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        super().learn(group, state, g * self.factor if self.factor < 1 else g)


@wrong(
    "amsgrad",
    "AMS.1",
    like="pytorch/pytorch#142323: the documentation corrects before the maximum, the code behind it",
    claim="torch.Adam",
    options={"amsgrad": "True"},
)
class TwelfthTorchMaximumOfCorrected(L2):
    """The maximum is that of the corrected second moments, as in the formula of the documentation."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"].div(c2)
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = torch.maximum(top, v, out=top)
        p.addcdiv_(state["exp_avg"], v.sqrt().add_(group["eps"]), value=-group["lr"] / c1)


@right(claim="timm.AdamW")
class TwelfthRightTorchMomentsTogether(Base):
    """AdamW whose moments are the layers of one tensor, which a step multiplies by both betas."""

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        both = torch.stack([state["exp_avg"], state["exp_avg_sq"]])
        both.mul_(torch.tensor([b1, b2], dtype=both.dtype).reshape(2, *[1] * g.ndim))
        both.add_(torch.stack([g * (1 - b1), g * (1 - b2) * g]))
        state["exp_avg"], state["exp_avg_sq"] = both.unbind()

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = state["exp_avg_sq"].sqrt().mul_(1 / math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], root, value=-group["lr"] / c1)
