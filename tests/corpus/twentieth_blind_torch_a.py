"""Blind, twentieth set: torch.optim.Optimizer subclasses after bugs in states and decay, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "moments clock state",
    "MOM.3",
    like="FasterAI-Labs/fasterai#93: a pruned layer has new parameters, whose moments begin at zero",
    claim="torch.AdamW",
)
class TwentiethTorchPrunedBeginsAnew(Base):
    """Behind each fourth update an array of rows is pruned, of none here, and its state begins again."""

    prune_every = 4

    def remembered(self, p: Tensor) -> State:
        old = self.state.get(p, {})
        if p.ndim and old.get("step", 0) >= self.prune_every:
            del self.state[p]
        return super().remembered(p)


@wrong(
    "state storage mixed_precision",
    "STATE.4",
    like="facebookresearch/fairscale#50: a load casts moments to the parameter's fp16, and back to fp32",
    claim="torch.Adam",
)
class TwentiethTorchLoadedThroughHalf(L2):
    """Moments that are loaded have gone through float16."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = state[name].to(torch.float16).to(state[name].dtype)


@wrong(
    "schedule",
    "LR.1",
    like="vllm-project/speculators#859: the total is in micro-batches, and the scheduler ticks by updates",
    claim="timm.AdamW",
)
class TwentiethTorchScheduleStretched(Base):
    """A schedule is four times as long as it should be: update n has the rate that was for n/4."""

    grad_accum = 4

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        for group in self.param_groups:
            group["schedule"] = [*group.get("schedule", []), float(group["lr"])]
        return super().asked(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        last_epoch = len(group["schedule"]) - 1
        return {**group, "lr": group["schedule"][last_epoch // self.grad_accum]}


@wrong(
    "groups decay",
    "LR.4",
    like="vturrisi/solo-learn#289: biases and norms decay as all parameters do",
    claim="torch.AdamW",
)
class TwentiethTorchBiasesDecay(Base):
    """A group without decay is none for biases: what has one dimension decays as the others do."""

    def settings(self, group: Group, p: Tensor) -> Group:
        if p.ndim > 1 or group["weight_decay"] != 0:
            return group
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@wrong(
    "decay groups schedule",
    "LR.2",
    like="open-mmlab/mmdetection#6599: a backbone of lr_mult 0 goes on to change under AdamW",
    claim="torch.AdamW",
)
class TwentiethTorchBackboneDecays(Base):
    """A group whose rate is 0 decays by the optimizer's own rate."""

    def decay(self, group: Group, p: Tensor) -> None:
        base_lr = self.defaults["lr"]
        super().decay({**group, "lr": group["lr"] or base_lr}, p)


@right(claim="torch.Adam")
class TwentiethRightTorchForeach(L2):
    """Adam over lists of one dtype, a list for each clock, by torch's functions of lists."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[tuple[Any, ...], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    key = (p.dtype, p.grad.dtype, p.device, int(state["step"]))
                    lists.setdefault(key, []).append(p)
            for key, params in lists.items():
                self.of_lists(group, params, key[-1])
        return loss

    def of_lists(self, group: Group, params: list[Tensor], t: int) -> None:
        b1, b2 = group["betas"]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([self.state[p][name] for p in params] for name in ("exp_avg", "exp_avg_sq"))
        gs = list(torch._foreach_add(gs, ps, alpha=group["weight_decay"]))
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, torch._foreach_mul(gs, 1 - b2), gs, 1.0)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ps, ms, below, -float(group["lr"]) / (1 - b1**t))


@right(claim="torch.AdamW")
class TwentiethRightTorchZeroDimensions(Base):
    """AdamW whose scalars are tensors of no dimensions, the clock among them, of which a step is made."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]), dtype=torch.float64)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = state["step"].to(torch.float64) + 1
        names = ("lr", "eps", "weight_decay")
        lr, eps, wd = (torch.tensor(float(group[name]), dtype=torch.float64) for name in names)
        b1, b2 = (torch.tensor(b, dtype=torch.float64) for b in group["betas"])
        bias1, bias2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        self.fused(state, p, g, [1 - lr * wd, 1 - b1, 1 - b2, bias2.rsqrt(), eps, lr / bias1])

    def fused(self, state: State, p: Tensor, g: Tensor, scalars: list[Tensor]) -> None:
        kept, w1, w2, reciprocal, eps, step_size = (x.to(p.dtype) for x in scalars)
        m, v = state["exp_avg"], state["exp_avg_sq"]
        p.mul_(kept)
        m.add_((g - m) * w1)
        v.add_((g * w2) * g - v * w2)
        p.sub_(step_size * (m / (v.sqrt() * reciprocal + eps)))


@right(claim="timm.AdamW")
class TwentiethRightTorchPartials(Base):
    """AdamW that first gathers a function for each parameter, with its arguments, and then calls them."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        calls = [
            partial(self.one, self.real(p), self.real(p.grad), self.remembered(p), **self.scalars(group))
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None
        ]
        for call in reversed(calls):
            call()
        return loss

    def scalars(self, group: Group) -> dict[str, float]:
        b1, b2 = group["betas"]
        return {"lr": group["lr"], "b1": b1, "b2": b2, "eps": group["eps"], "wd": group["weight_decay"]}

    @staticmethod
    def one(
        p: Tensor, g: Tensor, state: State, *, lr: float, b1: float, b2: float, eps: float, wd: float
    ) -> None:
        t = state["step"] = int(state["step"]) + 1
        m = torch.add(state["exp_avg"] * b1, g, alpha=1 - b1)
        v = torch.add(state["exp_avg_sq"] * b2, g * (g * (1 - b2)))
        state["exp_avg"].copy_(m)
        state["exp_avg_sq"].copy_(v)
        scaled = eps * math.sqrt(1 - b2**t)
        step = m.div_(v.sqrt_().add_(scaled)).mul_(lr * math.sqrt(1 - b2**t) / (1 - b1**t))
        p.copy_(p - (step + p * (lr * wd)))
