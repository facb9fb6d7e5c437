"""Blind, twenty-fifth set: torch.optim.Optimizer subclasses after bugs of rates and freezes, right ones."""

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
    "schedule compilation",
    "STEP.3",
    like="pytorch/pytorch#163093: ReduceLROnPlateau puts a float in the place of a rate that is a tensor",
    claim="torch.AdamW",
)
class TwentyFifthTorchTensorIsReplaced(Base):
    """A step follows the tensor that the rate was at first: a float in its place changes nothing."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float64)
        self.__dict__.setdefault("captured", []).append(group["lr"])

    def settings(self, group: Group, p: Tensor) -> Group:
        place = [other is group for other in self.param_groups].index(True)
        return {**group, "lr": float(self.__dict__["captured"][place])}


@wrong(
    "state",
    "F4",
    like="HorizonRobotics/alf#1310: AdamTF cannot reset its state, and moments of one stage are the next's",
    claim="fairseq.Adam",
)
class TwentyFifthTorchStageBefore(Hat):
    """A load of a state that is empty resets nothing: moments and clocks stay those of the stage before."""

    def load_state_dict(self, state_dict: State) -> None:
        before = dict(self.state)
        super().load_state_dict(state_dict)
        for p, own in before.items():
            if not self.state.get(p):
                self.state[p] = own


@wrong(
    "complex",
    "CPX.1",
    like="pytorch/pytorch#69182: complex gradients are squared as they are, and v is complex",
    claim="torch.AdamW",
)
class TwentyFifthTorchComplexSquare(Base):
    """A complex gradient is squared as it is: the second moment and its root are complex numbers."""

    def real(self, x: Any) -> Any:
        return x

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(g, alpha=1 - b1)
        state["exp_avg_sq"].mul_(b2).add_((g * (1 - b2)) * g)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        p.sub_(state["exp_avg"].div(below).mul_(group["lr"] / c1))


@wrong(
    "decay",
    "DEC.2",
    like="kozistr/pytorch_optimizer#169: Ranger21, whose decay is stable, has spikes and does not converge",
    claim="torch.AdamW",
)
class TwentyFifthTorchStableDecay(Base):
    """The decay is divided by the root of the mean of all second moments: small ones make it explode."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        variance_ma_sum, param_size = 0.0, 0
        present = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for group, p in present:
            state = self.remembered(p)
            state["step"] += 1
            self.learn(group, state, self.real(p.grad))
            debiased = state["exp_avg_sq"].double() / (1 - group["betas"][1] ** self.clock(state))
            variance_ma_sum += float(debiased[debiased.isfinite()].sum())
            param_size += p.numel()
        variance_normalized = math.sqrt(variance_ma_sum / max(param_size, 1))
        for group, p in present:
            state = self.state[p]
            if variance_normalized != 0:
                self.real(p).mul_(1 - group["weight_decay"] * group["lr"] / variance_normalized)
            c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
            self.move(group, state, self.real(p), c1, c2)
        return loss


@wrong(
    "missing",
    "F1",
    like="ultralytics/yolov5#1213: what is frozen is thawed while the groups are filled",
    claim="torch.Adam",
)
class TwentyFifthTorchFreezeUndone(L2):
    """A freeze has no effect: a parameter that has no gradient is stepped by zeros, and its clock ticks."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                g = torch.zeros_like(p) if p.grad is None else p.grad
                self.update(group, self.remembered(p), self.real(p), self.real(g))
        return loss


@right(claim="torch.AdamW")
class TwentyFifthRightTorchGradBuffer(Base):
    """AdamW whose gradients of a step are copied into one buffer for each dtype, and read there."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        present = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        sizes: dict[torch.dtype, int] = {}
        places = []
        for _, p in present:
            kind = self.real(p).dtype
            begin = sizes.get(kind, 0)
            sizes[kind] = begin + self.real(p).numel()
            places.append(slice(begin, sizes[kind]))
        buffers = {kind: torch.empty(size, dtype=kind) for kind, size in sizes.items()}
        for (_, p), place in zip(present, places, strict=True):
            row = self.real(p)
            buffers[row.dtype][place] = self.real(p.grad).reshape(-1)
        for (group, p), place in zip(present, places, strict=True):
            row = self.real(p)
            self.update(group, self.remembered(p), row, buffers[row.dtype][place].view(row.shape))
        return loss


@right(claim="torch.Adam")
class TwentyFifthRightTorchTensorRate(L2):
    """Adam whose rate is filled into a tensor of its own, with a step and corrections that are tensors."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = torch.as_tensor(float(state["step"]), dtype=torch.float32)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        rate = self.__dict__.setdefault("rate", torch.zeros((), dtype=torch.float64))
        rate.fill_(float(group["lr"]))
        g = g.add(p, alpha=group["weight_decay"])
        state["step"] = state["step"] + 1
        self.learn(group, state, g)
        t = state["step"].double()
        c1, c2 = (1 - torch.as_tensor(b, dtype=torch.float64) ** t for b in group["betas"])
        below = state["exp_avg_sq"].sqrt().div_(c2.sqrt()).add_(group["eps"])
        p.sub_(state["exp_avg"].div(below).mul_(rate / c1))


def adamw(
    params: list[Tensor], grads: list[Tensor], states: list[State], *, lr: float, betas: tuple[float, float],
    eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """Step parameters in the order of their lists' ends."""
    (b1, b2), w1 = betas, 1 - betas[0]
    while params:
        p, g, state = params.pop(), grads.pop(), states.pop()
        state["step"] += 1
        t = int(state["step"])
        root = math.sqrt(1 - b2**t)
        m, v = state["exp_avg"], state["exp_avg_sq"]
        if w1 < 0.5:
            m += w1 * (g - m)
        else:
            m.copy_(g - b1 * (g - m))
        v.mul_(b2).addcmul_(g, g * (1 - b2))
        moved = m * root / v.sqrt().add_(eps * root)
        p -= moved.mul_(lr / (1 - b1**t)).add_(p, alpha=lr * weight_decay)


@right(claim="timm.AdamW")
class TwentyFifthRightTorchFunctional(Base):
    """AdamW as a function of lists, taken from their ends, with epsilon times the correction's root."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            names = ("lr", "betas", "eps", "weight_decay")
            adamw(
                [self.real(p) for p in present],
                [self.real(p.grad) for p in present],
                [self.remembered(p) for p in present],
                **{name: group[name] for name in names},
            )
        return loss
