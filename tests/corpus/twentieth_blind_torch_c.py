"""Blind, twentieth set: more torch.optim.Optimizer subclasses after the bugs of others, and right ones."""

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
    "storage moments mixed_precision",
    "MOM.4",
    like="NVIDIA-NeMo/Automodel#2248: exp_avg and exp_avg_sq are bfloat16, in which small updates vanish",
    claim="torch.AdamW",
)
class TwentiethBTorchAveragesInBfloat(Base):
    """Both moments are bfloat16, and are averaged in it: a small change of them is rounded away."""

    narrow = torch.bfloat16

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = state[name].to(self.narrow)
        return state

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        super().learn(group, state, g.to(self.narrow))

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, {name: torch.as_tensor(x).to(p) for name, x in state.items()}, p, c1, c2)


@wrong(
    "moments",
    "MOM.1",
    like="abhishekkrthakur/tez#38: without accumulation the gradients of batch 0 are not set to zero",
    claim="torch.AdamW",
)
class TwentiethBTorchFirstBatchStays(Base):
    """The gradient of the first batch is left where it is: the second step is by the sum of two."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.batch_index = -1
        self.left: dict[int, Tensor] = {}

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        self.batch_index += 1
        return super().asked(closure)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.batch_index == 0:
            self.left[id(state)] = g.clone()
        elif self.batch_index == 1 and id(state) in self.left:
            g = g + self.left.pop(id(state))
        super().update(group, state, p, g)


@wrong(
    "bias_correction",
    "BC.1",
    like="kozistr/pytorch_optimizer#305: 1 minus the power is subtracted from 1 once more",
    claim="torch.Adam",
)
class TwentiethBTorchMinusTwice(L2):
    """Corrections are b**t, and not 1-b**t: 1 is diminished twice, and steps grow from step to step."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        bias_correction1, bias_correction2 = 1.0 - c1, 1.0 - c2
        first = state["exp_avg"] / bias_correction1
        below = (state["exp_avg_sq"] / bias_correction2).sqrt_().add_(group["eps"])
        p.sub_(first / below, alpha=group["lr"])


@wrong(
    "decay",
    "DEC.5",
    like="linhaowei1/NLPDL-2025Fall#13: the decay comes behind Adam's step, and PyTorch's before it",
    claim="torch.AdamW",
)
class TwentiethBTorchDecaysBehind(Base):
    """A parameter decays behind its step: what is taken off is a share of the updated one."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        p.add_(p, alpha=-group["lr"] * group["weight_decay"])


class Later(Hat):
    """transformers' AdamW: epsilon hat, and the updated parameter decays."""

    decay = TwentiethBTorchDecaysBehind.decay

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        p.add_(p, alpha=-group["lr"] * group["weight_decay"])


@wrong(
    "state",
    "STATE.4",
    like="X-LANCE/text2sql-lgesql#18: a load pairs states with other keys than they were saved under",
    claim="transformers4.AdamW",
)
class TwentiethBTorchKeysOfNext(Later):
    """A load gives each parameter the state of the one before it, and the first one that of the last."""

    def load_state_dict(self, state_dict: State) -> None:
        count = sum(len(group["params"]) for group in state_dict["param_groups"])
        paired = {(key + 1) % count: value for key, value in state_dict["state"].items()}
        super().load_state_dict({**state_dict, "state": paired})


@wrong(
    "moments epsilon",
    "MOM.1",
    like="bytetriper/RAE#67: zero_grad stands in the loop over micro-batches: the last one is left",
    claim="torch.AdamW",
)
class TwentiethBTorchLastMicroBatch(Base):
    """Of four micro-batches, each a fourth of the gradient, the last is what is stepped by."""

    micro_batches = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for _ in range(self.micro_batches):
            total.zero_()
            total.add_(g / self.micro_batches)
        super().update(group, state, p, total)


@right(claim="torch.AdamW")
class TwentiethBRightTorchForeach(Base):
    """AdamW by torch's functions over lists of tensors, a list for each dtype of a group."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    lists.setdefault(p.dtype, []).append(p)
            for params in lists.values():
                self.many(group, params)
        return loss

    def many(self, group: Group, params: list[Tensor]) -> None:
        lr, (b1, b2) = group["lr"], group["betas"]
        states = [self.remembered(p) for p in params]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        for state in states:
            state["step"] += 1
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, torch._foreach_mul(gs, 1 - b2), gs)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, [math.sqrt(1 - b2 ** self.clock(state)) for state in states])
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ps, ms, below, [-lr / (1 - b1 ** self.clock(state)) for state in states])


@right(claim="torch.Adam")
class TwentiethBRightTorchFlattened(L2):
    """Adam over one row for all parameters of a group that have the same dtype and the same step."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[tuple[torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    alike.setdefault((p.dtype, self.clock(self.remembered(p))), []).append(p)
            for (_, step), params in alike.items():
                self.row(group, step + 1, params)
        return loss

    def row(self, group: Group, step: int, params: list[Tensor]) -> None:
        states = [self.remembered(p) for p in params]
        lists = [[self.real(p) for p in params], *([s[k] for s in states] for k in ("exp_avg", "exp_avg_sq"))]
        p, m, v = (torch.cat([x.reshape(-1) for x in xs]) for xs in lists)
        g = torch.cat([self.real(p.grad).reshape(-1) for p in params])
        super().update(group, {"step": step - 1, "exp_avg": m, "exp_avg_sq": v}, p, g)
        for xs, row in zip(lists, (p, m, v), strict=True):
            for x, part in zip(xs, row.split([x.numel() for x in xs]), strict=True):
                x.copy_(part.view(x.shape))
        for state in states:
            state["step"] = step


@right(claim="timm.AdamW")
class TwentiethBRightTorchStepTensor(Base):
    """timm's AdamW with a step that is a tensor, of which the corrections are tensors of float64."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float64)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        b1, b2 = group["betas"]
        step = state["step"].add_(1)
        c1, c2 = (-torch.expm1(step * math.log(b)) if b else torch.ones_like(step) for b in (b1, b2))
        state["exp_avg"].copy_(b1 * state["exp_avg"] + (1 - b1) * g)
        state["exp_avg_sq"].copy_(b2 * state["exp_avg_sq"] + ((1 - b2) * g) * g)
        below = state["exp_avg_sq"].sqrt() / c2.sqrt().to(p.dtype) + group["eps"]
        decayed = p - (group["lr"] * group["weight_decay"]) * p
        p.copy_(decayed - (group["lr"] / c1).to(p.dtype) * (state["exp_avg"] / below))
