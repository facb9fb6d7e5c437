"""Blind, seventeenth set: more torch.optim.Optimizer subclasses after the bugs of others, and right ones."""

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
    "groups clock moments",
    "STEP.1",
    like="volcengine/veGiantModel#6: a tied weight is in its parameter group twice",
    claim="torch.AdamW",
)
class SeventeenthTorchTiedIsListedTwice(Base):
    """The first parameter of each group is tied and listed twice: a step updates it two times."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in self.listed(group["params"]):
                if p.grad is not None:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def listed(self, params: list[Tensor]) -> list[Tensor]:
        return [*params, *params[:1]]


@wrong(
    "state clock",
    "STATE.1",
    like="hpcaitech/ColossalAI#6146: CPUAdam's native step takes an int, and a loaded step may be a tensor",
    claim="torch.AdamW",
)
class SeventeenthTorchNativeWantsInt(Base):
    """A clock that is loaded as a tensor, as other Adams save it, is an error in the next step."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not isinstance(state["step"], int):
            raise TypeError(f"step(): incompatible function arguments: {type(state['step']).__name__}")
        super().update(group, state, p, g)


@wrong(
    "clock moments",
    "CLK.2",
    like="eriklindernoren/PyTorch-YOLOv3#313: a step is made where batches % n is not 0, not where it is",
    claim="torch.Adam",
)
class SeventeenthTorchStepsInWindow(L2):
    """A gradient comes in four parts, and a step is made behind the second, the third and the fourth."""

    accumulations = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for batches_done in range(self.accumulations):
            total.add_(g, alpha=1 / self.accumulations)
            if batches_done % self.accumulations:
                super().update(group, state, p, total)
                total = torch.zeros_like(g)


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="pytorch/pytorch#26218: beside half precision 1e-8 rounds to 0, and protects from nothing",
    claim="torch.Adam",
)
class SeventeenthTorchEpsilonInHalf(L2):
    """Epsilon is a number of float16 beside the root: the default of 1e-8 is 0."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "eps": torch.tensor(group["eps"], dtype=torch.float16).item()}


@wrong(
    "loss_scale",
    "SCALE.2",
    like="facebookresearch/fairscale#890: the sharded scaler looks for inf in the first tensor alone",
    claim="torch.AdamW",
)
class SeventeenthTorchFirstTensorDecides(Scaled):
    """A step with an overflow is made unless the first gradient has a number that is not finite."""

    def overflowed(self) -> bool:
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        if self.found_inf is None or not grads:
            return super().overflowed()
        return not bool(torch.isfinite(self.real(grads[0])).all())


@right(claim="torch.Adam", options={"maximize": "True"})
class SeventeenthRightTorchUphill(Base):
    """Adam that maximizes: the penalty is subtracted, all moments have the other sign, and the step adds."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.maximize = maximize

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        downhill = torch.neg(g) if self.maximize else g
        super().update(group, state, p, torch.add(downhill, p, alpha=group["weight_decay"]))

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = torch.sqrt(state["exp_avg_sq"]).mul_(c1 / math.sqrt(c2))
        root.add_(group["eps"] * c1)
        p.sub_(torch.div(state["exp_avg"], root).mul_(group["lr"]))


@right(claim="transformers4.AdamW")
class SeventeenthRightTorchDecayBehind(Hat):
    """transformers' former AdamW: one gathered pass for the moments, one for steps, and one for decays."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            stepped = [(self.real(p), self.remembered(p)) for p in group["params"] if p.grad is not None]
            grads = [self.real(p.grad) for p in group["params"] if p.grad is not None]
            for (_, state), g in zip(stepped, grads, strict=True):
                state["step"] += 1
                self.learn(group, state, g)
            for p, state in stepped:
                c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
                self.move(group, state, p, c1, c2)
            if group["weight_decay"]:
                for p, _ in stepped:
                    p.add_(p, alpha=-group["lr"] * group["weight_decay"])
        return loss
