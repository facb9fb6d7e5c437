"""Blind, twenty-fourth set: torch.optim.Optimizer subclasses after bugs in clips, masters and epsilons."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "clipping",
    "STEP.1",
    like="huggingface/pytorch-image-models#2790: the divisor of the update's clip is 1 at most, not at least",
    claim="timm.AdamW",
)
class TwentyFourthBTorchClipScalesUp(Base):
    """An update whose RMS is below 1 is divided by it, and one whose RMS is above 1 stays as it is."""

    clipping_threshold = 1.0

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        update = state["exp_avg"] / (state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"]))
        update.div_(c1)
        rms = update.norm(2) / max(update.numel(), 1) ** 0.5
        update.div_((rms / self.clipping_threshold).clamp_(max=1.0))
        p.add_(update, alpha=-group["lr"])


@wrong(
    "groups decay",
    "LR.4",
    like="huggingface/transformers#16908: the head's norm is layer_norm, not the filter's LayerNorm.weight",
    claim="torch.AdamW",
)
class TwentyFourthBTorchNormOfHeadDecays(Base):
    """The last vector of those without decay, the head's norm, decays as the decaying group does."""

    def settings(self, group: Group, p: Tensor) -> Group:
        free = [other for other in self.param_groups if not other["weight_decay"]]
        norms = [q for other in free for q in other["params"] if q.ndim == 1]
        if not norms or p is not norms[-1]:
            return group
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@wrong(
    "state storage",
    "STATE.4",
    like="databricks/megablocks#80: the optimizer's masters are reloaded behind a load for fp16 alone",
    claim="torch.AdamW",
)
class TwentyFourthBTorchMastersOfStart(Base):
    """Masters are copied with the construction: what is loaded later is overwritten by their next update."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            self.master(p)

    def master(self, p: Tensor) -> Tensor:
        masters: dict[Tensor, Tensor] = self.__dict__.setdefault("masters", {})
        if p not in masters:
            masters[p] = p.detach().clone()
        return masters[p]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                master = self.master(p)
                self.update(group, self.remembered(p), self.real(master), self.real(p.grad))
                p.copy_(master)
        return loss

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                if p.dtype is torch.float16:
                    self.master(p).copy_(p.detach())


@wrong(
    "state storage",
    "STATE.4",
    like="NVIDIA-NeMo/Megatron-Bridge#4082: one of three fp32 copies is refreshed, the others are random",
    claim="torch.AdamW",
)
class TwentyFourthBTorchStaleCopies(Base):
    """The first step behind a load is made of weights that a new model is drawn with, and writes those."""

    stale = False

    def drawn(self, p: Tensor, seed: int) -> Tensor:
        return torch.empty_like(p).normal_(std=0.02, generator=torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.stale:
            params = [p for group in self.param_groups for p in group["params"]]
            for seed, p in enumerate(params):
                p.copy_(self.drawn(p, seed))
            self.stale = False
        super().step()
        return loss

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.stale = True


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="k2-fsa/icefall#2081: unscale_ is commented out, and clip_grad_norm_ meets scaled gradients",
    claim="torch.AdamW",
)
class TwentyFourthBTorchNotUnscaledForClip(Base):
    """The norm of all gradients is cut to 1 while they are multiplied by 65536, which is undone then."""

    scale, max_norm, coefficient = 2.0**16, 1.0, 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        present = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms = [torch.linalg.vector_norm(self.real(p.grad).double() * self.scale) for p in present]
        total = float(torch.stack(norms).norm()) if norms else 0.0
        self.coefficient = min(self.max_norm / (total + 1e-6), 1.0)
        super().step()
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        clipped = (g * self.scale).mul_(self.coefficient)
        super().update(group, state, p, clipped.div_(self.scale))


@wrong(
    "epsilon",
    "EPS.1",
    like="kozistr/pytorch_optimizer#398: the helper adds eps to v under the root, and to the root again",
    claim="torch.AdamW",
)
class TwentyFourthBTorchEpsilonTwice(Base):
    """Epsilon is added to the second moment, and once more to the corrected root of that."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        de_nom = state["exp_avg_sq"].add(group["eps"]).sqrt_().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], de_nom, value=-group["lr"] / c1)
