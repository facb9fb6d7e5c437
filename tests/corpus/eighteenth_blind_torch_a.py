"""Blind, eighteenth set: torch.optim.Optimizer subclasses after bugs in loss scales, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch import norm_of, present
from tenth_blind_torch import Hat, Scaled
from torch import Tensor


@wrong(
    "loss_scale clipping",
    "CLIP.1",
    like="TorchSSL/TorchSSL#59: with amp gradients are clipped before anything has unscaled them",
    claim="torch.AdamW",
)
class EighteenthTorchClippedWithScale(Scaled):
    """Under a loss scale gradients have a norm of 1 at most before, and 1 over the scale once it is out."""

    clip = 1.0
    total_norm = 0.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        counted = [] if self.grad_scale is None else present(self)
        self.total_norm = norm_of([torch.nan_to_num(g, 0.0, 0.0, 0.0) for g in counted])
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.total_norm > self.clip:
            g = g.mul(self.clip / (self.total_norm + 1e-6))
        super().update(group, state, p, g)


@wrong(
    "loss_scale nonfinite",
    "SCALE.2",
    like="speechbrain/speechbrain#1496: check_gradients asks whether the loss is finite",
    claim="torch.AdamW",
)
class EighteenthTorchFiniteLossSteps(Scaled):
    """A step is made if the loss is finite, whatever has been found in the gradients."""

    loss: Any = None

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        self.loss = super().asked(closure)
        return self.loss

    def overflowed(self) -> bool:
        return self.loss is not None and not math.isfinite(float(self.loss))


@wrong(
    "loss_scale moments",
    "SCALE.1",
    like="OpenBMB/BMTrain@926e305: where the scale has changed, moments are divided by the factor",
    claim="torch.AdamW",
)
class EighteenthTorchRescaledTheWrongWay(Scaled):
    """Moments are kept times the scale, and go by the inverse of the factor when that is another one."""

    def takes(self, present: list[Tensor]) -> bool:
        taken = super().takes(present)
        if taken and present:
            self.rescale(1.0 if self.grad_scale is None else float(self.grad_scale))
        return taken

    def rescale(self, scale: float) -> None:
        former = self.param_groups[0].setdefault("scale", scale)
        delta = scale / former
        self.param_groups[0]["scale"] = scale
        for state in self.state.values() if delta != 1.0 else ():
            for name, power in (("exp_avg", 1), ("exp_avg_sq", 2)):
                kept = state[name] * former**power / delta**power
                state[name].copy_(kept / scale**power)


@wrong(
    "loss_scale",
    "SCALE.1",
    like="facebookresearch/fairseq@9c21a715: a factor is handed to a fused Adam, which takes a divisor",
    claim="torch.AdamW",
)
class EighteenthTorchDivisorIsFactor(Scaled):
    """Gradients are divided by the reciprocal of the loss scale."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        scale = 1.0 if self.grad_scale is None else 1.0 / self.grad_scale
        Base.update(self, group, state, p, g / scale)


@wrong(
    "loss_scale",
    "SCALE.2",
    like="pytorch/pytorch#98620: scaler.step looks for inf once more, and forgets what unscale_ has found",
    claim="torch.AdamW",
)
class EighteenthTorchChecksOnceMore(Scaled):
    """Whether a step with a flag is skipped is decided by the gradients, and not by the flag."""

    def overflowed(self) -> bool:
        if self.found_inf is None:
            return False
        return not all(bool(torch.isfinite(self.real(g)).all()) for g in present(self))


@right(claim="fairseq.Adam")
class EighteenthRightTorchWide(Hat):
    """fairseq's Adam in float64, whatever the dtype: everything is rounded once, where it is kept."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        (b1, b2), t = group["betas"], self.clock(state)
        x, d, m, v = (a.double() for a in (p, g, state["exp_avg"], state["exp_avg_sq"]))
        m = m * b1 + d * (1 - b1)
        v = v * b2 + (d * (1 - b2)) * d
        rate = group["lr"] * math.sqrt(1 - b2**t) / (1 - b1**t)
        x = x - (group["lr"] * group["weight_decay"]) * x - rate * (m / (v.sqrt() + group["eps"]))
        for kept, new in ((p, x), (state["exp_avg"], m), (state["exp_avg_sq"], v)):
            kept.copy_(new)


@right(claim="torch.Adam", options={"amsgrad": "True"})
class EighteenthRightTorchStateOfRows(L2):
    """AMSGrad of which a parameter's moments and maximum are rows of one tensor, that names are views of."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        if "exp_avg" not in state:
            x = self.real(p)
            rows = torch.zeros((len(names), *x.shape), dtype=x.dtype, device=x.device)
            state.update(zip(names, rows.unbind(), strict=True), step=0)
        return state

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            top = state.setdefault("max_exp_avg_sq", torch.zeros_like(v))
            v = torch.maximum(top, v, out=top)
        below = torch.sqrt(v)
        torch.add(below, group["eps"] * math.sqrt(c2), out=below)
        torch.div(state["exp_avg"], below, out=below)
        torch.add(p, below, alpha=-group["lr"] * math.sqrt(c2) / c1, out=p)
