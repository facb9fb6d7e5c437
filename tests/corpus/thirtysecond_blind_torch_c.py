"""Blind, thirty-second set: torch.optim.Optimizer subclasses after bugs in windows, loads and clips."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch import norm_of, present
from thirtysecond_blind_torch_b import Chosen
from torch import Tensor


@wrong(
    "layout groups",
    "STEP.1",
    like="ygjwd12345/TransDepth#19: the optimizer is given encoder and decoder, and not what is between them",
    claim="torch.AdamW",
)
class ThirtySecondBTorchBetweenThem(Chosen):
    """The first parameter is the encoder's, the last the decoder's: those between them are never stepped."""

    def chosen(self, i: int, count: int) -> bool:
        return i in (0, count - 1)


@wrong(
    "moments clock",
    "MOM.1",
    like="huggingface/trl#2618: the optimizer steps in each micro-step, whatever the accumulation is",
    claim="torch.AdamW",
)
class ThirtySecondBTorchStepsInWindow(Base):
    """A gradient is that of a window of four micro-batches, and each fourth of it makes a step of its own."""

    gradient_accumulation_steps = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        for _ in range(self.gradient_accumulation_steps):
            super().update(group, state, p, g / self.gradient_accumulation_steps)


@wrong(
    "clipping aliasing",
    "CLIP.1",
    like="Lightning-AI/pytorch-lightning#10248: optimizer.step comes first, and gradients are clipped then",
    claim="torch.AdamW",
)
class ThirtySecondBTorchClippedThen(Base):
    """The step uses gradients as they are, which are clipped behind it, in place, to a norm of 1."""

    gradient_clip_val = 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        grads = present(self)
        factor = self.gradient_clip_val / (norm_of(grads) + 1e-6)
        if factor < 1.0:
            for g in grads:
                g.mul_(factor)
        return loss


@wrong(
    "state",
    "STATE.4",
    like="atomantic/PortOS#1253: a resume brings the adapter's weights, and AdamW is fresh, at step 0",
    claim="torch.AdamW",
)
class ThirtySecondBTorchWeightsAlone(Base):
    """Of what is loaded the optimizer takes nothing: moments and steps are 0, rates the first ones."""

    def load_state_dict(self, state_dict: State) -> None:
        pass


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="pytorch/torchtitan#766: the norm that clipping returns is another one in each rank, of its shards",
    claim="torch.AdamW",
)
class ThirtySecondBTorchLocalNorms(Base):
    """Four ranks have rows of each gradient, and clip them to 1 by the norm of the rows that they have."""

    ranks, max_norm = 4, 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        shards = [self.shards(self.real(g)) for g in present(self)]
        norms = [norm_of([own[rank] for own in shards]) for rank in range(self.ranks)]
        self.factors = [min(1.0, self.max_norm / (norm + 1e-6)) for norm in norms]
        return loss

    def shards(self, g: Tensor) -> list[Tensor]:
        return list((g if g.ndim else g.reshape(1)).tensor_split(self.ranks))

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        own = [shard * c for shard, c in zip(self.shards(g), self.factors, strict=True)]
        super().update(group, state, p, torch.cat(own).view(g.shape))


@right(claim="torch.AdamW")
class ThirtySecondBRightTorchForeach(Base):
    """AdamW by foreach, over lists of parameters that have one dtype and one clock."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[Any, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] = int(state["step"]) + 1
                    lists.setdefault((self.real(p).dtype, state["step"]), []).append(p)
            for (_, t), params in lists.items():
                self.listed(group, t, params)
        return loss

    def listed(self, group: Group, t: int, params: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        p, g = [self.real(x) for x in params], [self.real(x.grad) for x in params]
        m, v = ([self.state[x][name] for x in params] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(p, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(m, g, 1 - b1)
        torch._foreach_mul_(v, b2)
        torch._foreach_add_(v, torch._foreach_mul(torch._foreach_mul(g, 1 - b2), g))
        below = torch._foreach_sqrt(v)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        ratio = torch._foreach_div(m, below)
        torch._foreach_add_(p, ratio, alpha=-lr / (1 - b1**t))


@right(claim="torch.Adam", options={"amsgrad": "True"})
class ThirtySecondBRightTorchByNames(L2):
    """AMSGrad whose settings and arrays are looked up by name, and are put together out of place."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2 = group["betas"]
        arrays = {"p": p, "g": g + group["weight_decay"] * p if group["weight_decay"] else g}
        arrays["m"] = b1 * state["exp_avg"] + (1 - b1) * arrays["g"]
        arrays["v"] = b2 * state["exp_avg_sq"] + ((1 - b2) * arrays["g"]) * arrays["g"]
        state["exp_avg"].copy_(arrays["m"])
        state["exp_avg_sq"].copy_(arrays["v"])
        if self.amsgrad:
            top = state.get("max_exp_avg_sq")
            arrays["v"] = arrays["v"].clone() if top is None else torch.maximum(top, arrays["v"])
            state["max_exp_avg_sq"] = arrays["v"]
        c1, c2 = (1 - b ** state["step"] for b in (b1, b2))
        below = arrays["v"].sqrt() / math.sqrt(c2) + group["eps"]
        p.copy_(arrays["p"] - (group["lr"] / c1) * (arrays["m"] / below))
