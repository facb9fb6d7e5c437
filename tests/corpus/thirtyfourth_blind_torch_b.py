"""Blind, thirty-fourth set, second half: torch optimizers after bugs of handovers and norms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch import Multiplied, norm_of
from tenth_blind_torch import Scaled
from torch import Tensor

Replace = Callable[[Tensor], Tensor]


def replaced(given: Iterable[Any], replace: Replace) -> list[Any]:
    """Return parameters, or groups of them, in which a function has put others in their places."""
    made: list[Any] = []
    for x in given:
        if isinstance(x, dict):
            params = [x["params"]] if isinstance(x["params"], Tensor) else list(x["params"])
            made.append({**x, "params": [replace(p) for p in params]})
        else:
            made.append(replace(x))
    return made


def moved(p: Tensor) -> Tensor:
    """Return another tensor with the numbers of this one."""
    return p.detach().clone().requires_grad_(p.requires_grad)


@wrong(
    "layout aliasing",
    "STEP.1",
    like="mlverse/torch#481: the optimizer is made of parameters before the model moves to its device",
    claim="torch.Adam",
)
class ThirtyFourthBTorchMadeBeforeMove(L2):
    """It holds the tensors of before the move, which have no gradients: those that are trained stay put."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(replaced(params, moved), *args, **kwargs)


@wrong(
    "layout aliasing",
    "STEP.1",
    like="huggingface/transformers#3519: the embedding is resized after the optimizer has been given it",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchOldEmbedding(Base):
    """The first matrix is the embedding as it was before it was resized: the new one is never updated."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        found: list[Tensor] = []

        def old(p: Tensor) -> Tensor:
            if found or p.ndim != 2:
                return p
            found.append(p)
            return moved(p)

        super().__init__(replaced(params, old), *args, **kwargs)


@wrong(
    "clipping",
    "CLIP.2",
    like="facebookresearch/lingua#59: the norm is clipped in every micro step, with what has been summed up",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchClipsPartialSums(Base):
    """Each micro-batch has a quarter of the elements: what is summed up is cut to 1 behind each of them."""

    grad_acc_steps, max_norm = 4, 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        grads = [self.real(p.grad).detach().reshape(-1) for p in params]
        whole = torch.cat([g.double() for g in grads]) if grads else torch.zeros(0, dtype=torch.float64)
        total = torch.zeros_like(whole)
        for k in range(self.grad_acc_steps):
            part = slice(k, None, self.grad_acc_steps)
            total[part] += whole[part]
            norm = float(torch.linalg.vector_norm(total.nan_to_num(0.0, 0.0, 0.0)))
            if norm > self.max_norm:
                total *= self.max_norm / (norm + 1e-6)
        pieces = total.split([g.numel() for g in grads])
        self.summed = dict(zip(params, pieces, strict=True))
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "summed": self.summed[p]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, group["summed"].view(g.shape).to(g.dtype))


@wrong(
    "loss_scale",
    "SCALE.1",
    like="InternLM/InternEvo#398: with cpu_offload Adam has a copy from before unscaling and clipping",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchOffloadedTooEarly(Scaled):
    """Copies go to the CPU first; what loses the loss scale, and is clipped, are the tensors left behind."""

    clip_grad_norm = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        self.offloaded = {p: self.real(p.grad).detach().clone() for p in params}
        scale = 1.0 if self.grad_scale is None else float(self.grad_scale)
        device = [p.grad / scale for p in params]
        norm = norm_of(device)
        if norm > self.clip_grad_norm:
            device = [g.mul_(self.clip_grad_norm / norm) for g in device]
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "offloaded": self.offloaded[p]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, group["offloaded"])


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="ByteDance-Seed/VeOmni#185: norms are reduced by hand, wrongly where shards have replicas",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchReplicasInNorm(Multiplied):
    """Squares are added up over all ranks, of which two have the same: gradients are cut from 0.7 on."""

    replicas, max_norm = 2, 1.0

    def formed(self, grads: list[Tensor]) -> float:
        norm = math.sqrt(self.replicas) * norm_of([g.nan_to_num(0.0, 0.0, 0.0) for g in grads])
        return min(1.0, self.max_norm / (norm + 1e-6))


@wrong(
    "loss_scale",
    "SCALE.1",
    like="Lightning-AI/pytorch-lightning#4427: with accumulation unscale_ is called twice for one step",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchUnscaledTwice(Scaled):
    """The gradient loses the loss scale where it has been accumulated, and once more where it is clipped."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g if self.grad_scale is None else g / self.grad_scale)


@wrong(
    "moments clock",
    "MOM.1",
    like="huggingface/diffusers#308: gradient_accumulation_steps are not passed on to the Accelerator",
    claim="torch.AdamW",
)
class ThirtyFourthBTorchStepsByMicroBatch(Base):
    """Nothing is accumulated: each of four micro-batches makes a step of its own, and counts as one."""

    gradient_accumulation_steps = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        for _ in range(self.gradient_accumulation_steps):
            super().update(group, state, p, g)


@right(claim="torch.AdamW")
class ThirtyFourthBRightTorchOffloaded(Scaled):
    """AdamW that steps by a list of copies of the gradients, from which the loss scale is taken first."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        jobs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        offloaded = [self.real(p.grad).detach().clone() for _, p in jobs]
        if self.grad_scale is not None:
            offloaded = [g.div_(self.grad_scale) for g in offloaded]
        for (group, p), g in zip(jobs, offloaded, strict=True):
            Base.update(self, group, self.remembered(p), self.real(p), g)
        return loss

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        ratio = state["exp_avg"] / (state["exp_avg_sq"].sqrt() * (1 / math.sqrt(c2)) + group["eps"])
        p.sub_(ratio, alpha=group["lr"] / c1)


@right(claim="torch.Adam")
class ThirtyFourthBRightTorchZeroDim(L2):
    """Adam whose coefficients are tensors of float64 without a dimension, and whose clock is one of int64."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.int64)
            state["exp_avg"], state["exp_avg_sq"] = (torch.zeros_like(self.real(p)) for _ in range(2))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = torch.as_tensor(state["step"], dtype=torch.int64) + 1
        d = torch.add(g, p, alpha=group["weight_decay"])
        b1, b2 = (torch.tensor(b, dtype=torch.float64) for b in group["betas"])
        m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
        m.copy_(m + (1 - b1) * (d - m))
        v.copy_(v * b2 + ((1 - b2) * d) * d)
        size, root = group["lr"] / (1 - b1**t), torch.sqrt(1 - b2**t)
        p.copy_(p - size * (m / (v.sqrt() / root + group["eps"])))
