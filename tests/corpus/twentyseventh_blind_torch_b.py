"""Blind, twenty-seventh set: torch.optim.Optimizer subclasses after bugs in groups, shapes and saves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "groups state",
    "LR.4",
    like="facebookresearch/pytext#1533: new groups reach the wrapper alone, what it wraps keeps the old ones",
    claim="torch.AdamW",
)
class TwentySeventhBTorchInnerGroups(Base):
    """What steps has the groups it was made with: what a load or an assignment puts there is unseen."""

    def inner(self) -> list[Group]:
        groups: list[Group] = self.__dict__.setdefault("inner_groups", self.param_groups)
        return groups

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        outer, self.param_groups = self.param_groups, self.inner()
        try:
            return super().step(closure)
        finally:
            self.param_groups = outer

    def load_state_dict(self, state_dict: State) -> None:
        self.inner()
        super().load_state_dict(state_dict)


@wrong(
    "layout",
    "STEP.1",
    like="nerfstudio-project/gsplat#618: the selective Adam takes a tensor of parameters for one of two axes",
    claim="torch.Adam",
)
class TwentySeventhBTorchTwoAxes(L2):
    """N rows of M numbers are stepped, M from the second axis: of three axes the rest is left as it is."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if p.ndim < 3:
            super().update(group, state, p, g)
            return
        size = p.shape[0] * p.shape[1]
        reached = (torch.arange(p.numel()) < size).reshape(p.shape)
        names = ("exp_avg", "exp_avg_sq")
        before = [x.clone() for x in (p, *(state[name] for name in names))]
        super().update(group, state, p, g)
        for x, old in zip((p, *(state[name] for name in names)), before, strict=True):
            x.copy_(torch.where(reached, x, old))


@wrong(
    "state storage",
    "STATE.4",
    like="hpcaitech/ColossalAI#1381: ZeRO's state is loaded for parameters of half precision",
    claim="torch.AdamW",
)
class TwentySeventhBTorchLoadedInHalf(Base):
    """A load casts both moments to float16, in which the model works, before they are the master's again."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for own in self.state.values():
            for name in ("exp_avg", "exp_avg_sq"):
                if name in own:
                    own[name] = own[name].half().to(own[name].dtype)


@wrong(
    "state",
    "STATE.4",
    like="NVIDIA/Megatron-LM#2625: a checkpoint of Muon for matrices and Adam for the rest does not load",
    claim="torch.AdamW",
)
class TwentySeventhBTorchMatricesApart(Base):
    """The saved state has matrices and the rest in groups of their own, which a load does not find."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        groups: list[Group] = []
        for group, kept in zip(self.param_groups, saved["param_groups"], strict=True):
            for is_matrix in (True, False):
                own = [
                    i
                    for i, p in zip(kept["params"], group["params"], strict=True)
                    if (p.ndim > 1) == is_matrix
                ]
                if own:
                    groups.append({**kept, "params": own})
        saved["param_groups"] = groups or saved["param_groups"]
        return saved


@wrong(
    "loss_scale nonfinite",
    "SCALE.2",
    like="epfLLM/Megatron-LLM#33: the loss is NaN, and counters of skipped iterations stay at 0",
    claim="torch.AdamW",
)
class TwentySeventhBTorchFlagIsTrue(Scaled):
    """The flag of an overflow is asked whether it is True, which a tensor never is: the step is made."""

    skipped = 0

    def overflowed(self) -> bool:
        found = self.found_inf is True
        self.skipped += found
        return found


@wrong(
    "state clock",
    "STATE.4",
    like="pytorch/pytorch#127197: foreach groups steps by device and dtype, and refuses an int",
    claim="torch.Adam",
)
class TwentySeventhBTorchStepIsInt(L2):
    """The step is saved and restored as an int, and an int is refused by the step that groups tensors."""

    def remembered(self, p: Tensor) -> State:
        new = "exp_avg" not in self.state[p]
        state = super().remembered(p)
        if new:
            state["step"] = torch.zeros(())
        return state

    def state_dict(self) -> Any:
        saved = super().state_dict()
        saved["state"] = {
            i: {**own, "step": int(own["step"])} if "step" in own else own
            for i, own in saved["state"].items()
        }
        return saved

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not torch.is_tensor(state["step"]):
            raise TypeError("state_steps: expected Tensor, got int")
        super().update(group, state, p, g)


@right(claim="torch.AdamW")
class TwentySeventhBRightTorchForeach(Base):
    """AdamW by lists of tensors of one dtype and clock, with foreach operations."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[tuple[Any, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    key = p.dtype, int(self.remembered(p)["step"]) + 1
                    lists.setdefault(key, []).append(p)
            for (_, t), params in lists.items():
                self.together(group, t, params)
        return loss

    def together(self, group: Group, t: int, params: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        states = [self.state[p] for p in params]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        ms, vs = ([own[name] for own in states] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, math.sqrt(1 - b2**t))
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ps, ms, below, -lr / (1 - b1**t))
        for own in states:
            own["step"] = t


@right(claim="torch.AdamW")
class TwentySeventhBRightTorchFlag(Scaled):
    """AdamW that reads the flag of an overflow as a number, and keeps count of the steps it skips."""

    skipped = 0

    def overflowed(self) -> bool:
        found = 0.0 if self.found_inf is None else float(torch.as_tensor(self.found_inf).sum())
        self.skipped += found != 0
        return found != 0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        return loss if self.overflowed() else self.made(loss)

    def made(self, loss: Any) -> Any:
        scale = 1.0 if self.grad_scale is None else self.grad_scale
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    Base.update(self, group, self.remembered(p), self.real(p), self.real(p.grad) / scale)
        return loss
