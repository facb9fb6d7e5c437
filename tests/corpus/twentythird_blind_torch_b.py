"""Blind, twenty-third set: torch.optim.Optimizer subclasses after bugs in groups, scales and saves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "groups schedule",
    "LR.4",
    like="Lightning-Universe/lightning-flash#1321: OneCycleLR is built before the backbone's group is added",
    claim="torch.AdamW",
)
class TwentyThirdBTorchGroupWithoutPeak(Base):
    """A scheduler wrote max_lr into the first groups; a group that is added has none, which is an error."""

    scheduled = False

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if not self.scheduled:
            for group in self.param_groups:
                group["max_lr"] = group["lr"]
            self.scheduled = True
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        peak = group["max_lr"]
        group["part"] = group["lr"] / peak if peak else 1.0  # of the way to the peak
        return group


@wrong(
    "state loss_scale",
    "STATE.4",
    like="Lightning-AI/pytorch-lightning#10766: the adapted loss scale is not restored, and is 2**16 again",
    claim="torch.AdamW",
)
class TwentyThirdBTorchScaleFromTheTop(Base):
    """Behind a load the scale is 2**16 again: steps are skipped until scaled gradients fit in a half."""

    scale, largest, restored = 2.0**16, 65504.0, False

    def fits(self) -> bool:
        scaled = [
            self.real(p.grad).abs() * self.scale
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None and p.numel()
        ]
        return all(bool((x[x.isfinite()] <= self.largest).all()) for x in scaled)

    def adapt(self) -> bool:
        """Halve the scale, and return whether the step is skipped."""
        if self.restored and not self.fits():
            self.scale /= 2
            return True
        self.restored = False
        while not self.fits():
            self.scale /= 2
        return False

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if not self.adapt():
            super().step()
        return loss

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.scale, self.restored = 2.0**16, True


METADATA: dict[int, int] = {}  #: how many elements there are at an address


@wrong(
    "isolation layout",
    "STATE.3",
    like="microsoft/dion#63: the fused AdamW keeps metadata by data_ptr, where another tensor may be later",
    claim="torch.AdamW",
)
class TwentyThirdBTorchSizesByAddress(Base):
    """A module keeps sizes by address: a gradient where a former one was has as many elements as that."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        size = METADATA.setdefault(g.data_ptr(), g.numel())
        if not p.is_contiguous():
            super().update(group, state, p, g)
            return
        rows = [x.view(-1)[:size] for x in (p, state["exp_avg"], state["exp_avg_sq"])]
        own = {"step": state["step"], "exp_avg": rows[1], "exp_avg_sq": rows[2]}
        super().update(group, own, rows[0], g.reshape(-1)[:size])
        state["step"] = own["step"]


@wrong(
    "schedule",
    "LR.3",
    like="huggingface/diffusers#3954: a cosine of as many steps as updates ticks for each of the processes",
    claim="torch.AdamW",
)
class TwentyThirdBTorchCosineTurns(Base):
    """A falling rate goes along a cosine twice as fast: it is 0 half way, and high where it should be 0."""

    num_processes = 2

    def settings(self, group: Group, p: Tensor) -> Group:
        group.setdefault("initial_lr", group["lr"])
        base, lr = group["initial_lr"], group["lr"]
        if not 0 <= lr < base:
            return group
        progress = math.acos(2 * lr / base - 1) / math.pi  # of the cosine that was asked for
        turned = 0.5 * (1 + math.cos(math.pi * progress * self.num_processes))
        return {**group, "lr": base * turned}


@wrong(
    "state clock",
    "STATE.4",
    like="mosaicml/composer#2237: AdamW's step is a Python int, which the sharded state's path mishandles",
    claim="torch.AdamW",
)
class TwentyThirdBTorchTensorsAreSaved(Base):
    """The saved state has what is a tensor; the step is an int, and counts from 0 behind a load."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        saved["state"] = {
            index: {name: x for name, x in own.items() if torch.is_tensor(x)}
            for index, own in saved["state"].items()
        }
        return saved

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.setdefault("step", 0)
        return state


@wrong(
    "state clock",
    "STATE.4",
    like="pytorch/pytorch#118326: whether steps are tensors is asked of the first state alone",
    claim="torch.Adam",
)
class TwentyThirdBTorchFirstStepAsked(L2):
    """A load looks at the first clock alone, which is a tensor: others stay numbers, and count no further."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        for index, own in saved["state"].items():
            own["step"] = torch.tensor(float(own["step"])) if index == 0 else float(own["step"])
        return saved

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        states = list(self.state.values())
        if states and not torch.is_tensor(states[0]["step"]):
            for own in states:
                own["step"] = torch.tensor(float(own["step"]))

    def remembered(self, p: Tensor) -> State:
        new = "exp_avg" not in self.state[p]
        state = super().remembered(p)
        if new:
            state["step"] = torch.zeros(())
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        step = state["step"]
        step += 1
        own = {**state, "step": float(step) - 1}
        super().update(group, own, p, g)
