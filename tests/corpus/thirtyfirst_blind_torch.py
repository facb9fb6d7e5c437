"""Blind, thirty-first set: torch.optim.Optimizer subclasses after bugs of windows, scalers and rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "moments",
    "MOM.1",
    like="meta-pytorch/torchtune#2745: gradients of an epoch's last, partial window run into the next one",
    claim="torch.AdamW",
)
class ThirtyFirstTorchFifteenBatches(Base):
    """An epoch has seven windows of eight batches and seven more, which the next first step has on top."""

    windows, window, left = 7, 8, 7

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        done, before = int(state["step"]), state.get("accumulated")
        state["accumulated"] = g * (self.left / self.window)
        if done and done % self.windows == 0 and before is not None:
            g = g + before
        super().update(group, state, p, g)


@wrong(
    "loss_scale",
    "SCALE.2",
    like="Haian-Jin/LVSM#19: a step whose norm is too large is skipped, and GradScaler.update() with it",
    claim="torch.AdamW",
)
class ThirtyFirstTorchStaysUnscaled(Scaled):
    """A skipped step leaves the scaler in the stage behind unscale_: the next step is an error."""

    stage = "READY"

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if self.stage == "UNSCALED":
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        self.stage = "UNSCALED"
        loss = super().step(closure)
        if not self.overflowed():
            self.stage = "READY"
        return loss


@wrong(
    "loss_scale",
    "SCALE.2",
    like="ray-project/ray#47452: NaN gradients are applied, where the step has to be skipped",
    claim="torch.AdamW",
)
class ThirtyFirstTorchBadStepApplied(Scaled):
    """A step whose gradients are flagged is made all the same: NaN is in weights and moments for good."""

    def takes(self, present: list[Tensor]) -> bool:
        return True


@wrong(
    "moments clock",
    "STEP.1",
    like="shengshu-ai/minWM#12: grad_accum_steps counts in a check, and each micro-batch makes a step",
    claim="torch.AdamW",
)
class ThirtyFirstTorchStepOfEachBatch(Base):
    """Two micro-batches, which are to make one step by their mean, make two updates, each by its own."""

    grad_accum_steps = 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        for _ in range(self.grad_accum_steps):
            super().update(group, state, p, g)


@wrong(
    "hyperparameters",
    "LR.3",
    like="kengz/SLM-Lab#66: the spec that Adam is made of has no lr, and it has 0.001",
    claim="torch.Adam",
)
class ThirtyFirstTorchRateNotInSpec(L2):
    """The rate that is given is not in the spec of which the optimizer is made: it is 0.001."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        spec: dict[str, Any] = {"betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, **spec)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="Modalities/modalities#206: with FSDP2 gradients are clipped by the norm of a rank's own shard",
    claim="torch.AdamW",
)
class ThirtyFirstTorchNormOfOwnRows(Base):
    """Each of four ranks has some rows of each gradient, and clips them to 1 by the norm of those alone."""

    ranks, max_norm = 4, 1.0

    def chunks(self, g: Tensor) -> list[Tensor]:
        return list((g if g.ndim else g.reshape(1)).tensor_split(self.ranks))

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        squares = [0.0] * self.ranks
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    for rank, own in enumerate(self.chunks(self.real(p.grad))):
                        squares[rank] += float(own.double().square().sum())
        self.shares = [min(1.0, self.max_norm / (math.sqrt(x) + 1e-6)) for x in squares]
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        own = [part * share for part, share in zip(self.chunks(g), self.shares, strict=True)]
        super().update(group, state, p, torch.cat(own).reshape(g.shape))


@right(claim="torch.AdamW")
class ThirtyFirstRightTorchStages(Scaled):
    """AdamW below a scaler whose stage is put back behind each step, one that is skipped too."""

    stage = "READY"

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        self.stage = "UNSCALED"
        try:
            for group in self.param_groups:
                present = [p for p in group["params"] if p.grad is not None]
                if present and not self.overflowed():
                    self.together(group, present)
        finally:
            self.stage = "READY"
        return loss

    def together(self, group: Group, present: list[Tensor]) -> None:
        grads = [self.real(p.grad).clone() for p in present]
        if self.grad_scale is not None:
            for g in grads:
                g.div_(self.grad_scale)
        b1, b2 = group["betas"]
        for p, g in zip(present, grads, strict=True):
            state, x = self.remembered(p), self.real(p)
            state["step"] += 1
            t = int(state["step"])
            state["exp_avg"].lerp_(g, 1 - b1)
            state["exp_avg_sq"].mul_(b2).add_((g * (1 - b2)).mul_(g))
            below = state["exp_avg_sq"].sqrt().mul_(1 / math.sqrt(1 - b2**t)).add_(group["eps"])
            change = state["exp_avg"].div(below).mul_(group["lr"] / (1 - b1**t))
            x.mul_(1 - group["lr"] * group["weight_decay"]).sub_(change)
