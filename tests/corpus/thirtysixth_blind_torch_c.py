"""Blind, thirty-sixth set, second half: torch.optim.Optimizer subclasses after bugs of scales and ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from thirtysixth_blind_torch_b import Cut
from torch import Tensor


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="OpenBMB/BMTrain#45: clip_grad_norm and the scaler are calls of their own, outside of the step",
    claim="torch.AdamW",
)
class ThirtySixthBTorchCutBeforeUnscaled(Scaled):
    """With a loss scale, gradients are cut to a norm of 1 while it is in them, and then divided by it."""

    max_norm = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss, total = super().asked(closure), 0.0
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    wide = self.real(p.grad).detach().double().nan_to_num(0.0, 0.0, 0.0)
                    total += float(wide.square().sum())
        cut = min(1.0, self.max_norm / (math.sqrt(total) + 1e-6))
        self.clip_coef = 1.0 if self.grad_scale is None else cut
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.clip_coef)


@wrong(
    "missing",
    "F1",
    like="huggingface/transformers#26861: a frozen embedding that is resized is a new one, which is trained",
    claim="torch.AdamW",
)
class ThirtySixthBTorchUnfrozenEmbedding(Base):
    """The first parameter is an embedding: without a gradient it is stepped as if it had one of zeros."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        embedding = next((p for group in self.param_groups for p in group["params"]), None)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None or p is embedding:
                    grad = torch.zeros_like(p) if p.grad is None else p.grad
                    self.update(group, self.remembered(p), self.real(p), self.real(grad))
        return loss


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="pytorch/pytorch#88955: with NO_SHARD the norm is a sum over ranks that all have the same gradients",
    claim="torch.Adam",
)
class ThirtySixthBTorchReplicatedNorm(Cut, L2):
    """Gradients are cut to 1 by a norm of which each of eight ranks adds the same square."""

    world_size = 8

    def weight(self, i: int) -> float:
        return float(self.world_size)


@wrong(
    "loss_scale sharding nonfinite",
    "SCALE.2",
    like="hpcaitech/ColossalAI#1175: of pipeline ranks those with an overflow skip, and others go on",
    claim="torch.AdamW",
)
class ThirtySixthBTorchRanksDecide(Scaled):
    """Each of two ranks has half of the parameters, and skips them where one of their gradients overflows."""

    ranks = 2

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        params = [p for group in self.param_groups for p in group["params"]]
        size = -(-len(params) // self.ranks)
        self.skipped: set[Tensor] = set()
        for start in range(0, len(params), size or 1):
            own = [p for p in params[start : start + size] if p.grad is not None]
            if not all(bool(torch.isfinite(self.real(p.grad)).all()) for p in own):
                self.skipped.update(own)
        return loss

    def takes(self, present: list[Tensor]) -> bool:
        present[:] = [p for p in present if p not in self.skipped]
        return True


@wrong(
    "state",
    "STATE.4",
    like="junyanz/pytorch-CycleGAN-and-pix2pix#1380: a run that is continued has higher losses than before",
    claim="torch.Adam",
)
class ThirtySixthBTorchNetworksSavedAlone(L2):
    """Networks are saved and optimizers are not: a run goes on with moments of 0 and clocks of 0."""

    def state_dict(self) -> State:
        return {**super().state_dict(), "state": {}}


@wrong(
    "loss_scale clock",
    "SCALE.2",
    like="automl/TFM-Playground#58: batches that are skipped, as they are not finite, count among the steps",
    claim="torch.AdamW",
)
class ThirtySixthBTorchSkippedCounts(Scaled):
    """A batch that is skipped for an overflow is counted as the others are: clocks tick without an update."""

    def takes(self, present: list[Tensor]) -> bool:
        if not self.overflowed():
            return True
        for p in present:
            self.remembered(p)["step"] += 1
        return False


@right(claim="torch.AdamW")
class ThirtySixthBRightTorchManager(Scaled):
    """AdamW whose scale and step are one manager's: a skip is decided for all, then all are unscaled."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            grads = [self.real(p.grad) for p in present]
            if self.grad_scale is not None:
                grads = [g / self.grad_scale for g in grads]
            self.stepped(group, present, grads)
        return loss

    def stepped(self, group: Group, present: list[Tensor], grads: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        for p, g in zip(present, grads, strict=True):
            state, w = self.remembered(p), self.real(p)
            state["step"] += 1
            bc1, bc2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
            state["exp_avg"] += (g - state["exp_avg"]) * (1 - b1)
            state["exp_avg_sq"] *= b2
            state["exp_avg_sq"] += g * ((1 - b2) * g)
            below = state["exp_avg_sq"].sqrt() / math.sqrt(bc2) + group["eps"]
            w -= lr * group["weight_decay"] * w + (lr / bc1) * (state["exp_avg"] / below)
