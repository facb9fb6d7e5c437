"""Blind, twenty-ninth set: torch.optim.Optimizer subclasses after bugs in groups, loads and masters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "groups hyperparameters",
    "LR.4",
    like="bmaltais/kohya_ss#2615: a rate of 0 for the second text encoder counts as unset",
    claim="torch.AdamW",
)
class TwentyNinthBTorchZeroIsUnset(Base):
    """A group whose rate is 0 is not frozen: it is stepped with the rate of the first group."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["lr"] or self.param_groups[0]["lr"]}


@wrong(
    "state",
    "STATE.4",
    like="huggingface/transformers#25849: with FSDP the optimizer's state is not restored on a resume",
    claim="torch.AdamW",
)
class TwentyNinthBTorchWrappedAfterLoad(Base):
    """A load fills the groups, and the state that it brings is lost as the optimizer is wrapped anew."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.state.clear()


@wrong(
    "moments epsilon",
    "MOM.2",
    like="juntang-zhuang/Adabelief-Optimizer#18: eps is added in place to the stored variance in each step",
    claim="torch.Adam",
)
class TwentyNinthBTorchEpsilonInState(L2):
    """Epsilon is added in place to the second moment that is stored, once more in each step."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = state["exp_avg_sq"].add_(group["eps"]).sqrt()
        denominator = root.div_(math.sqrt(c2)).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / c1)


@wrong(
    "maximize hyperparameters",
    "MAX.1",
    like="OpenBMB/BMTrain#25: the functional Adam is called without maximize",
    claim="torch.Adam",
    options={"maximize": "True"},
)
class TwentyNinthBTorchMaximizeNotPassed(L2):
    """The function that makes the step is called without maximize, and minimizes."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        for group in self.param_groups:
            group.setdefault("maximize", maximize)
        self.defaults["maximize"] = maximize

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.functional(state, p, g, {k: x for k, x in group.items() if k not in ("params", "maximize")})

    def functional(self, state: State, p: Tensor, g: Tensor, group: Group, maximize: bool = False) -> None:
        super().update(group, state, p, -g if maximize else g)


@wrong(
    "state missing",
    "STATE.4",
    like="deepspeedai/DeepSpeed#3090: weights are rebuilt from a state that has no frozen parameters",
    claim="torch.AdamW",
)
class TwentyNinthBTorchFrozenAreRandom(Base):
    """A load puts weights back from masters in the state: a parameter that has no state becomes random."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g)
        state["master"] = p.clone()

    @torch.no_grad()
    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        generator = torch.Generator().manual_seed(0)
        for group in self.param_groups if self.state else []:
            for p in group["params"]:
                w, state = self.real(p), self.state.get(p, {})
                if "master" in state:
                    w.copy_(state["master"])
                else:
                    w.copy_(0.02 * torch.randn(w.shape, generator=generator))


@wrong(
    "state clock",
    "STATE.4",
    like="pytorch/pytorch#124133: steps of a fused AdamW are on another device than parameters once loaded",
    claim="torch.AdamW",
)
class TwentyNinthBTorchStepsElsewhere(Base):
    """A load leaves the steps on a device where the parameters are not, and the next step fails."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]), device=p.device)
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            if "step" in state:
                state["step"] = torch.as_tensor(state["step"]).to("meta")

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if state["step"].device != p.device:
            raise RuntimeError("expected state_steps to be on the same device as params")
        super().update(group, state, p, g)


@right(claim="torch.AdamW")
class TwentyNinthBRightTorchFreshMasters(Base):
    """AdamW whose masters are read from the parameters in each step, and written back when all are done."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        masters: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    w = self.real(p)
                    masters.append((w, w.clone()))
                    self.update(group, self.remembered(p), masters[-1][1], self.real(p.grad))
        for w, master in masters:
            w.copy_(master)
        return loss

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        u = state["exp_avg"] / (state["exp_avg_sq"].sqrt() / math.sqrt(c2) + group["eps"])
        p.sub_(u.mul_(group["lr"] / c1))


@right(claim="torch.Adam")
class TwentyNinthBRightTorchSteps(L2):
    """Adam with L2 and AMSGrad, whose clocks are 0-d tensors beside the parameters, also behind a load."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]), dtype=torch.float32)
        if self.amsgrad and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            if "step" in state:
                state["step"] = torch.as_tensor(state["step"], dtype=torch.float32).cpu().clone()

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        v = state["exp_avg_sq"]
        if self.amsgrad:
            v = torch.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        p.addcdiv_(state["exp_avg"], v.sqrt().div_(math.sqrt(c2)).add_(group["eps"]), value=-group["lr"] / c1)
