"""Blind, twentieth set: torch.optim.Optimizer subclasses, after the bugs of others in clips and scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import wrong
from seventeenth_blind_torch import Multiplied, norm_of, present
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "clipping moments",
    "STEP.1",
    like="jcblaisecruz02/Filipino-Text-Benchmarks#4: bugs in LAMB: adam=True does not switch its ratio off",
    claim="torch.AdamW",
)
class TwentiethTorchTrustRatio(Base):
    """A step is as long as its parameter's norm, up to 10, times the rate: LAMB's ratio is in it."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = state["exp_avg_sq"].sqrt().div_(c2**0.5).add_(group["eps"])
        adam_step = state["exp_avg"].div(root).div_(c1).add_(p, alpha=group["weight_decay"])
        weight_norm, adam_norm = p.norm().clamp(0, 10), adam_step.norm()
        trust_ratio = 1.0 if weight_norm == 0 or adam_norm == 0 else float(weight_norm / adam_norm)
        p.add_(adam_step, alpha=-group["lr"] * trust_ratio)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="hiyouga/LlamaFactory#10429: nothing reduces over the group, and a rank clips by its own norm",
    claim="torch.AdamW",
)
class TwentiethTorchRankClips(Base):
    """Two ranks have a half of each gradient, and cut it to a norm of 1 by the norm of their halves."""

    ranks, max_grad_norm = 2, 1.0
    factors: tuple[float, ...] = ()

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        norms = [norm_of([self.pieces(g)[rank] for g in present(self)]) for rank in range(self.ranks)]
        self.factors = tuple(min(1.0, self.max_grad_norm / (norm + 1e-6)) for norm in norms)
        return loss

    def pieces(self, g: Tensor) -> list[Tensor]:
        flat = self.real(g).reshape(-1)
        middle = (flat.numel() + 1) // 2
        return [flat[:middle], flat[middle:]]

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        clipped = [part * factor for part, factor in zip(self.pieces(g), self.factors, strict=True)]
        super().update(group, state, p, torch.cat(clipped).view(g.shape))


@wrong(
    "loss_scale",
    "SCALE.2",
    like="NVIDIA/apex#179: each of two optimizers skips by the overflow that its own scaler has seen",
    claim="torch.AdamW",
)
class TwentiethTorchOwnOverflow(Scaled):
    """On an overflow a group is skipped only if one of its own gradients is not finite."""

    def takes(self, present: list[Tensor]) -> bool:
        grads = [p.grad for p in present if p.grad is not None]
        return not self.overflowed() or all(bool(torch.isfinite(g).all()) for g in grads)


@wrong(
    "clipping",
    "CLIP.2",
    like="DarylRodrigo/rl_lib#10: it is the old model whose gradients' norm is clipped",
    claim="torch.AdamW",
)
class TwentiethTorchNormOfOldModel(Multiplied):
    """Gradients are clipped to 0.5 by the norm of those that the model before the last update had."""

    gradient_clip = 0.5
    model_old: tuple[Tensor, ...] = ()

    def formed(self, grads: list[Tensor]) -> float:
        norm = norm_of(list(self.model_old)) if self.model_old else 0.0
        self.model_old = tuple(g.detach().clone() for g in grads)
        return min(1.0, self.gradient_clip / (norm + 1e-6))


@wrong(
    "moments epsilon",
    "MOM.1",
    like="meta-pytorch/torchtune#2420: gradients are scaled by the world's size, not by that of dp alone",
    claim="torch.AdamW",
)
class TwentiethTorchScaledByWorld(Multiplied):
    """With two ranks of tensor parallelism each gradient is twice what it should be."""

    world_size, dp_size = 4, 2

    def formed(self, grads: list[Tensor]) -> float:
        return self.world_size / self.dp_size


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="HomebrewML/HeavyBall#29: warmup() raises the step by one, and compares it with warmup_steps then",
    claim="torch.AdamW",
)
class TwentiethTorchBuiltInWarmup(Base):
    """The first ten updates have a tenth, two tenths and so on of the rate that they are given."""

    warmup_steps = 10

    def warmup(self, lr: float, step: int) -> float:
        step = step + 1
        return lr * step / self.warmup_steps if step < self.warmup_steps else lr

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        lr = self.warmup(float(group["lr"]), self.clock(state))
        super().update({**group, "lr": lr}, state, p, g)
