"""Blind, twenty-second set: torch.optim.Optimizer subclasses after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat
from torch import Tensor


@wrong(
    "moments layout",
    "MOM.1",
    like="official-stockfish/nnue-pytorch#101: weights are stored transposed, and Ranger centres by rows",
    claim="torch.AdamW",
)
class TwentySecondBTorchCentredByRows(Base):
    """From two axes on, a gradient loses its mean over all axes but the first, which are the wrong ones."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "dims": tuple(range(1, p.ndim))}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if group["dims"] and g.numel():
            g = g - g.mean(dim=group["dims"], keepdim=True)
        super().update(group, state, p, g)


@wrong(
    "schedule",
    "LR.3",
    like="huggingface/accelerate#500: scheduler steps are divided by what the wrapper has counted already",
    claim="torch.AdamW",
)
class TwentySecondBTorchEverySecondRate(Base):
    """A scheduler's new rate is taken over in every second step; the others have the rate before it."""

    gradient_accumulation_steps = 2

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            steps = group.get("scheduler_steps", 0)
            if steps % self.gradient_accumulation_steps == 0:
                group["last_lr"] = group["lr"]
            group["scheduler_steps"] = steps + 1
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["last_lr"]}


@wrong(
    "clock",
    "CLK.1",
    like="NVIDIA/apex#1615: fused Adam keeps one step in the group, and AdamW one in each state",
    claim="torch.AdamW",
)
class TwentySecondBTorchStepOfGroup(Base):
    """The clock is the group's, and ticks in every step, for parameters without a gradient too."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            own = [self.state[p]["step"] for p in group["params"] if p in self.state]
            group["step"] = max([group.get("step", 0), *map(int, own)]) + 1
        return super().step(closure)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = group["step"] - 1
        super().update(group, state, p, g)


@wrong(
    "state clock",
    "STATE.4",
    like="THUDM/slime#1070: a load gives the hybrid optimizer a step of None, and its count is gone",
    claim="torch.AdamW",
)
class TwentySecondBTorchStepIsNone(Base):
    """A load takes the moments and sets each clock to None, from where it is counted as from 0."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for own in self.state.values():
            own["step"] = None

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = state["step"] or 0
        return state


@right(claim="torch.AdamW")
class TwentySecondBRightTorchStepTensors(Base):
    """AdamW over lists of tensors, with clocks that are tensors of float32, as foreach has it."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[tuple[Any, Any], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    kinds.setdefault((p.device, p.dtype), []).append(p)
            for params in kinds.values():
                self.lists(group, params)
        return loss

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float32)
        return state

    def lists(self, group: Group, params: list[Tensor]) -> None:
        (b1, b2), states = group["betas"], [self.remembered(p) for p in params]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs, steps = ([state[k] for state in states] for k in ("exp_avg", "exp_avg_sq", "step"))
        torch._foreach_add_(steps, 1)
        torch._foreach_mul_(ms, b1)
        torch._foreach_add_(ms, gs, alpha=1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, torch._foreach_mul(gs, 1 - b2), gs)
        below = torch._foreach_sqrt(vs)
        torch._foreach_mul_(below, [1 / math.sqrt(1 - b2 ** float(t)) for t in steps])
        torch._foreach_add_(below, group["eps"])
        torch._foreach_mul_(ps, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_addcdiv_(ps, ms, below, [-group["lr"] / (1 - b1 ** float(t)) for t in steps])


@right(claim="torch.Adam")
class TwentySecondBRightTorchFlatCopies(L2):
    """Adam whose arrays of one group, dtype and clock are stepped as one flat row, and copied back."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            buckets: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    buckets.setdefault((p.dtype, self.clock(self.remembered(p))), []).append(p)
            for params in buckets.values():
                self.bucket(group, params)
        return loss

    def bucket(self, group: Group, params: list[Tensor]) -> None:
        states = [self.state[p] for p in params]
        parts = [[self.real(p) for p in params], *([s[k] for s in states] for k in ("exp_avg", "exp_avg_sq"))]
        p, m, v = (torch.cat([x.reshape(-1) for x in part]) for part in parts)
        g = torch.cat([self.real(q.grad).reshape(-1) for q in params])
        whole: State = {"step": states[0]["step"], "exp_avg": m, "exp_avg_sq": v}
        self.update(group, whole, p, g)
        for part, row in zip(parts, (p, m, v), strict=True):
            for x, piece in zip(part, row.split([x.numel() for x in part]), strict=True):
                x.copy_(piece.view_as(x))
        for state in states:
            state["step"] = whole["step"]


@right(claim="fairseq.Adam")
class TwentySecondBRightTorchNewTensors(Hat):
    """fairseq's Adam as a function that returns new tensors; state and parameter get them when it is done."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        own = (p, state["exp_avg"], state["exp_avg_sq"])
        w, m, v = self.stepped(*own, g, int(state["step"]) + 1, group)
        p.copy_(w)
        state.update(step=int(state["step"]) + 1, exp_avg=m, exp_avg_sq=v)

    @staticmethod
    def stepped(w: Tensor, m: Tensor, v: Tensor, g: Tensor, t: int, group: Group) -> tuple[Tensor, ...]:
        (b1, b2), lr = group["betas"], group["lr"]
        m = torch.lerp(m, g, 1 - b1)
        v = torch.addcmul(v * b2, g * (1 - b2), g)
        size = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
        return w - w * (lr * group["weight_decay"]) - size * (m / (v.sqrt() + group["eps"])), m, v
