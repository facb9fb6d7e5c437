"""Blind, ninth set: torch.optim.Optimizer subclasses, after the bugs of others in state and handling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


class Hat(Base):
    """fairseq's Adam: epsilon stands beside the root before it is corrected."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-self.rate(group, state, c1, c2))

    def rate(self, group: Group, state: State, c1: float, c2: float) -> float:
        return float(group["lr"]) * math.sqrt(c2) / c1


class Scaled(L2):
    """Adam whose step divides by the loss scale and looks at the flag, as PyTorch's fused one."""

    _step_supports_amp_scaling = True
    grad_scale: Tensor | None = None
    found_inf: Tensor | None = None

    def takes(self, present: list[Tensor]) -> bool:
        return not self.flagged()

    def flagged(self) -> bool:
        return self.found_inf is not None and bool(self.found_inf)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, self.unscaled(g))

    def unscaled(self, g: Tensor) -> Tensor:
        return g if self.grad_scale is None else g / self.grad_scale.to(g.dtype)


@wrong("closure", "STEP.2", like="HomebrewML/HeavyBall#10, nikhilvyas/SOAP#21", claim="torch.AdamW")
class NinthTorchClosureWithoutGrad(Base):
    """The closure is called inside no_grad, so that it cannot compute gradients."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        return None if closure is None else closure()


@wrong(
    "clock bias_correction", "CLK.2", like="pytorch/pytorch#76368: Adam in a CUDA graph", claim="torch.Adam"
)
class NinthTorchReplayed(L2):
    """After three steps the fourth one is recorded and replayed, with the corrections that it had."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        last = state.setdefault("recorded", state["step"] + 4)
        state["step"] = min(state["step"], last - 1)
        super().update(group, state, p, g)


@wrong("groups", "LR.4", like="LiyuanLucasLiu/RAdam#24: step_size is cached by step", claim="fairseq.Adam")
class NinthTorchRateBuffered(Hat):
    """The step size is kept by the number of the step: other groups get that of the first."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.buffer: list[tuple[int, float]] = [(0, 0.0)] * 10

    def rate(self, group: Group, state: State, c1: float, c2: float) -> float:
        t = self.clock(state)
        if self.buffer[t % 10][0] != t:
            self.buffer[t % 10] = t, super().rate(group, state, c1, c2)
        return self.buffer[t % 10][1]


@wrong(
    "moments", "MOM.1", like="yangluo7/CAME#2: `update = exp_avg`, and `update.mul_(lr)`", claim="torch.AdamW"
)
class NinthTorchMomentTimesRate(Base):
    """In vectors and scalars the step is made in the first moment's memory: it stays multiplied by lr."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        update = state["exp_avg"] if p.ndim < 2 else state["exp_avg"].clone()
        update.mul_(group["lr"])
        denominator = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(update, denominator, value=-1 / c1)


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#2647: a state that is loaded is a plain dict",
    claim="torch.Adam",
)
class NinthTorchPlainDict(L2):
    """After loading, a parameter for which no state was saved is a KeyError in its first step."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.state = dict(self.state)  # type: ignore[assignment]


@wrong(
    "loss_scale",
    "SCALE.1",
    like="pytorch/pytorch#94060, Lightning-AI/pytorch-lightning#15501",
    claim="torch.Adam",
)
class NinthTorchUnscaledTwice(Scaled):
    """The gradient is divided by the loss scale twice."""

    def unscaled(self, g: Tensor) -> Tensor:
        return super().unscaled(super().unscaled(g))


@wrong("loss_scale", "SCALE.2", like="PaddlePaddle/Paddle#34176: adam gets no found_inf", claim="torch.Adam")
class NinthTorchFlagNotPassed(Scaled):
    """A step whose gradients have overflowed is made like any other."""

    def flagged(self) -> bool:
        return False


@wrong(
    "state clock",
    "STATE.4",
    like="pytorch/pytorch#164929: get_optimizer_state_dict makes a step of zeros",
    claim="torch.AdamW",
)
class NinthTorchSavedByStep(Base):
    """Saving before the first step makes the state by a step of zeros at lr=0: all clocks are 1."""

    def state_dict(self) -> State:
        if not self.state:
            self.dummy_step()
        return super().state_dict()

    def dummy_step(self) -> None:
        parameters = [p for group in self.param_groups for p in group["params"]]
        rates, grads = [group["lr"] for group in self.param_groups], [p.grad for p in parameters]
        for group in self.param_groups:
            group["lr"] = 0.0
        for p in parameters:
            p.grad = torch.zeros_like(p)
        self.step()
        for group, lr in zip(self.param_groups, rates, strict=True):
            group["lr"] = lr
        for p, g in zip(parameters, grads, strict=True):
            p.grad = g


@wrong(
    "clock",
    "CLK.1",
    like="InfiniTensor/InfiniTrain#235: one step for the whole optimizer",
    claim="torch.Adam",
)
class NinthTorchOneStepForAll(L2):
    """Corrections are those of the optimizer's count of steps, for a parameter that came later too."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.steps = max((int(state["step"]) for state in self.state.values()), default=0)
        return super().step(closure)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = self.steps
        super().update(group, state, p, g)


