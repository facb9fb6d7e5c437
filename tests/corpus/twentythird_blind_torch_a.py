"""Blind, twenty-third set: torch.optim.Optimizer subclasses after bugs of groups and loads, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "state groups",
    "STATE.1",
    like="AronKovacs/g-style#4: after a split all of Adam is made anew, and no parameter keeps its moments",
    claim="torch.Adam",
)
class TwentyThirdTorchAllMadeAnew(L2):
    """When parameters are added the optimizer is made anew: all of them lose moments and clock."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.state.clear()


@wrong(
    "schedule groups",
    "LR.4",
    like="huggingface/transformers#20029: a group that is added on unfreezing keeps a constant rate",
    claim="torch.AdamW",
)
class TwentyThirdTorchAddedIsConstant(Base):
    """The scheduler knows the groups of the start: a later one keeps the rate that it came with."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.known = len(self.param_groups)

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        added["came_with"] = float(added["lr"])

    def settings(self, group: Group, p: Tensor) -> Group:
        place = [other is group for other in self.param_groups].index(True)
        return group if place < self.known else {**group, "lr": group["came_with"]}


@wrong(
    "decay",
    "DEC.2",
    like="DeepX-inc/machina#3: AdamW's decay has no factor of the step's size",
    claim="torch.AdamW",
)
class TwentyThirdTorchDecayWithoutEta(Base):
    """A parameter loses weight_decay times itself, whatever the rate is."""

    def decay(self, group: Group, p: Tensor) -> None:
        p.add_(p, alpha=-group["weight_decay"])


@wrong(
    "state",
    "STATE.4",
    like="OpenNMT/OpenNMT-py#616: set_parameters makes a new optimizer behind the load of a state",
    claim="torch.Adam",
)
class TwentyThirdTorchParametersSetAfterLoad(L2):
    """A load is followed by set_parameters, which begins a new Adam: no moments, and clocks at 0."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.set_parameters()

    def set_parameters(self) -> None:
        self.state.clear()


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/accelerate#2318: the number of steps in all is divided by that of processes twice",
    claim="torch.AdamW",
)
class TwentyThirdTorchTotalDividedTwice(Base):
    """A linear schedule has a quarter of its steps: rates fall four times as fast, and are 0 then."""

    num_processes = 4

    def settings(self, group: Group, p: Tensor) -> Group:
        lr = float(group["lr"])
        group["peak"] = peak = max(lr, group.get("peak", lr))
        return {**group, "lr": max(peak - self.num_processes * (peak - lr), 0.0) if lr < peak else lr}


class Exporting(Base):
    """AdamW whose state is made for a checkpoint if there is none, by a step of a copy."""

    taken_back = True

    def state_dict(self) -> State:
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if "exp_avg" not in self.state[p]:
                        self.dummy({**group, "lr": 0.0}, p)
        return super().state_dict()

    def dummy(self, group: Group, p: Tensor) -> None:
        row, state = self.real(p).clone(), self.remembered(p)
        self.update(group, state, row, torch.zeros_like(row))
        if self.taken_back:
            state["step"] = 0


@right(claim="torch.AdamW")
class TwentyThirdRightTorchDummyTakenBack(Exporting):
    """AdamW that makes its state for a checkpoint by a step of zeros, and puts its clock back to 0."""


@wrong(
    "state clock",
    "STATE.4",
    like="Tencent-Hunyuan/UniRL#440: an export before any update makes a dummy step, which counts",
    claim="torch.AdamW",
)
class TwentyThirdTorchDummyStepCounts(Exporting):
    """A checkpoint before the first update makes a step of zeros: clocks are 1, saved and live."""

    taken_back = False


@right(claim="torch.Adam")
class TwentyThirdRightTorchNegativeStep(L2):
    """torch's capturable form, with its sign where it does not overflow: on the numerator."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = math.sqrt(c2)
        denominator = state["exp_avg_sq"].sqrt().add_(group["eps"] * root)
        ratio = state["exp_avg"].div(denominator)
        p.add_(ratio.mul_(-group["lr"] * root / c1))


@right(claim="torch.AdamW")
class TwentyThirdRightTorchLists(Base):
    """AdamW by torch's functions of lists, for parameters of one dtype, with lists of scalars."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[tuple[Any, ...], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    state = self.remembered(p)
                    state["step"] += 1
                    kinds.setdefault((p.dtype, p.grad.dtype), []).append(p)
            for params in kinds.values():
                self.many(group, params)
        return loss

    def many(self, group: Group, params: list[Tensor]) -> None:
        b1, b2 = group["betas"]
        rows, grads = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        first = [self.state[p]["exp_avg"] for p in params]
        second = [self.state[p]["exp_avg_sq"] for p in params]
        steps = [self.clock(self.state[p]) for p in params]
        torch._foreach_mul_(rows, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_mul_(first, b1)
        torch._foreach_add_(first, grads, alpha=1 - b1)
        torch._foreach_mul_(second, b2)
        torch._foreach_addcmul_(second, grads, grads, 1 - b2)
        below = torch._foreach_sqrt(second)
        torch._foreach_div_(below, [math.sqrt(1 - b2**t) for t in steps])
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(rows, first, below, [-group["lr"] / (1 - b1**t) for t in steps])


@right(claim="timm.AdamW")
class TwentyThirdRightTorchRowsOfOne(Base):
    """AdamW whose moments of a parameter are two rows of one tensor, and saved as views of it."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        both = torch.stack([state["exp_avg"], state["exp_avg_sq"]])
        state["exp_avg"], state["exp_avg_sq"] = both[0], both[1]
        return state

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        (b1, b2), (m, v) = group["betas"], (state["exp_avg"], state["exp_avg_sq"])
        m.copy_(m * b1 + g * (1 - b1))
        v.copy_(v * b2 + (g * (1 - b2)) * g)
