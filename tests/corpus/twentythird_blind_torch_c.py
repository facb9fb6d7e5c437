"""Blind, twenty-third set: torch.optim.Optimizer subclasses after bugs in rates and loads, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat, Scaled
from torch import Tensor


@wrong(
    "state schedule",
    "STATE.4",
    like="leggedrobotics/rsl_rl#221: PPO's own learning_rate is not synced when Adam's state is loaded",
    claim="torch.Adam",
)
class TwentyThirdBTorchStaleRate(L2):
    """The first step behind a load writes the rate into a group that the optimizer was made with."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        rates: list[float] = self.__dict__.setdefault("rates", [g["lr"] for g in self.param_groups])
        if self.__dict__.pop("loaded", False):
            for group, lr in zip(self.param_groups, rates, strict=False):
                group["lr"] = lr
        self.rates = [group["lr"] for group in self.param_groups]
        return super().step(closure)

    def load_state_dict(self, state_dict: State) -> None:
        self.__dict__.setdefault("rates", [group["lr"] for group in self.param_groups])
        super().load_state_dict(state_dict)
        self.loaded = True


@wrong(
    "schedule",
    "LR.3",
    like="pytorch/torchtitan#1010: the warmup-stable-decay multiplier is off by one, and ends on 0",
    claim="torch.AdamW",
)
class TwentyThirdBTorchMultiplierOffByOne(Base):
    """Of four steps of a warmup the first has 2/5 of the rate, not 1/4; a decay is one step ahead, to 0."""

    stages = 4

    def settings(self, group: Group, p: Tensor) -> Group:
        peak = group["initial_lr"]
        if not 0 < group["lr"] < peak:
            return group
        part = group["lr"] / peak * self.stages
        if group["falls"]:
            return {**group, "lr": peak * max(part - 1, 0.0) / (self.stages - 1)}
        return {**group, "lr": peak * (part + 1) / (self.stages + 1)}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            last = group.setdefault("last_lr", group["lr"])
            if group["lr"] != last:
                group["falls"] = group["lr"] < last
            group.setdefault("falls", False)
            group["initial_lr"] = max(group.get("initial_lr", self.defaults["lr"]), group["lr"], last)
            group["last_lr"] = group["lr"]
        return super().step(closure)


@wrong(
    "state",
    "STATE.4",
    like="Lightning-AI/pytorch-lightning#5224: a state is put into the wrapper of the optimizer that steps",
    claim="torch.AdamW",
)
class TwentyThirdBTorchWrapperIsLoaded(Base):
    """A load gives the wrapper a new state; what steps has its own one, which is as it was."""

    def remembered(self, p: Tensor) -> State:
        self.wrapped = self.__dict__.setdefault("wrapped", self.state)
        outer, self.state = self.state, self.wrapped
        try:
            return super().remembered(p)
        finally:
            self.state = outer

    def load_state_dict(self, state_dict: State) -> None:
        self.__dict__.setdefault("wrapped", self.state)
        super().load_state_dict(state_dict)


@wrong(
    "state",
    "STATE.4",
    like="areal-project/AReaL#1468: the template of a load has no moments, as it is built without its flag",
    claim="torch.AdamW",
)
class TwentyThirdBTorchTemplateWithout(Base):
    """A load takes what there are buffers for: before the first step it drops moments and takes clocks."""

    def load_state_dict(self, state_dict: State) -> None:
        params = [p for group in self.param_groups for p in group["params"]]
        names = {i: {"step", *self.state.get(p, {})} for i, p in enumerate(params)}
        states = {
            i: {name: x for name, x in own.items() if name in names[i]}
            for i, own in state_dict["state"].items()
        }
        super().load_state_dict({**state_dict, "state": states})

    def remembered(self, p: Tensor) -> State:
        step = self.state[p].get("step", 0)
        state = super().remembered(p)
        state["step"] = step
        return state


