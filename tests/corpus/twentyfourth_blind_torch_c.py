"""Blind, twenty-fourth set: torch.optim.Optimizer subclasses after bugs in starts and saves, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")


@wrong(
    "layout moments",
    "STEP.1",
    like="meta-pytorch/torchrec#2071: the step begins before backward ends, and reads gradients not final",
    claim="torch.AdamW",
)
class TwentyFourthBTorchBucketNotFinal(Base):
    """The first parameter, which backward comes to last, is stepped by the gradient of the step before."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        first = self.param_groups[0]["params"][0]
        if state is self.state[first]:
            bucket = state.get("bucket", torch.zeros_like(g))
            state["bucket"] = g.clone()  # comes when the step is over
            g = bucket
        super().update(group, state, p, g)


@wrong(
    "bias_correction",
    "BC.2",
    like="kozistr/pytorch_optimizer#354: the second correction of ScheduleFreeRAdam is wrong",
    claim="torch.AdamW",
)
class TwentyFourthBTorchCorrectionNotRooted(Base):
    """The root of the second moment is divided by its correction, and not by the root of that."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        de_nom = state["exp_avg_sq"].sqrt().div_(c2).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], de_nom, value=-group["lr"] / c1)


@wrong(
    "storage mixed_precision",
    "MOM.4",
    like="lanl/hippynn#15: state that is made before model.to() stays what it was, until it is reloaded",
    claim="torch.AdamW",
)
class TwentyFourthBTorchStateBeforeMove(Base):
    """Moments are made with the optimizer, float32 as models are then; a float64 parameter keeps those."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            shape = self.real(p.detach()).shape
            self.state[p].update(step=0, **{name: torch.zeros(shape) for name in MOMENTS})

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        (b1, b2), (m, v) = group["betas"], (state[name] for name in MOMENTS)
        m.mul_(b1).add_(g.to(m.dtype), alpha=1 - b1)
        v.mul_(b2).addcmul_(g.to(v.dtype), g.to(v.dtype), value=1 - b2)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        moved = {name: state[name].to(p.dtype) for name in MOMENTS}
        super().move(group, moved, p, c1, c2)


@wrong(
    "missing",
    "F1",
    like="kozistr/pytorch_optimizer#462: state is set up in the first step, for what has a gradient then",
    claim="torch.AdamW",
)
class TwentyFourthBTorchGroupOnce(Base):
    """State is made in the first step alone: a parameter without gradient there can never be stepped."""

    ready = False

    def takes(self, present: list[Tensor]) -> bool:
        if not self.ready and not self.state:
            params = [p for group in self.param_groups for p in group["params"]]
            for p in (p for p in params if p.grad is not None):
                super().remembered(p)
        self.ready = True
        return True

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        return state


@wrong(
    "state",
    "STATE.4",
    like="mlverse/torch#1235: without amsgrad a state has an undefined maximum, and cannot be saved",
    claim="torch.Adam",
)
class TwentyFourthBTorchUndefinedMaximum(L2):
    """A state has an undefined maximum beside its moments, at which its saving fails."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.setdefault("max_exp_avg_sq", None)
        return state

    def state_dict(self) -> Any:
        saved = super().state_dict()
        saved["state"] = {
            index: {name: x if name == "step" else x.clone() for name, x in own.items()}
            for index, own in saved["state"].items()
        }
        return saved


@wrong(
    "all_missing missing",
    "F1",
    like="facebookresearch/fairseq2#394: a step on an empty batch, without gradients, upsets the AMP scaler",
    claim="torch.AdamW",
)
class TwentyFourthBTorchEmptyBatch(Base):
    """A step in which no parameter has a gradient fails, as the scaler has recorded no check for it."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        params = [p for group in self.param_groups for p in group["params"]]
        found_inf = [p for p in params if p.grad is not None]
        if params and not found_inf:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        super().step()
        return loss


@right(claim="torch.AdamW")
class TwentyFourthBRightTorchForeach(Base):
    """AdamW by lists: tensors of one dtype, layout and clock are decayed, averaged and moved together."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    lists.setdefault((p.dtype, int(state["step"])), []).append(p)
            for (_, t), params in lists.items():
                self.together(group, t, params)
        return loss

    def together(self, group: Group, t: int, params: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        ws, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([self.state[p][name] for p in params] for name in MOMENTS)
        torch._foreach_mul_(ws, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, torch._foreach_mul(gs, 1 - b2), gs)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ws, ms, below, value=-lr / (1 - b1**t))


@right(claim="torch.Adam")
class TwentyFourthBRightTorchEager(L2):
    """Adam whose moments are made with the optimizer, in each parameter's dtype; its clocks are tensors."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            zeros = {name: torch.zeros_like(self.real(p.detach())) for name in MOMENTS}
            self.state[p].update(step=torch.zeros((), dtype=torch.float32), **zeros)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        state["step"].add_(1)
        t = int(state["step"])
        if group["weight_decay"]:
            g = torch.add(g, p, alpha=group["weight_decay"])
        m, v = (state[name] for name in MOMENTS)
        m.mul_(b1).add_(g, alpha=1 - b1)
        v.mul_(b2).add_((g * (1 - b2)).mul_(g))
        quotient = torch.div(m, v.sqrt().div_(math.sqrt(1 - b2**t)).add_(group["eps"]))
        p.sub_(quotient.mul_(lr / (1 - b1**t)))
