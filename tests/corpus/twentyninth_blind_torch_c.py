"""Blind, twenty-ninth set: torch.optim.Optimizer subclasses after bugs in casts, clips and copies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


class Copied(Base):
    """AdamW that has copies of its parameters, taken as they are added."""

    def copies(self) -> dict[Tensor, Tensor]:
        held: dict[Tensor, Tensor] = self.__dict__.setdefault("held", {})
        return held

    @torch.no_grad()
    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            self.copies()[p] = p.detach().clone()


@wrong(
    "aliasing state",
    "STATE.2",
    like="deepspeedai/DeepSpeed#4141: a load of the weights alone leaves the masters under bf16 as they were",
    claim="torch.AdamW",
)
class TwentyNinthBTorchStaleMasters(Copied):
    """Masters are taken when the optimizer is made: a step overwrites weights that are loaded later."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    master = self.copies()[p]
                    self.update(group, self.remembered(p), self.real(master), self.real(p.grad))
                    p.copy_(master)
        return loss


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="vllm-project/speculators#711: the model is cast to bf16 before it is sharded, there are no masters",
    claim="torch.AdamW",
)
class TwentyNinthBTorchNoMasters(Base):
    """Parameters are numbers of bfloat16, behind the decay and behind the step: what is small is lost."""

    def decay(self, group: Group, p: Tensor) -> None:
        super().decay(group, p)
        p.copy_(p.to(torch.bfloat16))

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        p.copy_(p.to(torch.bfloat16))


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="ESAOpenSR/SRGAN#88: gradients are clipped while they are still multiplied by the loss scale",
    claim="torch.AdamW",
)
class TwentyNinthBTorchClippedScaled(Scaled):
    """Gradients with a loss scale are clipped to a norm of 1 before the scale is divided out."""

    max_norm, share = 1.0, 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        self.share = 1.0
        if self.grad_scale is not None:
            grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
            norm = math.sqrt(sum(float(g.abs().square().sum()) for g in grads))
            self.share = min(1.0, self.max_norm / (norm + 1e-6))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.share)


@wrong(
    "state layout",
    "STATE.4",
    like="DLR-RM/stable-baselines3#435: behind a load the optimizer is tied to other variables",
    claim="torch.Adam",
)
class TwentyNinthBTorchTiedToOthers(L2):
    """A load ties states to variables in another order: those of one shape have each other's, reversed."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        shapes: dict[Any, list[Tensor]] = {}
        for p in (p for group in self.param_groups for p in group["params"] if p in self.state):
            shapes.setdefault((p.shape, p.dtype), []).append(p)
        for own in shapes.values():
            states = [self.state[p] for p in reversed(own)]
            self.state.update(zip(own, states, strict=True))


@wrong(
    "aliasing moments",
    "STEP.1",
    like="huggingface/transformers#4450: the optimizer is made before the model is moved to its device",
    claim="torch.AdamW",
)
class TwentyNinthBTorchUnmovedModel(Copied):
    """What is stepped are the parameters of the model before it was moved: those that are used stay."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        unmoved = self.real(self.copies()[p])
                        self.update(group, self.remembered(p), unmoved, self.real(p.grad))
        return loss


@right(claim="torch.AdamW")
class TwentyNinthBRightTorchUnscaledAside(Scaled):
    """AdamW that multiplies by one over the scale, aside of the gradients, skipped steps included."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        inverse = 1.0 if self.grad_scale is None else 1.0 / float(self.grad_scale)
        todo = [
            (group, p, self.real(p.grad) * inverse)
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None
        ]
        if not self.overflowed():
            for group, p, g in todo:
                Base.update(self, group, self.remembered(p), self.real(p), g)
        return loss


@right(claim="torch.Adam")
class TwentyNinthBRightTorchFunctional(L2):
    """Adam with L2 whose lists go to a function, which gets every setting by name, maximize among them."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.maximize = maximize

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            states = [self.remembered(p) for p in present]
            for state in states:
                state["step"] += 1
            functional(
                [self.real(p) for p in present], [self.real(p.grad) for p in present],
                [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states],
                [int(state["step"]) for state in states], lr=group["lr"], betas=group["betas"],
                eps=group["eps"], weight_decay=group["weight_decay"], maximize=self.maximize,
            )  # fmt: skip
        return loss


def functional(
    params: list[Tensor], grads: list[Tensor], ms: list[Tensor], vs: list[Tensor], steps: list[int], *,
    lr: float, betas: tuple[float, float], eps: float, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    """Make one step of Adam with L2, in place."""
    b1, b2 = betas
    for p, g, m, v, t in zip(params, grads, ms, vs, steps, strict=True):
        d = (-g if maximize else g).add(p, alpha=weight_decay)
        m.lerp_(d, 1 - b1)
        v.mul_(b2).add_((d * (1 - b2)).mul_(d))
        p.sub_((m / (v.sqrt() / math.sqrt(1 - b2**t) + eps)).mul_(lr / (1 - b1**t)))