@right(claim="torch.Adam")
class NinthRightTorchCapturable(L2):
    """As with capturable=True: clocks are tensors, and so is all that is formed of them."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if not state:
            zeros = torch.zeros_like(self.real(p), memory_format=torch.preserve_format)
            step = torch.zeros((), dtype=torch.float64)
            state.update(step=step, exp_avg=zeros, exp_avg_sq=zeros.clone())
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2 = group["betas"]
        c1, c2 = (1 - torch.full_like(state["step"], b) ** state["step"] for b in (b1, b2))
        g = g.add(p, alpha=group["weight_decay"])
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).addcmul_(g, g, value=1 - b2)
        denominator = (state["exp_avg_sq"].sqrt() / c2.sqrt()).add_(group["eps"])
        p.sub_(state["exp_avg"] * (group["lr"] / c1) / denominator)


@right(claim="torch.AdamW")
class NinthRightTorchForeach(Base):
    """Each group's parameters are stepped at once, by lists."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            if present:
                self.step_lists(group, present)
        return loss

    def step_lists(self, group: Group, present: list[Tensor]) -> None:
        states = [self.remembered(p) for p in present]
        first, second = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        params, grads = [self.real(p) for p in present], [self.real(p.grad) for p in present]
        b1, b2 = group["betas"]
        for state in states:
            state["step"] += 1
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_lerp_(first, grads, 1 - b1)
        torch._foreach_mul_(second, b2)
        torch._foreach_addcmul_(second, grads, grads, 1 - b2)
        denominators = torch._foreach_sqrt(second)
        torch._foreach_div_(denominators, [math.sqrt(1 - b2 ** state["step"]) for state in states])
        torch._foreach_add_(denominators, group["eps"])
        sizes = [-group["lr"] / (1 - b1 ** state["step"]) for state in states]
        torch._foreach_addcdiv_(params, first, denominators, sizes)


@right(claim="apex.FusedAdam")
class NinthRightTorchStepOfGroup(Base):
    """The clock is the group's, among its settings, and ticks where no gradient is there too."""

    def takes(self, present: list[Tensor]) -> bool:
        return bool(present)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            group["step"] = group.get("step", 0) + 1
        return super().step(closure)

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.pop("step", None)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        b1, b2 = group["betas"]
        self.learn(group, state, g)
        c1, c2 = 1 - b1 ** group["step"], 1 - b2 ** group["step"]
        denominator = (state["exp_avg_sq"] / c2).sqrt_().add_(group["eps"])
        update = (state["exp_avg"] / c1).div_(denominator).add_(p, alpha=group["weight_decay"])
        p.sub_(update, alpha=group["lr"])


@right(claim="BertAdam")
class NinthRightTorchNextMoments(Base):
    """BertAdam without schedule and clipping: its own names, no correction, decay inside the step."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if len(state) == 0:
            state["step"] = 0
            state["next_m"], state["next_v"] = torch.zeros_like(self.real(p)), torch.zeros_like(self.real(p))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["next_m"].mul_(b1).add_(g, alpha=1 - b1)
        state["next_v"].mul_(b2).addcmul_(g, g, value=1 - b2)
        update = state["next_m"] / (state["next_v"].sqrt() + group["eps"])
        update += group["weight_decay"] * p
        p.add_(-group["lr"] * update)
        state["step"] += 1