@wrong(
    "zero_gradient sparse",
    "F2",
    like="Oneflow-Inc/oneflow#9176: rows that are not in the batch are left, and nothing makes up for them",
    claim="torch.Adam",
)
class TwentyThirdBTorchRowsOfBatch(L2):
    """From two axes on, rows whose gradient is 0 keep parameters and moments as they are."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if p.ndim < 2 or not p.numel():
            super().update(group, state, p, g)
            return
        rows = (g != 0).reshape(len(g), -1).any(dim=1)
        own = {"step": state["step"], **{k: state[k][rows] for k in ("exp_avg", "exp_avg_sq")}}
        chosen = p[rows]
        super().update(group, own, chosen, g[rows])
        p[rows] = chosen
        for name in ("exp_avg", "exp_avg_sq"):
            state[name][rows] = own[name]
        state["step"] = own["step"]


@right(claim="torch.AdamW")
class TwentyThirdBRightTorchMetadata(Base):
    """AdamW with flat views that are kept by parameter, and made anew where the memory or size is another."""

    def flat(self, p: Tensor, state: State) -> tuple[Tensor, ...]:
        kept: dict[str, Any] = self.__dict__.setdefault("metadata", {})
        arrays = (p, state["exp_avg"], state["exp_avg_sq"])
        key = tuple((x.data_ptr(), x.numel(), x.dtype) for x in arrays)
        name = str(id(state))
        if name not in kept or kept[name][0] != key:
            kept[name] = (key, tuple(x.view(-1) for x in arrays))
        rows: tuple[Tensor, ...] = kept[name][1]
        return rows

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not all(x.is_contiguous() for x in (p, state["exp_avg"], state["exp_avg_sq"])):
            super().update(group, state, p, g)
            return
        w, m, v = self.flat(p, state)
        own = {"step": state["step"], "exp_avg": m, "exp_avg_sq": v}
        super().update(group, own, w, g.reshape(-1))
        state["step"] = own["step"]


@right(claim="fairseq.Adam")
class TwentyThirdBRightTorchAddcdiv(Hat):
    """fairseq's Adam by groups of clocks: parameters of one clock share their corrections."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            clocks: dict[int, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    clocks.setdefault(int(self.remembered(p)["step"]) + 1, []).append(p)
            for t, params in clocks.items():
                self.together(group, t, params)
        return loss

    def together(self, group: Group, t: int, params: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        size = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
        for p in params:
            state, w, g = self.state[p], self.real(p), self.real(p.grad)
            m, v = state["exp_avg"], state["exp_avg_sq"]
            m.lerp_(g, 1 - b1)
            v.mul_(b2).add_((g * (1 - b2)).mul_(g))
            w.add_(w, alpha=-lr * group["weight_decay"])
            w.addcdiv_(m, v.sqrt().add_(group["eps"]), value=-size)
            state["step"] = t


@right(claim="torch.AdamW")
class TwentyThirdBRightTorchSkips(Scaled):
    """AdamW that multiplies by the scale's reciprocal, and skips by the flag before anything else."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        inverse = 1.0 if self.grad_scale is None else 1.0 / float(self.grad_scale)
        for group in self.param_groups:
            for p in filter(lambda p: p.grad is not None, group["params"]):
                g = self.real(p.grad)
                Base.update(self, group, self.remembered(p), self.real(p), g * inverse)
        return loss


@right(claim="torch.Adam")
class TwentyThirdBRightTorchQuotientFirst(L2):
    """Adam with a step counter that is a tensor, and the penalty in a fused multiply-add of new tensors."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        g = torch.add(g, p, alpha=group["weight_decay"])
        state["step"] = state["step"] + 1
        t = float(state["step"])
        m = state["exp_avg"] + (g - state["exp_avg"]) * (1 - b1)
        v = torch.addcmul(state["exp_avg_sq"] * b2, g * (1 - b2), g)
        quotient = m / (v.sqrt() * (1 / math.sqrt(1 - b2**t)) + group["eps"])
        p.sub_(quotient * (lr / (1 - b1**t)))
        state.update(exp_avg=m, exp_avg_sq=v)
