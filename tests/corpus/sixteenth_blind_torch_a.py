"""Blind, sixteenth set: more torch.optim.Optimizer subclasses after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "missing",
    "F1",
    like="zichongli5/NorMuon#3: parameters whose gradient is None decay all the same",
    claim="torch.AdamW",
)
class SixteenthTorchDecaysUnasked(Base):
    """All parameters of a group decay first; then those that have a gradient are stepped."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"])
                if p.grad is not None:
                    bare = {**group, "weight_decay": 0.0}
                    self.update(bare, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="gregorbachmann/Next-Token-Failures#5: the weight decay asked for is a 0 where AdamW is made",
    claim="torch.AdamW",
)
class SixteenthTorchHardCodedNoDecay(Base):
    """The weight decay that is given goes no further: a 0 is written where the optimizer is made."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay=0.0)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="timoschick/pet#36: micro-batches behind the last multiple of the count of accumulation are lost",
    claim="torch.AdamW",
)
class SixteenthTorchRemainderNotApplied(Base):
    """A gradient comes in five micro-batches; the step is due after four, and the fifth is lost."""

    micro_batches = 5
    accumulation = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for _ in range(self.counted()):
            total.add_(g, alpha=1 / self.micro_batches)
        super().update(group, state, p, total)

    def counted(self) -> int:
        return self.micro_batches // self.accumulation * self.accumulation


@wrong(
    "clock",
    "CLK.2",
    like="nanowell/AdEMAMix-Optimizer-Pytorch#3: the first step has the number 0 and divides by zero",
    claim="torch.AdamW",
)
class SixteenthTorchFirstStepIsZero(Base):
    """The clock is raised behind the update: in the first one both corrections are 0, and all is NaN."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.decay(group, p)
        self.learn(group, state, g)
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        self.move(group, state, p, c1, c2)
        state["step"] += 1

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.sub_((state["exp_avg"] / c1).div_(denominator), alpha=group["lr"])


@wrong(
    "mixed_precision",
    "NUM.1",
    like="NVIDIA/apex#1731: master_weights is for float16 alone, and parameters of bfloat16 have no masters",
    claim="torch.AdamW",
)
class SixteenthTorchNoMasterForBfloat(Base):
    """A new parameter is kept in bfloat16, without a master copy of more digits: small steps are lost."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        p.copy_(p.bfloat16())


@wrong(
    "decay epsilon",
    "DEC.2",
    like="jettify/pytorch-optimizer#443: debias is of the step size, and the update is made of raw moments",
    claim="torch.AdamW",
)
class SixteenthTorchDebiasOfStepSize(Base):
    """Raw moments and the decay make the update; the corrections are in the step size, of which both are."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        step_size = group["lr"] * (math.sqrt(c2) / c1)
        adam_step = state["exp_avg"] / state["exp_avg_sq"].sqrt().add_(group["eps"])
        adam_step.add_(p, alpha=group["weight_decay"])
        p.add_(adam_step, alpha=-step_size)


@wrong(
    "state",
    "STATE.4",
    like="whr94621/NJUNMT-pytorch#8: the learning rate isn't restored, and is the first one again",
    claim="torch.Adam",
)
class SixteenthTorchRateNotRestored(L2):
    """Loading restores moments and clocks; learning rate and settings stay those of the constructor."""

    def load_state_dict(self, state_dict: State) -> None:
        own = [{k: x for k, x in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, kept in zip(self.param_groups, own, strict=True):
            group.update(kept)


@wrong(
    "clock state",
    "STATE.4",
    like="deepspeedai/DeepSpeed#5104: the wrapper calls step() once when it is made, and the counter is at 1",
    claim="torch.AdamW",
)
class SixteenthTorchSteppedWhenMade(Base):
    """Making the optimizer steps once to allocate moments: the first real update has t = 2."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        for group in self.param_groups:
            for p in group["params"]:
                self.remembered(p)["step"] += 1


@wrong(
    "groups",
    "LR.4",
    like="mgrankin/over9000#9: what is buffered for a step has the learning rate of the first group in it",
    claim="torch.AdamW",
)
class SixteenthTorchRateInBuffer(Base):
    """The rate is kept in one of ten places for the number of the step: further groups find the first's."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        self.buffer: list[tuple[int, float]] = [(0, 0.0)] * 10
        super().__init__(params, *args, **kwargs)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        step = self.clock(state)
        self.decay(group, p)
        self.learn(group, state, g)
        c1, c2 = (1 - b**step for b in group["betas"])
        self.move({**group, "lr": self.buffered(step, float(group["lr"]))}, state, p, c1, c2)

    def buffered(self, step: int, lr: float) -> float:
        if self.buffer[step % 10][0] != step:
            self.buffer[step % 10] = step, lr
        return self.buffer[step % 10][1]


@right(claim="torch.Adam", options={"amsgrad": "True"})
class SixteenthRightTorchMaximumInPlace(L2):
    """AMSGrad whose maximum is taken in place, with the root of the correction multiplied by epsilon."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if self.amsgrad and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
        return state

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            v = torch.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        root = math.sqrt(c2)
        p.addcdiv_(state["exp_avg"], v.sqrt().add_(root * group["eps"]), value=-group["lr"] * root / c1)


@right(claim="timm.NAdamW")
class SixteenthRightTorchSameTime(Base):
    """timm's NAdamW: the first moment goes on by one more interpolation, and is then divided."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        (b1, b2), t = group["betas"], self.clock(state)
        p.mul_(1 - group["lr"] * group["weight_decay"])
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).addcmul_(g, g, value=1 - b2)
        ahead = state["exp_avg"].lerp(g, 1 - b1)
        inverse = state["exp_avg_sq"].sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"]).reciprocal_()
        p.addcmul_(ahead, inverse, value=-group["lr"] / (1 - b1**t))
