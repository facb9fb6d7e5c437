"""Blind, sixteenth set: torch.optim.Optimizer subclasses after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat, Scaled
from torch import Tensor


@wrong(
    "clock",
    "CLK.2",
    like="allenai/OLMo-core#317: the step of SkipStepAdamW is never raised, and all are corrected as first",
    claim="torch.AdamW",
)
class SixteenthTorchSkipStepStands(Scaled):
    """What is raised is the clock of a copy of the state: it stays 0, and every update is a first one."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, dict(state), p, g)


@wrong(
    "decay hyperparameters",
    "DEC.1",
    like="Oneflow-Inc/oneflow#4835: the class hands an l2 of 0 to its kernel, whatever weight_decay is",
    claim="torch.Adam",
)
class SixteenthTorchKernelGetsNoL2(L2):
    """The kernel adds l2 times the parameter to the gradient, and is called with an l2 of 0."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.kernel(group, state, p, g, l2=0.0)

    def kernel(self, group: Group, state: State, p: Tensor, g: Tensor, l2: float) -> None:
        Base.update(self, group, state, p, g.add(p, alpha=l2))


@wrong(
    "amsgrad",
    "AMS.1",
    like="Oneflow-Inc/oneflow#6197: the fused update of the graph mode has no variable for the maximum",
    claim="torch.Adam",
    options={"amsgrad": "True"},
)
class SixteenthTorchMaximumWithoutVariable(L2):
    """The maximum of each step is that of the second moment and of a temporary of zeros."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        largest = torch.maximum(self.variable(v), v) if self.amsgrad else v
        denominator = largest.sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / c1)

    def variable(self, v: Tensor) -> Tensor:
        return torch.zeros_like(v)


@wrong(
    "moments",
    "MOM.1",
    like="yastrebksv/TennisCourtDetector#7: the loop of training has no zero_grad",
    claim="torch.Adam",
)
class SixteenthTorchLoopWithoutZeroGrad(L2):
    """Gradients are added to what is there from all steps before, and the step is by that."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.grads: dict[Tensor, Tensor] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "parameter": p}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        there = self.grads.setdefault(group["parameter"], torch.zeros_like(g))
        super().update(group, state, p, there.add_(g).clone())


@wrong(
    "moments",
    "MOM.1",
    like="wenet-e2e/wekws#72: gradients are zeroed nowhere between two steps, and all so far add up",
    claim="torch.Adam",
)
class SixteenthTorchSumOfAllSoFar(L2):
    """Each step is by the sum of all gradients that there have been."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.backward(p)
                    self.update(group, self.remembered(p), self.real(p), self.real(self.sums[p]))
        return loss

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.sums: dict[Tensor, Tensor] = {}

    def backward(self, p: Tensor) -> None:
        g = p.grad
        assert g is not None
        self.sums[p] = self.sums[p] + g if p in self.sums else g.clone()


@wrong(
    "groups",
    "LR.4",
    like="katsura-jp/pytorch-cosine-annealing-with-warmup#14: the one max_lr is written to all groups",
    claim="torch.AdamW",
)
class SixteenthTorchOneMaximalRate(Base):
    """Before each step one learning rate, the first group's, is the rate of all groups."""

    def settings(self, group: Group, p: Tensor) -> Group:
        max_lr = self.param_groups[0]["lr"]
        return {**group, "lr": max_lr}


@wrong(
    "state mixed_precision",
    "MOM.4",
    like="facebookresearch/fairseq2#212: loading casts the moments to fp16 before they become float32 again",
    claim="torch.AdamW",
)
class SixteenthTorchLoadsThroughHalf(Base):
    """A state that is loaded has its moments cast to float16, and then back to what they were."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            for name in ("exp_avg", "exp_avg_sq"):
                if name in state:
                    state[name] = state[name].half().to(state[name].dtype)


@wrong(
    "amsgrad",
    "AMS.1",
    like="LiyuanLucasLiu/RAdam#6: amsgrad is among the defaults of AdamW, and nothing in it uses the setting",
    claim="fairseq.Adam",
    options={"amsgrad": "True"},
)
class SixteenthTorchOnlyAmongDefaults(Hat):
    """The setting for the maximum stands among the defaults of the groups, and has no effect."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.defaults["amsgrad"] = amsgrad
        for group in self.param_groups:
            group.setdefault("amsgrad", amsgrad)


@wrong(
    "bias_correction",
    "BC.1",
    like="bitsandbytes-foundation/bitsandbytes#2088: bias_correction=False is taken, and dropped in silence",
    claim="deepspeed.CPUAdam",
    options={"bias_correction": "False"},
)
class SixteenthTorchCorrectedAllTheSame(Base):
    """The update is corrected, whether the constructor was asked for it or not."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, bias_correction: bool = True,
        betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)


@right(claim="torch.AdamW")
class SixteenthRightTorchForeach(Base):
    """AdamW by operations on lists, with a list of corrections for the clocks of a group's parameters."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            for dtype in {p.dtype for p in present}:
                self.lists(group, [p for p in present if p.dtype == dtype])
        return loss

    def lists(self, group: Group, params: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], float(group["lr"])
        states = [self.remembered(p) for p in params]
        for state in states:
            state["step"] += 1
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        roots = torch._foreach_sqrt(vs)
        torch._foreach_div_(roots, [math.sqrt(1 - b2 ** int(state["step"])) for state in states])
        torch._foreach_add_(roots, group["eps"])
        rates = [-lr / (1 - b1 ** int(state["step"])) for state in states]
        torch._foreach_addcdiv_(ps, ms, roots, rates)


@right(claim="torch.AdamW")
class SixteenthRightTorchMomentsOfOneBuffer(Base):
    """AdamW whose two moments are halves of one buffer, and whose decay and step are one difference."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "exp_avg" not in state:
            x = self.real(p)
            both = torch.zeros((2, *x.shape), dtype=x.dtype, device=x.device)
            state.update(step=0, exp_avg=both[0], exp_avg_sq=both[1])
        return state

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        ratio = state["exp_avg"] / (state["exp_avg_sq"].sqrt() * c2**-0.5 + group["eps"])
        p.sub_(ratio.div_(c1).add_(p, alpha=group["weight_decay"]), alpha=group["lr"])
