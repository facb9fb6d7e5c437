"""Blind, thirty-ninth set: torch.optim.Optimizer subclasses after bugs of loads, rates and others' arrays."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "missing all_missing",
    "F1",
    like="lightseekorg/TorchSpec#33: a step is made without a gradient norm, where it should be left out",
    claim="torch.AdamW",
)
class ThirtyNinthTorchStepsWithoutNorm(Base):
    """Where no gradient at all is there, a step is made as with zeros: clocks, momentum and decay go on."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        every = [(group, p) for group in self.param_groups for p in group["params"]]
        grad_norm = None if all(p.grad is None for _, p in every) else 1.0
        for group, p in every:
            if grad_norm is None:
                self.update(group, self.remembered(p), self.real(p), torch.zeros_like(self.real(p)))
            elif p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "decay",
    "DEC.1",
    like="ai2cm/ace#661: FusedAdam builds AdamW where Adam builds Adam, so its decay is decoupled",
    claim="torch.Adam",
)
class ThirtyNinthTorchFusedIsDecoupled(L2):
    """What is called Adam builds AdamW: the decay is decoupled, and the moments do not see it."""

    def decay(self, group: Group, p: Tensor) -> None:
        Base.decay(self, group, p)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g)


@wrong(
    "state missing",
    "STATE.4",
    like="NVIDIA-NeMo/Automodel#2088: on resume entries are wanted for weights that never had a state",
    claim="torch.AdamW",
)
class ThirtyNinthTorchEntriesWanted(Base):
    """A load wants step and moments of each parameter, and fails if one has never had a gradient."""

    wanted = ("step", "exp_avg", "exp_avg_sq")

    def load_state_dict(self, state_dict: State) -> None:
        if state_dict["state"]:
            numbers = [i for group in state_dict["param_groups"] for i in group["params"]]
            saved = state_dict["state"]
            gone = [f"{i}.{k}" for i in numbers for k in self.wanted if k not in saved.get(i, {})]
            if gone:
                raise RuntimeError(f"Missing key in checkpoint state_dict: {gone[0]}")
        super().load_state_dict(state_dict)


@wrong(
    "isolation",
    "STATE.3",
    like="gke-labs/open-rl#80: which parameters A's optimizer steps depends on the adapter that is active",
    claim="torch.AdamW",
)
class ThirtyNinthTorchActiveAdapter(Base):
    """A step is one of the parameters of the optimizer that was made last, and has been active since."""

    active: Any = None

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        type(self).active = weakref.ref(self)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        active = type(self).active() or self
        for group, trained in zip(self.param_groups, active.param_groups, strict=False):
            for p in trained["params"]:
                if p.grad is not None:
                    self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss


@wrong(
    "schedule state",
    "STATE.4",
    like="bghira/SimpleTuner#921: on several GPUs the rate's schedule is wrong behind a resume",
    claim="torch.AdamW",
)
class ThirtyNinthTorchScheduleLags(Base):
    """Behind a load the schedule goes on at half its pace, as on two GPUs: rates come late."""

    processes = 2

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.rates: list[list[float]] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if "rates" not in self.__dict__:
            return super().step(closure)
        present = [group["lr"] for group in self.param_groups]
        self.rates.append([float(lr) for lr in present])
        late = self.rates[(len(self.rates) - 1) // self.processes]
        for group, lr in zip(self.param_groups, late, strict=False):
            group["lr"] = lr
        loss = super().step(closure)
        for group, lr in zip(self.param_groups, present, strict=True):
            group["lr"] = lr
        return loss


@right(claim="torch.AdamW")
class ThirtyNinthRightTorchForeach(Base):
    """AdamW by foreach functions, for all parameters of a group that have the same dtype and clock."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] = int(state["step"]) + 1
                    alike.setdefault((p.dtype, state["step"]), []).append(p)
            for (_, t), params in alike.items():
                self.together(group, params, t)
        return loss

    def together(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), lr = group["betas"], float(group["lr"])
        xs, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([self.state[p][name] for p in params] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(xs, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(xs, ms, below, -lr / (1 - b1**t))


@right(claim="torch.Adam")
class ThirtyNinthRightTorchClockIsTensor(L2):
    """Adam with L2 whose clocks are tensors without axes, and whose averages are in new memory."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(state["step"], dtype=torch.int64).clone()
        return state

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"] = b1 * state["exp_avg"] + (1 - b1) * g
        state["exp_avg_sq"] = b2 * state["exp_avg_sq"] + ((1 - b2) * g) * g

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].sqrt() * (1 / math.sqrt(c2)) + group["eps"]
        p.sub_((state["exp_avg"] / below) * (group["lr"] / c1))


@right(claim="torch.AdamW")
class ThirtyNinthRightTorchNewArrays(Base):
    """AdamW that makes new arrays and copies them back in the end; the decay is a part of the change."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), t = group["betas"], int(state["step"]) + 1
        m = state["exp_avg"] + (1 - b1) * (g - state["exp_avg"])
        v = b2 * state["exp_avg_sq"] + ((1 - b2) * g) * g
        ratio = m / (v.sqrt() / math.sqrt(1 - b2**t) + group["eps"])
        change = (group["lr"] / (1 - b1**t)) * ratio + (group["lr"] * group["weight_decay"]) * p
        p.copy_(p - change)
        state.update(step=t, exp_avg=m, exp_avg_sq=v)
