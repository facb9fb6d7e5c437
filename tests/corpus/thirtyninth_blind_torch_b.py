"""Blind, thirty-ninth set, second half: torch.optim.Optimizer subclasses after bugs of loads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "layout moments",
    "STEP.1",
    like="deepspeedai/DeepSpeed#7641: embedding and lm_head are sent to Muon, not to the Adam group",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchMatricesToMuon(Base):
    """Parameters of two dimensions, embedding and head among them, are stepped by Muon."""

    momentum = 0.95

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "use_muon": p.ndim == 2 and not p.is_complex()}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not group["use_muon"]:
            super().update(group, state, p, g)
            return
        state["step"] += 1
        self.decay(group, p)
        state["exp_avg"].lerp_(g, 1 - self.momentum)
        ahead = g.lerp(state["exp_avg"], self.momentum)
        p.add_(self.orthogonal(ahead), alpha=-group["lr"] * max(1.0, p.shape[0] / max(1, p.shape[1])) ** 0.5)

    def orthogonal(self, g: Tensor) -> Tensor:
        tall = g.shape[0] > g.shape[1]
        x = (g.T if tall else g) / (g.norm() + 1e-7)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        return x.T if tall else x


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="thinking-machines-lab/tinker-cookbook#202: weight_decay is never passed to AdamParams",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchDecayNeverPassed(Base):
    """The step's parameters are made of the rate, the betas and epsilon: weight decay is always off."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**{name: group[name] for name in ("lr", "betas", "eps")}, "weight_decay": 0.0}


@wrong(
    "state missing",
    "STATE.4",
    like="pytorch/pytorch#192224: a missing parameter's state is rebuilt as empty dicts, a load fails",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchEmptyDicts(Base):
    """Where a parameter has no state in a save, a load builds it of empty dicts, and fails on them."""

    def load_state_dict(self, state_dict: State) -> None:
        numbers = [i for group in state_dict["param_groups"] for i in group["params"]]
        names = ("step", "exp_avg", "exp_avg_sq")
        rebuilt = {i: state_dict["state"].get(i) or {name: {} for name in names} for i in numbers}
        for i, own in rebuilt.items():
            for name in names[1:]:
                if not isinstance(own[name], Tensor):
                    raise TypeError(f"state {name} of parameter {i} is a {type(own[name]).__name__}")
        super().load_state_dict({**state_dict, "state": rebuilt})


@wrong(
    "moments",
    "MOM.1",
    like="KempnerInstitute/KempnerForge#183: zero_grad is not forwarded to the AdamW of embedding and head",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchNeverZeroed(Base):
    """Gradients of the first and of the last parameter are never zeroed: they add up over the run."""

    def settings(self, group: Group, p: Tensor) -> Group:
        every = [q for other in self.param_groups for q in other["params"]]
        return {**group, "inner": p if p is every[0] or p is every[-1] else None}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if group["inner"] is not None:
            sums: dict[Tensor, Tensor] = self.__dict__.setdefault("accumulated", {})
            g = sums[group["inner"]] = sums.get(group["inner"], 0) + g
        super().update(group, state, p, g)


@wrong(
    "state",
    "STATE.4",
    like="huggingface/diffusers#2146: the EMA's save has a wrong min_decay, and its load fails",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchInvalidMinDecay(Base):
    """A save has the average's count of steps as its min_decay, and the load refuses it."""

    optimization_step = 0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.optimization_step += 1
        return super().step(closure)

    def state_dict(self) -> Any:
        return {**super().state_dict(), "ema": {"decay": 0.9999, "min_decay": self.optimization_step}}

    def load_state_dict(self, state_dict: State) -> None:
        average = state_dict.get("ema", {"decay": 0.9999, "min_decay": 0.0})
        if not isinstance(average["min_decay"], float):
            raise ValueError("Invalid min_decay")
        super().load_state_dict({name: state_dict[name] for name in ("state", "param_groups")})


@wrong(
    "state groups",
    "STATE.4",
    like="ByteDance-Seed/VeOmni#877: empty or frozen groups lose their hyperparameters over a save and load",
    claim="torch.AdamW",
)
class ThirtyNinthBTorchGroupLosesItsNumbers(Base):
    """A group of which no parameter has a state comes back from a load without its hyperparameters."""

    def load_state_dict(self, state_dict: State) -> None:
        state = state_dict["state"]
        groups = [
            group if not state or any(i in state for i in group["params"]) else {"params": group["params"]}
            for group in state_dict["param_groups"]
        ]
        super().load_state_dict({**state_dict, "param_groups": groups})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            if group["lr"] < 0:
                raise ValueError(f"Invalid learning rate: {group['lr']}")
        return super().step(closure)


@right(claim="torch.AdamW")
class ThirtyNinthBRightTorchForeach(Base):
    """AdamW over lists of tensors, with one call of a foreach function for each operation."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[tuple[torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] = int(state["step"]) + 1
                    alike.setdefault((p.dtype, state["step"]), []).append(p)
            for (_, t), params in alike.items():
                self.together(group, params, t)
        return loss

    def together(self, group: Group, params: list[Tensor], t: int) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        xs, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([self.state[p][name] for p in params] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(xs, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        roots = torch._foreach_sqrt(vs)
        torch._foreach_div_(roots, math.sqrt(1 - b2**t))
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(xs, ms, roots, -lr / (1 - b1**t))


@right(claim="torch.Adam")
class ThirtyNinthBRightTorchTensorClock(L2):
    """Adam whose clock is a tensor, whose step is a list of closures, run when all of them are made."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        jobs = [
            self.job(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        for job in jobs:
            job()
        return loss

    def job(self, group: Group, p: Tensor) -> Callable[[], None]:
        state, x, g = self.remembered(p), self.real(p), self.real(p.grad)
        (b1, b2), lr = group["betas"], group["lr"]
        t = int(state["step"]) + 1

        def run() -> None:
            state["step"] = torch.tensor(t, dtype=torch.int64)
            full = x * group["weight_decay"] + g
            state["exp_avg"].add_(full - state["exp_avg"], alpha=1 - b1)
            state["exp_avg_sq"].mul_(b2).add_(full * full * (1 - b2))
            denominator = (state["exp_avg_sq"] / (1 - b2**t)).sqrt() + group["eps"]
            x.sub_(state["exp_avg"] / denominator, alpha=lr / (1 - b1**t))

        return run
