"""Blind, twenty-sixth set: torch.optim.Optimizer subclasses after bugs in batches, groups and norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from seventeenth_blind_torch import norm_of
from torch import Tensor


@wrong(
    "moments epsilon",
    "MOM.1",
    like="allenai/open-instruct#1498: with accumulation of 1 each backward is the boundary, which resets",
    claim="torch.AdamW",
)
class TwentySixthBTorchEachBackwardResets(Base):
    """Four micro-batches bring a fourth of the gradient each; each resets what the ones before have left."""

    micro_batches, accumulation = 4, 1

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        accumulator = torch.zeros_like(g)
        for micro_step in range(self.micro_batches):
            boundary = micro_step % self.accumulation == 0
            if boundary:
                accumulator.zero_()
            accumulator.add_(g / self.micro_batches)
        super().update(group, state, p, accumulator)


@wrong(
    "moments layout",
    "MOM.1",
    like="ZiqiaoPeng/DualTalk#9: zero_grad() comes before each backward, and nothing divides the loss",
    claim="torch.Adam",
)
class TwentySixthBTorchLastHalfOfBatch(L2):
    """Every other element is seen by the second micro-batch alone: it has twice its gradient, others none."""

    accumulation_steps = 2

    def backward(self, grad: Tensor, g: Tensor, micro_batch: int) -> None:
        part = slice(micro_batch, None, self.accumulation_steps)
        grad[part] += g[part] * self.accumulation_steps  # the mean over a smaller batch

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        grad = torch.zeros(g.numel(), dtype=g.dtype)
        for micro_batch in range(self.accumulation_steps):
            grad.zero_()
            self.backward(grad, g.reshape(-1), micro_batch)
        super().update(group, state, p, grad.view(g.shape))


@wrong(
    "groups",
    "LR.4",
    like="deepspeedai/DeepSpeedExamples#633: LoRA's matrices have the rate of the model's other parameters",
    claim="torch.AdamW",
)
class TwentySixthBTorchRateOfBase(Base):
    """Matrices of all groups have the rate of the first group; what is no matrix has its own group's."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.param_groups[0]["lr"]} if p.ndim == 2 else group


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="ROCm/TransformerEngine#715: replicated weights are marked as parallel, and each rank counts them",
    claim="torch.AdamW",
)
class TwentySixthBTorchReplicasCounted(Base):
    """A norm, which is clipped to 1, has the squares of vectors four times, once for each rank."""

    ranks, max_norm = 4, 1.0
    factor = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        replicated = [g for g in grads if g.ndim < 2 for _ in range(self.ranks)]
        norm = norm_of([*replicated, *(g for g in grads if g.ndim > 1)])
        self.factor = min(1.0, self.max_norm / (norm + 1e-6))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.factor)


@wrong(
    "layout",
    "STEP.1",
    like="taesungp/swapping-autoencoder-pytorch#11: the patch discriminator is in no optimizer",
    claim="torch.Adam",
)
class TwentySixthBTorchThirdNetworkLeft(L2):
    """Of the parameters the last third, a network of its own, is in no list of what is stepped."""

    networks = 3

    def settings(self, group: Group, p: Tensor) -> Group:
        everything = [q for each in self.param_groups for q in each["params"]]
        left = everything[len(everything) - len(everything) // self.networks :]
        return {**group, "listed": not any(p is q for q in left)}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if group["listed"]:
            super().update(group, state, p, g)


@wrong(
    "groups decay",
    "LR.4",
    like="lucidrains/DALLE-pytorch#138: norms and biases decay, as no group leaves them out",
    claim="torch.AdamW",
)
class TwentySixthBTorchNormsDecay(Base):
    """What has less than two axes decays by the first group's number, in a group without decay too."""

    def settings(self, group: Group, p: Tensor) -> Group:
        if p.ndim < 2:
            return {**group, "weight_decay": self.param_groups[0]["weight_decay"]}
        return group


@wrong(
    "moments layout",
    "MOM.1",
    like="ultralytics/ultralytics#11217: zero_grad() at an epoch's start drops what is gathered by then",
    claim="torch.AdamW",
)
class TwentySixthBTorchDroppedAtEpoch(Base):
    """Four micro-batches have every fourth element each; a new epoch, after six, drops those before it."""

    accumulate, batches = 4, 6

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.updates = getattr(self, "updates", -1) + 1
        return super().step(closure)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        grad, row = torch.zeros(g.numel(), dtype=g.dtype), g.reshape(-1)
        for k in range(self.accumulate):
            if (self.updates * self.accumulate + k) % self.batches == 0:
                grad.zero_()
            grad[k :: self.accumulate] += row[k :: self.accumulate]
        super().update(group, state, p, grad.view(g.shape))
