"""Blind, twenty-second set: torch.optim.Optimizer subclasses after bugs of loads, projections, right ones."""

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
    "schedule state",
    "LR.3",
    like="Lightning-AI/pytorch-lightning#12812: on a resume the scheduler moves on, and no lr with it",
    claim="torch.AdamW",
)
class TwentySecondTorchInitialRateStays(Base):
    """Once a state was loaded the rate is the one of the constructor: what is set is not followed."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.initial = [float(group["lr"]) for group in self.param_groups]
        self.resumed = False

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.resumed = True

    def settings(self, group: Group, p: Tensor) -> Group:
        place = [other is group for other in self.param_groups].index(True)
        return {**group, "lr": self.initial[place]} if self.follows_none(place) else group

    def follows_none(self, place: int) -> bool:
        return self.resumed and place < len(self.initial)


@wrong(
    "state sharding",
    "STATE.4",
    like="hpcaitech/ColossalAI#1259: states of the optimizer are not properly put into the checkpoint",
    claim="torch.Adam",
)
class TwentySecondTorchOwnShardSaved(L2):
    """Of two shards of a moment the own one is saved: the other half of the saved array is 0."""

    world_size = 2

    def state_dict(self) -> State:
        saved = super().state_dict()
        states = {number: dict(own) for number, own in saved["state"].items()}
        for own in states.values():
            for name in ("exp_avg", "exp_avg_sq"):
                if name in own:
                    own[name] = self.gathered(own[name])
        return {**saved, "state": states}

    def gathered(self, full: Tensor) -> Tensor:
        local = -(-full.numel() // self.world_size)
        whole = torch.zeros(full.numel(), dtype=full.dtype)
        whole[:local] = full.reshape(-1)[:local]
        return whole.view(full.shape)


@wrong(
    "moments layout",
    "STEP.1",
    like="clovaai/AdamP#12: on the CPU a model does not learn with AdamP, as it does with Adam and on CUDA",
    claim="torch.AdamW",
)
class TwentySecondTorchAlwaysProjected(Base):
    """The step of a matrix loses its part along the weights of each row, as if all were scale invariant."""

    delta = 0.1

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "projected": p.ndim > 1}

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        perturb = state["exp_avg"] / denominator
        if group["projected"]:
            rows, weights = perturb.flatten(1), p.flatten(1)
            cosine = torch.zeros(len(rows), dtype=p.dtype)  # of gradients and weights: not computed here
            if bool((cosine < self.delta / math.sqrt(max(weights.shape[1], 1))).all()):
                unit = weights / (weights.norm(dim=1, keepdim=True) + 1e-8)
                perturb = (rows - unit * (unit * rows).sum(dim=1, keepdim=True)).view(p.shape)
        p.add_(perturb, alpha=-group["lr"] / c1)


@wrong(
    "state",
    "STATE.4",
    like="facebookresearch/fairseq#424: since the FP16 optimizer was changed no load works",
    claim="fairseq.Adam",
)
class TwentySecondTorchWrapperLoads(Hat):
    """A load gives a wrapper its loss scale, and hands nothing on: moments, clocks and groups stay."""

    loss_scale = 2.0**7

    def state_dict(self) -> State:
        return {**super().state_dict(), "loss_scale": self.loss_scale}

    def load_state_dict(self, state_dict: State) -> None:
        if "loss_scale" in state_dict:
            self.loss_scale = state_dict["loss_scale"]


@wrong(
    "moments",
    "MOM.1",
    like="facebookresearch/fairseq#5561: with beta1 Adafactor averages updates, which have lr in them",
    claim="fairseq.Adam",
)
class TwentySecondTorchAverageOfUpdates(Hat):
    """The first moment is of updates, gradients over the root and times the rate, and is the step."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        state["step"] += 1
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        self.decay(group, p)
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        exp_avg_sq.mul_(b2).addcmul_(g, g, value=1 - b2)
        update = (g / exp_avg_sq.sqrt().add_(group["eps"])).mul_(lr * math.sqrt(c2) / c1)
        exp_avg.mul_(b1).add_(update, alpha=1 - b1)
        p.sub_(exp_avg)


@wrong(
    "state hyperparameters",
    "STATE.4",
    like="bghira/SimpleTuner#984: with StableAdamW a constant rate is not right behind a resume",
    claim="torch.AdamW",
)
class TwentySecondTorchConstantRateOfClass(Base):
    """Behind a load the constant rate of all groups is the optimizer's own default, which is 0.001."""

    default_lr = 1e-3

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["lr"] = self.default_lr


@right(claim="timm.NAdamW")
class TwentySecondRightTorchLookAhead(Base):
    """timm's NAdamW: the look-ahead is one more interpolation of the first moment towards the gradient."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = state["exp_avg_sq"].sqrt() / math.sqrt(c2)
        p.sub_(group["ahead"].div_(root + group["eps"]).mul_(group["lr"] / c1))

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        super().learn(group, state, g)
        b1 = group["betas"][0]
        group["ahead"] = state["exp_avg"] * b1 + g * (1 - b1)

    def settings(self, group: Group, p: Tensor) -> Group:
        return dict(group)


@right(claim="torch.Adam")
class TwentySecondRightTorchTensors(L2):
    """Adam as a compiled one has it: clock, rate and corrections are tensors without dimensions."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            numbers = [*group["betas"], group["lr"], group["eps"], group["weight_decay"]]
            scalars = [torch.as_tensor(x, dtype=torch.float64) for x in numbers]
            for p in group["params"]:
                if p.grad is not None:
                    self.one(scalars, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def one(self, scalars: list[Tensor], state: State, p: Tensor, g: Tensor) -> None:
        b1, b2, lr, eps, weight_decay = scalars
        step = torch.as_tensor(state["step"], dtype=torch.float64) + 1
        left1, left2 = 1 - b1**step, 1 - b2**step
        d = g + p * weight_decay
        m = state["exp_avg"] * b1 + d * (1 - b1)
        v = state["exp_avg_sq"] * b2 + (d * (1 - b2)) * d
        p.sub_((m / (v.sqrt() / left2.sqrt() + eps)) * (lr / left1))
        state["exp_avg"].copy_(m)
        state["exp_avg_sq"].copy_(v)
        state["step"] = int(step)
