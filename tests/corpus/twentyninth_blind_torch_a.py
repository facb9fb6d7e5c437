"""Blind, twenty-ninth set: torch subclasses after bugs of rates, groups and processes, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "schedule state",
    "STATE.4",
    like="IBM/pytorch-seq2seq#95: a resumed optimizer keeps the checkpoint's initial_lr in its groups",
    claim="torch.Adam",
)
class TwentyNinthTorchInitialRateKept(L2):
    """Behind a load the rate is the initial one that the checkpoint's groups have, whatever is scheduled."""

    resumed = False

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1].setdefault("initial_lr", self.param_groups[-1]["lr"])

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["initial_lr"]} if self.resumed and "initial_lr" in group else group


@wrong(
    "groups",
    "LR.4",
    like="d8ahazard/sd_dreambooth_extension#532: adapters are stepped with the general rate, not with LoRA's",
    claim="torch.AdamW",
)
class TwentyNinthTorchGeneralRate(Base):
    """Groups behind the first are stepped with the rate that the optimizer was made with."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return group if group is self.param_groups[0] else {**group, "lr": self.defaults["lr"]}


@wrong(
    "groups schedule",
    "LR.3",
    like="nandometzger/metal-gauss#2: a selective Adam without groups, which new rates and parameters miss",
    claim="torch.Adam",
)
class TwentyNinthTorchOwnList(L2):
    """What is stepped, and with what, is a list from the start: assignments and added groups are not read."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
        self.own = [{**group, "params": list(group["params"])} for group in self.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.own:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "nonfinite",
    "NF.2",
    like="allenai/OLMo-core#424: NaN is neither skipped nor kept out of the statistics of gradient norms",
    claim="torch.AdamW",
)
class TwentyNinthTorchNanInStatistics(Base):
    """Steps have a factor of 0 where the norm is above a limit of those before: 0 always behind a NaN."""

    rolling_interval_length, sigma_factor, factor = 128, 1e3, 1

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        norms: list[float] = self.__dict__.setdefault("norms", [])
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        if grads:
            each = [float(torch.linalg.vector_norm(self.real(g).detach().double())) for g in grads]
            norm, self.factor = math.hypot(*each) if not any(map(math.isnan, each)) else math.nan, 1
            if norms:
                mean = sum(norms) / len(norms)
                deviation = sum(abs(x - mean) for x in norms) / len(norms)
                self.factor = int(mean == 0 or norm <= self.sigma_factor * (mean + deviation))
            norms.append(norm)
            del norms[: -self.rolling_interval_length]
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        factor, (b1, b2) = self.factor, group["betas"]
        state["step"] += factor
        w1, w2 = factor * (1 - b1), factor * (1 - b2)
        p.mul_(1 - factor * group["lr"] * group["weight_decay"])
        state["exp_avg"].mul_(b1 if factor else 1).add_(g * w1)
        state["exp_avg_sq"].mul_(b2 if factor else 1).add_((g * w2) * g)
        c1, c2 = (1 - b ** max(self.clock(state), 1) for b in (b1, b2))
        below = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.add_(state["exp_avg"].div(below).mul_(factor), alpha=-group["lr"] / c1)


@wrong(
    "clock sharding",
    "CLK.1",
    like="pytorch/pytorch#39949: processes share an optimizer's sums, and not the counter of its steps",
    claim="torch.AdamW",
)
class TwentyNinthTorchCounterNotShared(Base):
    """Two processes take turns: moments are shared, and each corrects for the steps that it made itself."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        turn = state.setdefault("turn", 0)
        state.setdefault("peer_step", int(state["step"]))
        state["turn"] = 1 - turn
        name = "peer_step" if turn else "step"
        state[name] += 1
        self.decay(group, p)
        self.learn(group, state, g)
        c1, c2 = (1 - b ** int(state[name]) for b in group["betas"])
        self.move(group, state, p, c1, c2)


@right(claim="torch.AdamW")
class TwentyNinthRightTorchForeach(Base):
    """AdamW in lists of one clock and one dtype, each of which is stepped with torch's foreach functions."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[Any, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    kinds.setdefault((p.dtype, int(state["step"])), []).append(p)
            for (_, t), params in kinds.items():
                self.together(group, params, t)
        return loss

    def together(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        rows, grads = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        m, v = ([self.state[p][name] for p in params] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(rows, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(m, grads, 1 - b1)
        torch._foreach_mul_(v, b2)
        torch._foreach_addcmul_(v, torch._foreach_mul(grads, 1 - b2), grads, 1.0)
        below = torch._foreach_sqrt(v)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(rows, m, below, -lr / (1 - b1**t))


@right(claim="torch.Adam", options={"amsgrad": "True"})
class TwentyNinthRightTorchMaximum(L2):
    """torch's AMSGrad, whose maximum is made with the state, and is a root's multiple in the denominator."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if self.amsgrad and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
        return state

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            v = torch.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        p -= (group["lr"] / c1) * (state["exp_avg"] / (v.sqrt() * (1 / math.sqrt(c2)) + group["eps"]))


@right(claim="torch.AdamW")
class TwentyNinthRightTorchScalarsAreTensors(Scaled):
    """AdamW with clock, corrections and rate as tensors of no dimension in float64, and a loss scale."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is not None:
            g = g * (1 / self.grad_scale.to(torch.float64)).to(g.dtype)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.float64) + 1
        lr = torch.as_tensor(group["lr"], dtype=torch.float64)
        c1, c2 = (1 - torch.as_tensor(b, dtype=torch.float64) ** state["step"] for b in group["betas"])
        b1, b2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.copy_(b1 * m + (1 - b1) * g)
        v.copy_(b2 * v + ((1 - b2) * g) * g)
        decayed = p * (1 - lr * group["weight_decay"]).to(p.dtype)
        ratio = m / (v.sqrt() / c2.sqrt().to(v.dtype) + group["eps"])
        p.copy_(decayed - (lr / c1).to(p.dtype) * ratio)
