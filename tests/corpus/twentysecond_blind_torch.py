"""Blind, twenty-second set: torch.optim.Optimizer subclasses after the bugs of others, and two right ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")
Betas = tuple[float, float]


@right(claim="deepspeed.CPUAdam")
class TwentySecondRightTorchPowersSaved(Base):
    """DeepSpeed's CPU Adam, whose powers are saved with their betas, and formed anew where betas change."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        betas = [float(b) for b in group["betas"]]
        if [state.get("beta1"), state.get("beta2")] != betas:
            self.form(state, betas, betas)
        state["step"] += 1
        state["beta1_power"] *= betas[0]
        state["beta2_power"] *= betas[1]
        self.decay(group, p)
        self.learn(group, state, g)
        self.move(group, state, p, 1 - state["beta1_power"], 1 - state["beta2_power"])

    def form(self, state: State, betas: Any, of: Any) -> None:
        """Form the powers of betas for the clock of a state, to be used as long as it has certain ones."""
        step = int(state["step"])
        state["beta1_power"], state["beta2_power"] = (float(b) ** step for b in betas)
        state["beta1"], state["beta2"] = (float(b) for b in of)


@wrong(
    "state bias_correction",
    "STATE.4",
    like="tenstorrent/tt-metal#53222: a restore forms the powers of the betas before it takes betas",
    claim="deepspeed.CPUAdam",
)
class TwentySecondTorchPowersOfOldBetas(TwentySecondRightTorchPowersSaved):
    """A load forms the powers of the betas that were there before, for the clock that it has loaded."""

    def load_state_dict(self, state_dict: State) -> None:
        before = [group["betas"] for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, betas in zip(self.param_groups, before, strict=True):
            for p in group["params"]:
                if p in self.state and "step" in self.state[p]:
                    self.form(self.state[p], betas, group["betas"])


@wrong(
    "hyperparameters moments",
    "MOM.2",
    like="deepspeedai/DeepSpeed#8495: the OneCycle scheduler writes 0.99 for beta2 into every group",
    claim="torch.AdamW",
)
class TwentySecondTorchSecondBetaOfCycle(Base):
    """A scheduler that cycles the first beta is made with the groups, and gives all a second beta of 0.99."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.initialize_momentum([group["betas"][0] for group in self.param_groups])

    def initialize_momentum(self, cycle_momentum: list[float], second: float = 0.99) -> None:
        for momentum, group in zip(cycle_momentum, self.param_groups, strict=True):
            group["betas"] = (momentum, second)


@right(claim="torch.AdamW")
class TwentySecondRightTorchSwapped(Base):
    """AdamW whose moments are swapped in for an update, and out while the next one goes on, the last too."""

    flushes = True

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        waiting: tuple[State, State] | None = None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                host = self.remembered(p)
                device = {"step": host["step"], **{name: host[name].clone() for name in MOMENTS}}
                self.update(group, device, self.real(p), self.real(p.grad))
                host["step"] = device["step"]
                self.swap_out(waiting)
                waiting = host, device
        if self.flushes:
            self.swap_out(waiting)
        return loss

    def swap_out(self, waiting: tuple[State, State] | None) -> None:
        if waiting is not None:
            host, device = waiting
            for name in MOMENTS:
                host[name].copy_(device[name])


@wrong(
    "moments layout",
    "MOM.1",
    like="InternLM/xtuner#1830: the swapping AdamW produces a wrong loss",
    claim="torch.AdamW",
)
class TwentySecondTorchLastNotSwapped(TwentySecondRightTorchSwapped):
    """Moments are swapped out when the next parameter's come: those of a step's last one never are."""

    flushes = False


@wrong(
    "hyperparameters moments",
    "MOM.1",
    like="NovaSky-AI/SkyRL#1646: chosen keys of the optimizer's config are copied, and no betas",
    claim="torch.AdamW",
)
class TwentySecondTorchBetasNotCopied(Base):
    """Rate, epsilon and decay that are given are taken, and betas are 0.9 and 0.999 always."""

    copied = ("lr", "eps", "weight_decay")

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        config: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, **{key: config[key] for key in self.copied})


@wrong(
    "schedule",
    "LR.1",
    like="ludwig-ai/ludwig#3555: scheduler.step() and the steps of gradient accumulation do not go together",
    claim="torch.AdamW",
)
class TwentySecondTorchRateOfBlock(Base):
    """A rate that is set is taken over at each fourth step, and held for those between."""

    accumulation_steps = 4

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            batch = group.get("batch", 0)
            if batch % self.accumulation_steps == 0:
                group["current"] = float(group["lr"])
            group["batch"] = batch + 1
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["current"]}


@wrong(
    "state storage",
    "MOM.4",
    like="NVIDIA/apex#180: with level O2 the loss rises behind a load of Adam's state, not with a new Adam",
    claim="torch.Adam",
)
class TwentySecondTorchLoadedThroughHalf(L2):
    """A load casts the moments to float16, as which the model has its parameters: small squares are 0."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for own in self.state.values():
            for name in MOMENTS:
                if name in own:
                    own[name] = own[name].half().to(own[name].dtype)


@wrong(
    "mixed_precision epsilon storage",
    "EPS.6",
    like="afiaka87/glide-finetune#5: all is fp16, eps too, which is 0, and so is a small gradient's square",
    claim="torch.AdamW",
)
class TwentySecondTorchModelIsHalf(Base):
    """Parameters, gradients and moments are float16: squares and epsilon vanish, and a step divides by 0."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        for name in MOMENTS:
            state[name] = state[name].half()
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        half = p.half()
        super().update(group, state, half, g.half())
        p.copy_(half)
