"""Blind, sixth set: right torch.optim.Optimizer subclasses, of other dialects than PyTorch's AdamW too."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import right
from sixth_blind_torch import Corrected, Dozat, Hat
from torch import Tensor


@right(claim="torch.NAdam")
class SixthRightTorchDozat(Dozat):
    """The look-ahead is gathered in a buffer that all parameters share, which grows where it must."""

    buffer = torch.zeros(0)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        g = g.add(p, alpha=group["weight_decay"])
        self.learn(group, state, g)
        if self.buffer.numel() < p.numel() or self.buffer.dtype != p.dtype:
            self.buffer = torch.zeros(p.numel(), dtype=p.dtype)
        t, (b1, b2), rate = self.clock(state), group["betas"], group["momentum_decay"]
        now, after = (b1 - 0.5 * b1 * math.pow(0.96, k * rate) for k in (t, t + 1))
        product = self.product(group, state, now)
        room = self.buffer[: p.numel()].view(p.shape)
        torch.mul(g, (1 - now) / (1 - product), out=room)
        room.add_(state["exp_avg"], alpha=after / (1 - product * after))
        room.div_(state["exp_avg_sq"].sqrt().mul_(1 / math.sqrt(1 - b2**t)).add_(group["eps"]))
        p.sub_(room, alpha=group["lr"])


@right(claim="fairseq.Adam")
class SixthRightTorchPowers(Hat):
    """The root is a power of a half, the quotient a product with a power of -1."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        over = state["exp_avg_sq"].pow(0.5).add_(group["eps"]).pow_(-1)
        p.sub_(over.mul_(state["exp_avg"]), alpha=group["lr"] * math.sqrt(c2) / c1)


@right(claim="timm.AdamW", options={"corrected_weight_decay": "True"})
class SixthRightTorchCorrected(Corrected):
    """Decay and step are formed from the old parameter, and a dictionary of lists comes before both."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        changes = []
        for group in self.param_groups:
            for p in (q for q in group["params"] if q.grad is not None):
                row, g, state = self.real(p), self.real(p.grad), self.remembered(p)
                state["step"] += 1
                self.learn(group, state, g)
                changes.append((row, self.change(group, state, row)))
        for row, change in changes:
            row.add_(change)
        return loss

    def change(self, group: Group, state: State, p: Tensor) -> Tensor:
        c1, c2 = (1 - b ** state["step"] for b in group["betas"])
        root = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        lr, largest = group["lr"], self.largest(group)
        ratio = (lr / largest if largest else 0.0) if self.corrected else 1.0
        return (p * (-lr * ratio * group["weight_decay"])).addcdiv_(state["exp_avg"], root, value=-lr / c1)


@right(claim="torch.AdamW")
class SixthRightTorchChunks(Base):
    """Each parameter is stepped in chunks of 33 numbers, with copies of its moments."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        rows = [a.reshape(-1).split(33) for a in (p, g, state["exp_avg"], state["exp_avg_sq"])]
        whole = []
        for x, y, m, v in zip(*rows, strict=True):
            chunk, own = x.clone(), {"exp_avg": m.clone(), "exp_avg_sq": v.clone()}
            self.decay(group, chunk)
            self.learn(group, own, y)
            self.move(group, own, chunk, c1, c2)
            whole.append((chunk, *own.values()))
        for old, new in zip(
            (p, state["exp_avg"], state["exp_avg_sq"]), zip(*whole, strict=True), strict=True
        ):
            old.copy_(torch.cat(new).view(old.shape))


@right(claim="apex.FusedAdam")
class SixthRightTorchGroupClock(Hat):
    """Apex' Adam: the count is the group's, and ticks with it; horizontal fusion by foreach."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            group["step"] = group.get("step", 0) + 1
            by_dtype: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_dtype.setdefault(p.dtype, []).append(p)
            for own in by_dtype.values():
                self.launch(group, own)
        return loss

    def launch(self, group: Group, own: list[Tensor]) -> None:
        states = [self.remembered(p) for p in own]
        ps, gs = [self.real(p) for p in own], [self.real(p.grad) for p in own]
        ms, vs = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
        (b1, b2), lr = group["betas"], group["lr"]
        c1, c2 = (1 - b ** group["step"] for b in (b1, b2))
        torch._foreach_mul_(ms, b1)
        torch._foreach_add_(ms, gs, alpha=1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        roots = torch._foreach_div(torch._foreach_sqrt(vs), math.sqrt(c2))
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_addcdiv_(ps, ms, roots, -lr / c1)

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.pop("step", None)
        return state
