"""Blind, twenty-first set: torch.optim.Optimizer subclasses, after the bugs of others in settings, loads."""

from __future__ import annotations

import math

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from seventeenth_blind_torch import Multiplied, norm_of
from torch import Tensor


@wrong(
    "state hyperparameters schedule",
    "STATE.4",
    like="pytorch/pytorch#125215: libtorch reads a state's groups for parameters, and not for options",
    claim="torch.AdamW",
)
class TwentyFirstTorchOptionsOfConstructor(Base):
    """A load takes moments and clocks: rate, betas, epsilon and decay of the saved groups are not taken."""

    def load_state_dict(self, state_dict: State) -> None:
        options = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, options, strict=True):
            group.update(own)


@wrong(
    "hyperparameters moments",
    "MOM.2",
    like="OpenNMT/OpenNMT-py#383: betas are [0.9, 0.98], which a Transformer wants, for every model",
    claim="torch.Adam",
)
class TwentyFirstTorchSecondBetaFixed(L2):
    """The second beta is 0.98, whatever is given."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "betas": (group["betas"][0], 0.98)}


@wrong(
    "epsilon",
    "EPS.1",
    like="pytorch/pytorch#26987: SparseAdam has epsilon beside the raw root, and the corrections in the step",
    claim="torch.Adam",
)
class TwentyFirstTorchEpsilonIsScaled(L2):
    """Epsilon is divided by the second correction's root, as the second moment's root is."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denom = state["exp_avg_sq"].sqrt().add_(group["eps"])
        step_size = group["lr"] * math.sqrt(c2) / c1
        p.add_(state["exp_avg"] / denom, alpha=-step_size)


@wrong(
    "nonfinite clipping",
    "NF.2",
    like="facebookresearch/habitat-lab#2226: the norm of a bad gradient is NaN, and nothing looks at it",
    claim="torch.AdamW",
)
class TwentyFirstTorchNormIsNan(Multiplied):
    """One NaN in any gradient, and all are multiplied by a coefficient of NaN: so all parameters are."""

    max_grad_norm = math.inf

    def formed(self, grads: list[Tensor]) -> float:
        clip_coef = torch.tensor(self.max_grad_norm / (norm_of(grads) + 1e-6), dtype=torch.float64)
        return float(torch.clamp(clip_coef, max=1.0))


@wrong(
    "mixed_precision epsilon storage",
    "EPS.6",
    like="NVIDIA/apex#240: in pure fp16 an eps of 1e-8 is 0, and parameters are NaN behind the first step",
    claim="torch.Adam",
)
class TwentyFirstTorchPureHalf(L2):
    """Parameters, gradients, moments and epsilon are float16 in a step, and nothing wider is beside them."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        names = ("exp_avg", "exp_avg_sq")
        half = p.half()
        narrow = {"step": state["step"], **{name: state[name].half() for name in names}}
        super().update(group, narrow, half, g.half())
        p.copy_(half)
        state["step"] = narrow["step"]
        for name in names:
            state[name].copy_(narrow[name])


@wrong(
    "state layout",
    "STATE.4",
    like="pytorch/pytorch#1489: saved moments go to parameters by the order in which they were entered",
    claim="torch.AdamW",
)
class TwentyFirstTorchByOrderOfEntry(Base):
    """The n-th state that was saved is loaded for the n-th parameter, and they are in order of first use."""

    def load_state_dict(self, state_dict: State) -> None:
        numbers = [i for group in state_dict["param_groups"] for i in group["params"]]
        entered = list(state_dict["state"].values())
        super().load_state_dict({**state_dict, "state": dict(zip(numbers, entered, strict=False))})
