"""Blind, thirty-ninth set, second half: torch.optim.Optimizer subclasses after bugs of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from blind_torch import Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "nonfinite clipping",
    "NF.2",
    like="radixark/miles#2078: a norm that is NaN makes each gradient clip/NaN times itself",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchClipByNaN(Base):
    """One NaN in a gradient makes the norm NaN, and all are multiplied by clip over norm: all becomes NaN."""

    clip = 1e4

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        squares = [self.real(p.grad).double().square().sum() for _, p in pairs]
        factor = torch.clamp(self.clip / (sum(squares, torch.zeros(())).sqrt() + 1e-6), max=1.0)
        for group, p in pairs:
            g = self.real(p.grad)
            self.update(group, self.remembered(p), self.real(p), g * factor.to(g.dtype))
        return loss


@wrong(
    "state aliasing",
    "STATE.4",
    like="harubaru/waifu-diffusion#31: a save copies the EMA into the trained network, and leaves it there",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchSaveLeavesAverage(Base):
    """A save writes the averaged weights into the parameters: training goes on from the average."""

    decay_of_average = 0.9999

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        shadow: dict[Tensor, Tensor] = self.__dict__.setdefault("shadow", {})
        params = [p for group in self.param_groups for p in group["params"]]
        for p in params:
            shadow.setdefault(p, p.detach().clone())
        loss = super().step(closure)
        for p in params:
            shadow[p].add_(p - shadow[p], alpha=1 - self.decay_of_average)
        return loss

    @torch.no_grad()
    def state_dict(self) -> Any:
        for p, average in self.__dict__.get("shadow", {}).items():
            p.copy_(average)
        return super().state_dict()


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="NVIDIA-NeMo/Emerging-Optimizers#260: state['step'] is set to 0, read, and never incremented",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchStepStaysZero(Base):
    """The step of the state is 0 and is never raised: each update is corrected as the first one is."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.decay(group, p)
        self.learn(group, state, g)
        c1, c2 = (1 - b ** (int(state["step"]) + 1) for b in group["betas"])
        self.move(group, state, p, c1, c2)


@wrong(
    "groups",
    "LR.4",
    like="Nerogar/OneTrainer#1064: a split group for Adam has no rate of its own, and trains at Muon's",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchRateOfMuonGroup(Base):
    """All groups train at the learning rate of the first one, which is Muon's."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.param_groups[0]["lr"]}


@wrong(
    "coefficients",
    "NUM.4",
    like="allenai/OLMo-core#385: AdamW is rewritten, since its formulation had worse numerical properties",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchCorrectionsInSingle(Base):
    """The clock is a tensor of float32, and the corrections are powers and differences in float32."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        step = torch.tensor(float(state["step"]), dtype=torch.float32)
        self.decay(group, p)
        self.learn(group, state, g)
        bias1, bias2 = (1 - torch.pow(b, step) for b in group["betas"])
        corrected = torch.div(state["exp_avg"], bias1)
        p.add_(corrected / (torch.sqrt(state["exp_avg_sq"] / bias2) + group["eps"]), alpha=-group["lr"])


@wrong(
    "moments",
    "MOM.1",
    like="pytorch/xla#779: gradients that are found through the state again are summed once more",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchFoundTwice(Base):
    """As soon as a parameter has a state, its gradient is found there too, and counts twice."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        found = [p for group in self.param_groups for p in group["params"]] + list(self.state)
        summed: dict[Tensor, Tensor] = {}
        for p in found:
            if p.grad is not None:
                g = self.real(p.grad)
                summed[p] = summed[p] + g if p in summed else g
        for group in self.param_groups:
            for p in group["params"]:
                if p in summed:
                    self.update(group, self.remembered(p), self.real(p), summed[p])
        return loss


@right(claim="torch.AdamW")
class ThirtyNinthBRightTorchBitsandbytesOrder(Base):
    """AdamW in another order: a length of step with both corrections, and epsilon scaled."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = c2**0.5
        denominator = state["exp_avg_sq"].sqrt().add_(group["eps"] * root)
        p.add_(state["exp_avg"].div(denominator), alpha=-group["lr"] * root / c1)
