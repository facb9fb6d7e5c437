"""Blind, thirtieth set: torch.optim.Optimizer subclasses after bugs in closures, loads and clips."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch import Multiplied, norm_of
from thirtieth_blind_torch_b import Halves
from torch import Tensor


@wrong(
    "closure",
    "STEP.2",
    like="soumith/dcgan.torch#21: the generator's gradient goes through a discriminator that Adam changed",
    claim="torch.Adam",
)
class ThirtiethBTorchThroughChanged(L2):
    """A half of the parameters is stepped, and the closure is called anew for the gradients of the others."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        params = [(group, p) for group in self.param_groups for p in group["params"]]
        half = (len(params) + 1) // 2
        discriminator, generator = params[:half], params[half:]
        self.through(discriminator)
        if generator:
            self.asked(closure)
            self.through(generator)
        return loss

    def through(self, params: list[tuple[Group, Tensor]]) -> None:
        for group, p in params:
            if p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))


@wrong(
    "state groups",
    "STATE.4",
    like="CaptainEven/MCMOT#92: a checkpoint has a second group, which the trainer adds behind the load",
    claim="torch.Adam",
)
class ThirtiethBTorchGroupAddedLater(L2):
    """Until the first step there is one group, and the others are added then: a state of more is refused."""

    begun = False

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.begun = True
        return super().step(closure)

    def load_state_dict(self, state_dict: State) -> None:
        groups = self.param_groups
        if not self.begun:
            self.param_groups = groups[:1]
        try:
            super().load_state_dict(state_dict)
        except ValueError:
            self.param_groups = groups
            raise


@wrong(
    "state loss_scale",
    "STATE.4",
    like="huggingface/accelerate#4289: a load makes a dummy step by the wrapper, which steps the scaler too",
    claim="torch.AdamW",
)
class ThirtiethBTorchDummyStepOfScaler(Halves):
    """A load makes a step of nothing by the wrapper: the restored scale grows, and a step is lost."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.scale, self.grown = self.scale * 2, True


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="victorchall/EveryDream2trainer#175: a norm of 1.0 is that of gradients that have the scale in them",
    claim="torch.AdamW",
)
class ThirtiethBTorchClippedScaled(Base):
    """Gradients are clipped to a norm of 1 with a loss scale of 2**16 in them, which is divided out then."""

    scale, clip = 2.0**16, 1.0
    factor = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        self.factor = min(1.0, self.clip / (norm_of(grads) * self.scale + 1e-6))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        clipped = (g * self.scale) * self.factor
        super().update(group, state, p, clipped / self.scale)


@wrong(
    "nonfinite clipping",
    "NF.2",
    like="kyutai-labs/pocket-tts#262: a norm that is not finite goes into the step, and all weights are NaN",
    claim="torch.AdamW",
)
class ThirtiethBTorchBadNormIsStepped(Multiplied):
    """The gradients are multiplied by what their norm leaves, and that is NaN if one number is not finite."""

    max_norm = math.inf

    def formed(self, grads: list[Tensor]) -> float:
        coefficient = self.max_norm / (norm_of(grads) + 1e-6)
        return coefficient if coefficient < 1.0 or math.isnan(coefficient) else 1.0


@right(claim="torch.Adam", options={"amsgrad": "True"})
class ThirtiethBRightTorchMaximumOfReals(L2):
    """AMSGrad by one tensor for each parameter, whose maximum is real for complex numbers too."""

    @torch.no_grad()
    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr, eps = group["betas"], group["lr"], group["eps"]
        state["step"] += 1
        if group["weight_decay"]:
            g = torch.add(g, p, alpha=group["weight_decay"])
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.lerp_(g, 1 - b1)
        v.mul_(b2).addcmul_(g, g, value=1 - b2)
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = torch.maximum(top, v, out=top)
        size = lr / (1 - b1 ** state["step"])
        below = (v.sqrt() / math.sqrt(1 - b2 ** state["step"])).add_(eps)
        p.sub_(size * (m / below))
