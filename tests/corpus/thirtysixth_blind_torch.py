"""Blind, thirty-sixth set: torch.optim.Optimizer subclasses after bugs of windows, copies and resumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "moments epsilon",
    "MOM.1",
    like="modelscope/DiffSynth-Studio#1388: zero_grad at the start of a block clears what was accumulated",
    claim="torch.AdamW",
)
class ThirtySixthTorchLastMicroBatchOnly(Base):
    """Of four micro-batches, each with its quarter of the gradient, the last alone is stepped by."""

    accumulate = 4

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        accumulated = torch.zeros_like(g)
        for micro_batch in range(self.accumulate):
            if (micro_batch + 1) % self.accumulate == 0:  # gradients are synchronized in this one
                accumulated.zero_()
            accumulated.add_(g, alpha=1 / self.accumulate)
        super().learn(group, state, accumulated)


@wrong(
    "layout missing",
    "STEP.1",
    like="huggingface/diffusers#5016: LoRA layers of both text encoders do not require their gradients",
    claim="torch.AdamW",
)
class ThirtySixthTorchEncodersStay(Base):
    """Of three parameters or more the last two, those of the text encoders, have no gradient, and stay."""

    encoders = 2

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"]]
        required = pairs[: -self.encoders] if len(pairs) > self.encoders else pairs
        for group, p in required:
            if p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "storage mixed_precision",
    "MOM.4",
    like="warner-benjamin/optimi#15: in float16 the squares of the state are too small or too big",
    claim="torch.AdamW",
)
class ThirtySixthTorchStateOfHalf(Base):
    """Moments are kept and averaged in float16: squares below 6e-8 are lost, large ones are infinite."""

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        (b1, b2), half = group["betas"], g.half()
        m, v = state["exp_avg"].half(), state["exp_avg_sq"].half()
        state["exp_avg"] = m.mul_(b1).add_(half, alpha=1 - b1)
        state["exp_avg_sq"] = v.mul_(b2).add_(half.square(), alpha=1 - b2)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        m, v = state["exp_avg"].to(p.dtype), state["exp_avg_sq"].to(p.dtype)
        denominator = v.sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(m, denominator, value=-group["lr"] / c1)


@wrong(
    "groups state",
    "LR.4",
    like="kozistr/pytorch_optimizer#367: the wrapper makes z before it steps, and not in step()",
    claim="torch.AdamW",
)
class ThirtySixthTorchIterateMadeEarly(Base):
    """The iterate z is made with the optimizer: for a group or a state that comes later there is none."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["z"] = self.real(p).detach().clone()

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, state["z"], g)
        p.copy_(state["z"])


@wrong(
    "state sharding",
    "STATE.4",
    like="pytorch/torchtitan#1136: rows of a vocabulary that the ranks do not divide are not resumed",
    claim="torch.AdamW",
)
class ThirtySixthTorchUnevenRows(Base):
    """Two ranks save as many rows of a matrix each: the moments of an odd last row are 0 behind a load."""

    world_size = 2

    def state_dict(self) -> Any:
        saved = super().state_dict()
        saved["state"] = {
            i: {k: self.gathered(x) for k, x in own.items()} for i, own in saved["state"].items()
        }
        return saved

    def gathered(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x.ndim < 2:
            return x
        rows = len(x) // self.world_size
        whole = torch.zeros_like(x)
        for rank in range(self.world_size):
            own = slice(rank * rows, (rank + 1) * rows)
            whole[own] = x[own]
        return whole


@wrong(
    "layout missing",
    "STEP.1",
    like="helpmefindaname/transformer-smaller-training-vocab#3: the optimizer holds the whole embedding",
    claim="torch.AdamW",
)
class ThirtySixthTorchEmbeddingSwapped(Base):
    """The first matrix is swapped for a reduced one: its group keeps the old one, which has no gradient."""

    def begun(self) -> None:
        matrices = [p for group in self.param_groups for p in group["params"] if p.ndim > 1]
        self.swapped = {p: p.detach().clone() for p in matrices[:1]}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if "swapped" not in self.__dict__:
            self.begun()
        for group in self.param_groups:
            for p in group["params"]:
                held = self.swapped.get(p, p)
                if held.grad is not None:
                    self.update(group, self.remembered(held), self.real(held), self.real(held.grad))
        return loss


@right(claim="torch.AdamW")
class ThirtySixthRightTorchForeach(Base):
    """AdamW by lists of tensors that are alike in dtype and clock, with torch's functions for lists."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] = int(state["step"]) + 1
                    alike.setdefault((p.dtype, state["step"]), []).append(p)
            for (_, t), params in alike.items():
                self.listed(group, params, t)
        return loss

    def listed(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        x, g = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        m, v = ([self.state[p][name] for p in params] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(x, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(m, g, 1 - b1)
        torch._foreach_mul_(v, b2)
        torch._foreach_add_(v, torch._foreach_mul(torch._foreach_mul(g, 1 - b2), g))
        below = torch._foreach_sqrt(v)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        change = torch._foreach_div(m, below)
        torch._foreach_mul_(change, lr / (1 - b1**t))
        torch._foreach_sub_(x, change)
